"""The engine of four parties: shares of three components, and checks before anything is opened."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc import adders
from mdl.mpc.engine import Bilinear, Rounding
from mdl.mpc.keystream import Keystream
from mdl.mpc.rep4 import steps
from mdl.mpc.rep4.joint import HOLDERS, XOR, Joint, Parts, across, held, partner
from mdl.mpc.ring import RING_64, Ring
from mdl.mpc.rounds import Exchange, Wanted, together
from mdl.mpc.secret import Bits, Secret
from mdl.mpc.transcripts import hash_of, wanted_hash
from mdl.party import PartyId


class Rep4:
    """One party's side; see `mdl.mpc.engine.Engine`.

    A secret's parts are the components of the two parties across and the partner's
    (`mdl.mpc.rep4.joint`).

    Args:
        party: 0, 1, 2 or 3.
        keys: by component, those of the three that the party holds.
        common: a key that all four have.
        rounding: of quotients.
        ring: that secrets are in.
    """

    holders: Final = HOLDERS

    def __init__(
        self,
        party: PartyId,
        keys: Mapping[PartyId, bytes],
        common: bytes,
        rounding: Rounding = "probabilistic",
        ring: Ring = RING_64,
    ) -> None:
        self.party = party
        self._joint, self._common = Joint(party, keys, ring), Keystream(common)
        # A public number goes to component 0.
        self._units = tuple(int(component == 0) for component in held(party))
        self._rounding, self._ring = rounding, ring

    # -------------------------------------------------------------------------------------- in and out

    def public(self, values: Tensor) -> Secret:
        """See `Engine`."""
        nothing = torch.zeros_like(values)
        return self._secret((nothing, nothing, nothing)) + values

    async def share(self, owner: PartyId, values: Tensor | None, shape: torch.Size) -> Secret:
        """See `Engine`: two components are masks, and two parties are sent the third; they compare it.

        The owner's own component is zero. Any integers are a valid input.
        """
        last = partner(owner)
        masks = {
            component: self._joint.streams[component].draw(shape)
            for component in across(owner)
            if component != self.party
        }
        components = {**masks, owner: torch.zeros(shape, dtype=torch.int64)}
        receivers = across(owner)
        sends: list[tuple[PartyId, Tensor]] = []
        if self.party == owner:
            assert values is not None
            assert values.shape == shape
            components[last] = values - masks[receivers[0]] - masks[receivers[1]]
            sends = [(receiver, components[last]) for receiver in receivers]
        wants = [Wanted(owner, shape, torch.int64)] if self.party in receivers else []
        for received in await self._joint.transcripts.exchange(sends, wants):
            components[last] = received
            self._joint.transcripts.enter_handed(receivers, received)
        return self._secret([components[component] for component in held(self.party)])

    async def check(self) -> None:
        """See `Engine`: compare what has not been compared yet, and hear that all agree."""
        await self._joint.transcripts.compare()

    async def resumed(self, secrets: Sequence[Secret]) -> Sequence[Secret]:
        """See `Engine`: shares are bound to no key."""
        return secrets

    async def open(self, secret: Secret) -> Tensor:
        """See `Engine`: one party sends each the component it lacks, another one the hash of it."""
        found = await self._opened(secret, range(HOLDERS))
        assert found is not None
        return found

    async def open_to(self, receiver: PartyId, secret: Secret) -> Tensor | None:
        """See `Engine`."""
        return await self._opened(secret, [receiver])

    async def _opened(self, secret: Secret, receivers: Sequence[PartyId]) -> Tensor | None:
        await self.check()
        components = dict(zip(held(self.party), secret.parts, strict=True))
        sends: list[tuple[PartyId, Tensor]] = []
        for receiver in receivers:
            sender, witness = _openers(receiver)
            if self.party == sender:
                sends.append((receiver, components[receiver]))
            elif self.party == witness:
                sends.append((receiver, hash_of(components[receiver])))
        if self.party not in receivers:
            await Exchange(sends)
            return None
        sender, witness = _openers(self.party)
        wants = [Wanted(sender, secret.shape, torch.int64), wanted_hash(witness)]
        lacking, told = await Exchange(sends, wants)
        if not torch.equal(hash_of(lacking), told):
            raise CheatingDetected(
                "opening: what was received is not what its witness says", [sender, witness]
            )
        first, second, third = secret.parts
        return self._ring.signed(first + second + third + lacking)

    async def random_bits(self, shape: torch.Size) -> Bits:
        """See `Engine`: of each component its holders draw the same coins; no message."""
        streams = self._joint.streams
        return self._bits([streams[each].draw(shape, torch.uint8) & 1 for each in held(self.party)])

    # -------------------------------------------------------------------------------------- products

    async def product(
        self, bilinear: Bilinear, one: Secret, two: Secret, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        found = self._secret(await steps.multiplied(self._joint, bilinear, _parts(one), _parts(two)))
        return found if plus is None else found + plus

    async def scaled_product(
        self, bilinear: Bilinear, one: Secret, two: Secret, drop: int, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`. What the sides know of the product is all that is needed to divide it."""
        own = bilinear(steps.known(_parts(one)), steps.known(_parts(two)))
        own += steps.known(await steps.crossed(self._joint, bilinear, _parts(one), _parts(two)))
        return await self._divided(own if plus is None else own + steps.known(_parts(plus)), drop)

    async def truncate(self, secret: Secret, drop: int) -> Secret:
        """See `Engine`."""
        part = steps.known(_parts(secret))
        # Rounding is unbiased if b is uniform, which it need not be: of a public number it is that number.
        moved = self._common.draw(part.shape)
        return await self._divided(part + moved if self._joint.side == 0 else part - moved, drop)

    async def _divided(self, part: Tensor, drop: int) -> Secret:
        """Divide, with what this party's side knows."""
        if self._rounding == "probabilistic":
            return self._secret(await steps.truncated(self._joint, part, drop))
        halved = part + (1 << drop - 1) if self._joint.side == 0 else part
        quotient, carry = await together(
            steps.truncated(self._joint, part, drop, carried=True), self._carry(halved, drop)
        )
        return self._secret(steps.added(quotient, carry))

    async def _carry(self, part: Tensor, drop: int) -> Parts:
        """Give the carry of the lowest digits, as an integer."""
        bits = self._ring.compared_bits
        low = (part << bits - drop).to(torch.int32)
        g, p = await self._generated(adders.ordered(low, bits))
        first, second, third = await adders.carried(g, p, self._and, bits)
        return await steps.counted(self._joint, (first, second, third))

    # -------------------------------------------------------------------------------------- bits

    async def negative(self, secret: Secret) -> Bits:
        """See `Engine`: the topmost bits of a and b, and the carry from those below."""
        bits = self._ring.compared_bits
        word = steps.known(_parts(secret)).to(torch.int32)
        # The topmost digit goes to the place of the lowest.
        turned = word >> bits - 1 & 1 ^ word << 1
        g, p = await self._generated(adders.ordered(turned, bits))
        carry = await adders.carried(g & -2, p, self._and, bits)
        return self._bits(carry ^ (p & 1).to(torch.uint8))

    async def bits(self, secret: Secret) -> Bits:
        """See `Engine`."""
        g, p = await self._generated(steps.known(_parts(secret)).to(torch.int32))
        return self._bits(await adders.summed(g, p, self._and, self._ring.compared_bits))

    async def _generated(self, word: Tensor) -> tuple[Tensor, Tensor]:
        """Begin an addition in binary; components along a new first axis."""
        g, p = await steps.generated(self._joint, word)
        return torch.stack(g), torch.stack(p)

    async def conjunction(self, one: Bits, two: Bits) -> Bits:
        """See `Engine`."""
        return self._bits(await self._and(one.parts, two.parts))

    async def _and(self, one: Iterable[Tensor], two: Iterable[Tensor]) -> Tensor:
        """Give the components of the bitwise and, along a new first axis."""
        (a, b, c), (x, y, z) = one, two
        return torch.stack(await steps.multiplied(self._joint, torch.bitwise_and, (a, b, c), (x, y, z), XOR))

    async def select(self, bit: Bits, secret: Secret) -> Secret:
        """See `Engine`. A second selection by the same bits sends a quarter less."""
        assert bit.shape == secret.shape
        found, bit.kept["told"] = await steps.selected(
            self._joint, _parts(secret), _parts(bit), bit.kept.get("told")
        )
        return self._secret(found)

    async def integers(self, bit: Bits) -> Secret:
        """See `Engine`."""
        return self._secret(await steps.counted(self._joint, _parts(bit)))

    def _secret(self, parts: Iterable[Tensor]) -> Secret:
        return Secret(tuple(parts), self._units)

    def _bits(self, parts: Iterable[Tensor]) -> Bits:
        return Bits(tuple(parts), self._units)


def _parts(secret: Secret | Bits) -> Parts:
    first, second, third = secret.parts
    return first, second, third


def _openers(receiver: PartyId) -> tuple[PartyId, PartyId]:
    """Say who sends a party the component it lacks, and who the hash of it."""
    return (receiver + 1) % HOLDERS, (receiver + 2) % HOLDERS


def dealt(
    keys: Sequence[bytes], common: bytes, rounding: Rounding = "probabilistic", ring: Ring = RING_64
) -> tuple[Rep4, Rep4, Rep4, Rep4]:
    """Give all four parties' engines, from the components' keys and the common one."""
    one, two, three, four = (
        Rep4(party, {component: keys[component] for component in held(party)}, common, rounding, ring)
        for party in range(HOLDERS)
    )
    return one, two, three, four
