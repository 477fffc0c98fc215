"""The engine of three parties of whom one may be malicious: products are verified before openings."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from mdl.mpc.engine import Bilinear, Rounding, multiply
from mdl.mpc.keystream import Keystream
from mdl.mpc.rep3_malicious.additions import Additions
from mdl.mpc.rep3_malicious.conjunctions import UNITS, Conjunctions
from mdl.mpc.rep3_malicious.member import HOLDERS, Member, Pair
from mdl.mpc.rep3_malicious.products import Factor, Products
from mdl.mpc.ring import RING_64, Ring
from mdl.mpc.rounds import Exchange, Wanted, together
from mdl.mpc.secret import Bits, Secret
from mdl.mpc.transcripts import hash_of, wanted_hash
from mdl.party import PartyId

REMEMBERED_BYTES: Final = 1 << 26
"""Products are verified once so much is remembered of them."""


class Rep3Malicious:
    """One party's side; see `mdl.mpc.engine.Engine`.

    Args:
        member: the party.
        common: what all three draw, and none has chosen.
        rounding: of quotients.
        units: see `Conjunctions`.
        remembered_bytes: products are verified once so much is remembered of them.
        ring: of the secrets.
    """

    holders: Final = HOLDERS

    def __init__(
        self,
        member: Member,
        common: Keystream,
        rounding: Rounding = "probabilistic",
        *,
        units: int = UNITS,
        remembered_bytes: int = REMEMBERED_BYTES,
        ring: Ring = RING_64,
    ) -> None:
        self.party = member.party
        self._member, self._common, self._rounding = member, common, rounding
        self._products, self._conjunctions = Products(member), Conjunctions(member, units)
        self._additions = Additions(member, self._conjunctions, ring)
        self._limit, self._ring = remembered_bytes, ring
        self._checking = False

    # -------------------------------------------------------------------------------------- in and out

    def public(self, values: Tensor) -> Secret:
        """See `Engine`."""
        return self._secret((torch.zeros_like(values), torch.zeros_like(values))) + values

    async def share(self, owner: PartyId, values: Tensor | None, shape: torch.Size) -> Secret:
        """See `Engine`: (F, w - F, 0) from the owner's component on; one message, to the party after it.

        Any message makes a valid sharing of some integers: an owner may share what it likes.
        """
        nothing = torch.zeros(shape, dtype=torch.int64)
        member = self._member
        if self.party == owner:
            assert values is not None
            assert values.shape == shape
            mask = member.mine.draw(shape)
            rest = values - mask
            await Exchange([(member.after, rest)])
            return self._secret((mask, rest))
        if member.before == owner:
            (rest,) = await Exchange((), [Wanted(owner, shape, torch.int64)])
            return self._secret((rest, nothing))
        mask = member.next.draw(shape)
        await Exchange()
        return self._secret((nothing, mask))

    async def check(self) -> None:
        """See `Engine`: verify the products of numbers and of bits side by side; four rounds.

        While it runs others that run `together` with it wait, and then verify what was computed meanwhile.
        """
        while self._checking:
            await Exchange()
        if self._remembered_bytes:
            self._checking = True
            await together(self._products.verified(), self._conjunctions.verified())
            self._checking = False

    @property
    def _remembered_bytes(self) -> int:
        return self._products.size_bytes + self._conjunctions.size_bytes

    async def _check_if_due(self) -> None:
        if self._remembered_bytes >= self._limit:
            await self.check()

    async def resumed(self, secrets: Sequence[Secret]) -> Sequence[Secret]:
        """See `Engine`: shares are bound to no key. Who has kept others than its peers errs in products."""
        return secrets

    async def open(self, secret: Secret) -> Tensor:
        """See `Engine`: the party before sends each the component it lacks, the party after the hash."""
        await self.check()
        mine, following = _held(secret)
        return mine + following + await self._member.lacking(mine, following, secret.shape)

    async def open_to(self, receiver: PartyId, secret: Secret) -> Tensor | None:
        """See `Engine`."""
        await self.check()
        member, (mine, following) = self._member, _held(secret)
        if member.after == receiver:
            await Exchange([(receiver, mine)])
        elif member.before == receiver:
            await Exchange([(receiver, hash_of(following))])
        else:
            wants = [Wanted(member.before, secret.shape, torch.int64), wanted_hash(member.after)]
            lacking, told = await Exchange((), wants)
            member.compare(lacking, told)
            return mine + following + lacking
        return None

    async def random_bits(self, shape: torch.Size) -> Bits:
        """See `Engine`: of each component both holders draw the same coins; no message."""
        mine, following = self._member.drawn(shape, torch.uint8)
        return self._bits((mine & 1, following & 1))

    # -------------------------------------------------------------------------------------- products

    async def product(
        self, bilinear: Bilinear, one: Secret, two: Secret, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        await self._check_if_due()
        found = self._secret(await self._products.of(bilinear, Factor(_held(one)), Factor(_held(two))))
        return found if plus is None else found + plus

    async def scaled_product(
        self, bilinear: Bilinear, one: Secret, two: Secret, drop: int, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        return await self.truncate(await self.product(bilinear, one, two, plus=plus), drop)

    async def truncate(self, secret: Secret, drop: int) -> Secret:
        """See `Engine`: both roundings are exact, of x and a half, or of x and a fraction tossed by all.

        Components of x + 2^61 are shifted each. Of their sum what the lowest digits carry is lacking, and
        what was lost where it overflows is too much.
        """
        await self._check_if_due()
        added = (
            1 << drop - 1
            if self._rounding == "nearest"
            else self._common.draw(secret.shape) & (1 << drop) - 1
        )
        numbers = torch.stack((secret + added + self._ring.truncated_limit).parts)
        overflows = self._bits((await self._additions.overflows(numbers, drop)).unbind())
        counts = await self.integers(overflows)
        shifted = numbers >> drop & (1 << self._ring.word_bits - drop) - 1
        return (
            self._secret(shifted.unbind())
            + (counts[0] + counts[1])
            - (counts[2] + counts[3] << self._ring.word_bits - drop)
            - (self._ring.truncated_limit >> drop)
        )

    # -------------------------------------------------------------------------------------- bits

    async def negative(self, secret: Secret) -> Bits:
        """See `Engine`."""
        await self._check_if_due()
        return self._bits((await self._additions.negative(_words(secret))).unbind())

    async def bits(self, secret: Secret) -> Bits:
        """See `Engine`."""
        await self._check_if_due()
        return self._bits((await self._additions.summed(_words(secret))).unbind())

    async def conjunction(self, one: Bits, two: Bits) -> Bits:
        """See `Engine`."""
        await self._check_if_due()
        return self._bits(await self._conjunctions.of(_held(one), _held(two)))

    async def select(self, bit: Bits, secret: Secret) -> Secret:
        """See `Engine`. Bits are made integers once."""
        assert bit.shape == secret.shape
        return await self.product(multiply, await self.integers(bit), secret)

    async def integers(self, bit: Bits) -> Secret:
        """See `Engine`: u = b_0 + b_1 - 2 b_0 b_1, then u + b_2 - 2 u b_2."""
        if "integers" not in bit.kept:
            await self._check_if_due()
            mine, following = ((part & 1).to(torch.int64) for part in bit.parts)
            first, second, third = (
                Factor(self._member.only((mine, following), component), frozenset([component]))
                for component in range(HOLDERS)
            )
            product = self._secret(await self._products.of(multiply, first, second))
            both = self._secret(first.held) + self._secret(second.held) - product * 2
            product = self._secret(await self._products.of(multiply, Factor(_held(both)), third))
            bit.kept["integers"] = both + self._secret(third.held) - product * 2
        found: Secret = bit.kept["integers"]
        return found

    def _secret(self, parts: Sequence[Tensor]) -> Secret:
        return Secret(tuple(parts), self._member.units)

    def _bits(self, parts: Sequence[Tensor]) -> Bits:
        return Bits(tuple(parts), self._member.units)


def _held(secret: Secret | Bits) -> Pair:
    mine, following = secret.parts
    return mine, following


def _words(secret: Secret) -> Tensor:
    """Give the lowest digits of the components."""
    return torch.stack(secret.parts).to(torch.int32)


def dealt(
    keys: Sequence[bytes],
    common: bytes,
    rounding: Rounding = "probabilistic",
    *,
    units: int = UNITS,
    remembered_bytes: int = REMEMBERED_BYTES,
    ring: Ring = RING_64,
) -> tuple[Rep3Malicious, Rep3Malicious, Rep3Malicious]:
    """Give all three parties' engines, from the components' keys and the common one."""
    one, two, three = (
        Rep3Malicious(
            Member(party, keys[party], keys[(party + 1) % HOLDERS]),
            Keystream(common),
            rounding,
            units=units,
            remembered_bytes=remembered_bytes,
            ring=ring,
        )
        for party in range(HOLDERS)
    )
    return one, two, three
