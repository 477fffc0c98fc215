"""The engine of three parties with replicated shares: whole vectors, by thirds to the roles.

Secrets are modulo 2^63, in words of 64 bits whose topmost one has no meaning. So a product can be computed
twice as large, and for that each party need but multiply once: with x = x_0 + x_1 + x_2 and y likewise,

    2 x y = (2 x_0 + x_1) (2 y_0 + y_1) + (x_1 + 2 x_2) (y_1 + 2 y_2) - 2 (x_2 - x_0) (y_2 - y_0).

Divided by twice as much it is what was asked for. (For x y itself, modulo a power of two, no three products
will do.) That is ours; Araki et al., CCS 2016, multiply twice.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mdl.mpc import adders
from mdl.mpc.engine import Bilinear, Rounding, summed
from mdl.mpc.keystream import Keystream
from mdl.mpc.rep3 import steps
from mdl.mpc.rep3.seats import WHOLE, Into, Pair, Seat, seats_of, thirds
from mdl.mpc.ring import RING_63, WORD_BITS, Ring
from mdl.mpc.rounds import Exchange, Protocol, Wanted, Words, swapped, together
from mdl.mpc.secret import Bits, Mix, Secret
from mdl.party import PartyId

_UNITS: tuple[tuple[int, int], ...] = ((1, 0), (0, 0), (0, 1))
"""By party, where a public number goes: it is component 0, which parties 0 and 2 hold."""


def _mix_of_0(first: Tensor, second: Tensor) -> Tensor:
    return torch.add(second, first, alpha=2)


def _mix_of_1(first: Tensor, second: Tensor) -> Tensor:
    return torch.add(first, second, alpha=2)


_MIXES: tuple[Mix, Mix, Mix] = (_mix_of_0, _mix_of_1, torch.sub)
"""By party, what it multiplies of a factor."""

_WEIGHTS: tuple[int, int, int] = (1, 1, -2)
"""By party, what of its product is a summand of twice the result."""


class Rep3:
    """One party's side; see `mdl.mpc.engine.Engine`.

    Args:
        party: 0, 1 or 2.
        mine: the key of this party's own component, which the party before has too.
        following: the key of the next component, which the party after has too.
        common: a key that all three have.
        rounding: of quotients.
        ring: that secrets are in.
    """

    holders: Final = 3

    def __init__(
        self,
        party: PartyId,
        mine: bytes,
        following: bytes,
        common: bytes,
        rounding: Rounding = "probabilistic",
        ring: Ring = RING_63,
    ) -> None:
        assert ring.word_bits < WORD_BITS, "twice a secret must fit a word"
        self.party = party
        self._before, self._after = (party + 2) % 3, (party + 1) % 3
        self._mine, self._next, self._common = Keystream(mine), Keystream(following), Keystream(common)
        self._seats = seats_of(party, self._mine, self._next, ring)
        self._units, self._mix, self._weight = _UNITS[party], _MIXES[party], _WEIGHTS[party]
        self._rounding, self._ring = rounding, ring

    # -------------------------------------------------------------------------------------- in and out

    def public(self, values: Tensor) -> Secret:
        """See `Engine`."""
        return Secret((torch.zeros_like(values), torch.zeros_like(values)), self._units) + values

    async def share(self, owner: PartyId, values: Tensor | None, shape: torch.Size) -> Secret:
        """See `Engine`: (F, w - F, 0) from the owner's component on; one message, to the party after it."""
        nothing = torch.zeros(shape, dtype=torch.int64)
        if self.party == owner:
            assert values is not None
            mask = self._mine.draw(shape)
            rest = values - mask
            await Exchange([(self._after, rest)])
            return Secret((mask, rest), self._units)
        if self.party == (owner + 1) % 3:
            (rest,) = await Exchange((), [Wanted(owner, shape, torch.int64)])
            return Secret((rest, nothing), self._units)
        mask = self._next.draw(shape)
        await Exchange()
        return Secret((nothing, mask), self._units)

    async def check(self) -> None:
        """See `Engine`: parties are trusted to follow the protocol."""

    async def resumed(self, secrets: Sequence[Secret]) -> Sequence[Secret]:
        """See `Engine`: shares are bound to no key."""
        return secrets

    async def open(self, secret: Secret) -> Tensor:
        """See `Engine`."""
        mine, following = secret.parts
        # The component that the party after lacks is this party's own.
        sent = self._ring.reduced(mine)
        (lacking,) = await Exchange([(self._after, sent)], [Wanted(self._before, mine.shape, mine.dtype)])
        return self._ring.signed(mine + following + lacking)

    async def open_to(self, receiver: PartyId, secret: Secret) -> Tensor | None:
        """See `Engine`: the party before the receiver has what it lacks."""
        mine, following = secret.parts
        if self.party == receiver:
            (lacking,) = await Exchange((), [Wanted(self._before, mine.shape, mine.dtype)])
            return self._ring.signed(mine + following + lacking)
        await Exchange([(receiver, self._ring.reduced(mine))] if self._after == receiver else [])
        return None

    async def random_bits(self, shape: torch.Size) -> Bits:
        """See `Engine`: of each component both holders draw the same coins; no message."""
        mine, following = (each.draw(shape, torch.uint8) & 1 for each in (self._mine, self._next))
        return Bits((mine, following), self._units)

    # -------------------------------------------------------------------------------------- products

    async def product(
        self, bilinear: Bilinear, one: Secret, two: Secret, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        (x, after_x), (y, after_y) = one.parts, two.parts
        found = summed(bilinear, (x, y + after_y), (after_x, y))
        own: Words = found.numpy()  # the same memory
        # This party's summand of zero hides what it is added to, but from the sum of all.
        own += self._mine.draw_array(own.shape, own.dtype)
        own -= self._next.draw_array(own.shape, own.dtype)
        if plus is not None:
            plus.add_part(0, found)
        (others,) = await swapped([(self._before, own)], [Wanted(self._after, own.shape, own.dtype)])
        return Secret((found, torch.from_numpy(others)), self._units)

    async def scaled_product(
        self, bilinear: Bilinear, one: Secret, two: Secret, drop: int, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        if self._rounding == "nearest":
            return await self.truncate(await self.product(bilinear, one, two, plus=plus), drop)
        twice = bilinear(one.mixed(self._mix), two.mixed(self._mix))
        if self._weight != 1:
            twice.mul_(self._weight)
        if plus is not None:
            plus.add_part(0, twice, times=2)

        async def third(seat: Seat, part: Words, *, into: Into) -> Pair:
            return await steps.truncated(seat, seat.masked(part), drop, additive=True, into=into)

        return await self._by_thirds(third, twice)

    async def truncate(self, secret: Secret, drop: int) -> Secret:
        """See `Engine`."""
        if self._rounding == "nearest":
            return await self._truncated_to_the_nearest(secret, drop)

        async def third(seat: Seat, mine: Words, following: Words, *, into: Into) -> Pair:
            twice = steps.known(seat, (mine, following)) << 1
            # Rounding is unbiased if b is uniform, which it need not be: of a fresh input it is zero.
            moved = self._common.draw_array(mine.shape, mine.dtype)
            if seat.role == "alone":
                twice -= moved
            else:
                twice += moved
            return await steps.truncated(seat, twice, drop, into=into)

        return await self._by_thirds(third, *secret.parts)

    async def _truncated_to_the_nearest(self, secret: Secret, drop: int) -> Secret:
        bits = self._ring.compared_bits

        async def generated(seat: Seat, mine: Words, following: Words) -> tuple[Pair, Pair]:
            part = steps.known(seat, (mine, following))
            low = part + (1 << drop - 1) if seat.role == "alone" else part
            word: Words = (low << bits - drop).astype(np.int32)
            return await steps.generated(seat, adders.ordered(word, bits))

        async def third(seat: Seat, *parts: Words, into: Into) -> Pair:
            part, digit = steps.known(seat, (parts[0], parts[1])), (parts[2], parts[3])
            carry = await steps.counted(seat, digit)
            return await steps.truncated(seat, part << 1, drop, carry=carry, into=into)

        g, p = await self._planes(generated, *secret.parts)
        carry = torch.from_numpy(await adders.carried(g, p, self._and, bits))
        return await self._by_thirds(third, *secret.parts, *carry)

    # -------------------------------------------------------------------------------------- bits

    async def negative(self, secret: Secret) -> Bits:
        """See `Engine`: the topmost bits of a and b, and the carry from those below."""
        bits = self._ring.compared_bits

        async def third(seat: Seat, mine: Words, following: Words) -> tuple[Pair, Pair]:
            word: Words = steps.known(seat, (mine, following)).astype(np.int32)
            # The topmost digit goes to the place of the lowest.
            turned = word >> bits - 1
            turned &= 1
            turned ^= word << 1
            return await steps.generated(seat, adders.ordered(turned, bits))

        g, p = await self._planes(third, *secret.parts)
        topmost = (p & 1).astype(np.uint8)
        g &= -2
        found = await adders.carried(g, p, self._and, bits)
        found ^= topmost
        return self._bits(found)

    async def bits(self, secret: Secret) -> Bits:
        """See `Engine`."""

        async def third(seat: Seat, mine: Words, following: Words) -> tuple[Pair, Pair]:
            return await steps.generated(seat, steps.known(seat, (mine, following)).astype(np.int32))

        g, p = await self._planes(third, *secret.parts)
        return self._bits(await adders.summed(g, p, self._and, self._ring.compared_bits))

    async def conjunction(self, one: Bits, two: Bits) -> Bits:
        """See `Engine`."""
        return self._bits(await self._and_of(_arrays(one), _arrays(two)))

    async def _and(self, one: Words, two: Words) -> Words:
        return await self._and_of((one[0], one[1]), (two[0], two[1]))

    async def _and_of(self, one: Pair, two: Pair) -> Words:
        """Give the components of the bitwise and, along a new first axis."""
        (x, after_x), (y, after_y) = one, two
        # The two need but fit each other in shape. Of arrays without axes NumPy makes numbers.
        own: Words = np.asarray((y ^ after_y) & x)
        own ^= after_x & y
        own ^= self._mine.draw_array(own.shape, own.dtype)
        own ^= self._next.draw_array(own.shape, own.dtype)
        (others,) = await swapped([(self._before, own)], [Wanted(self._after, own.shape, own.dtype)])
        found = np.empty((2, *own.shape), own.dtype)
        found[0], found[1] = own, others
        return found

    async def select(self, bit: Bits, secret: Secret) -> Secret:
        """See `Engine`. A second selection by the same bits sends a quarter less; so do their `integers`."""
        assert bit.shape == secret.shape
        told: dict[PartyId, Pair] = bit.kept.setdefault("told", {})  # by who is alone

        async def third(seat: Seat, *parts: Words, into: Into) -> Pair:
            x, by = (parts[0], parts[1]), (parts[2], parts[3])
            found, told[seat.alone] = await steps.selected(seat, x, by, told.get(seat.alone), into=into)
            return found

        return await self._by_thirds(third, *secret.parts, *bit.parts)

    async def integers(self, bit: Bits) -> Secret:
        """See `Engine`."""
        told: dict[PartyId, Pair] = bit.kept.get("told", {})

        async def third(seat: Seat, mine: Words, following: Words, *, into: Into) -> Pair:
            return await steps.counted(seat, (mine, following), told.get(seat.alone), into=into)

        return await self._by_thirds(third, *bit.parts)

    # -------------------------------------------------------------------------------------- roles

    async def _by_thirds(self, step: Callable[..., Protocol[Pair]], *tensors: Tensor) -> Secret:
        """Run a step that gives a secret, over the thirds of vectors at once, each with another one alone."""
        flat = [tensor.numpy().reshape(-1) for tensor in tensors]
        cuts = thirds(flat[0].size)
        if len(cuts) == 1:
            one, two = await step(self._seats[0], *flat, into=None)
        else:
            one, two = (np.empty(flat[0].shape, WHOLE) for _ in range(2))
            into = [(one[cut], two[cut]) for cut in cuts]
            parts = [
                step(seat, *(each[cut] for each in flat), into=room)
                for seat, cut, room in zip(self._seats, cuts, into, strict=False)
            ]
            for room, found in zip(into, await together(*parts), strict=True):
                assert found[0] is room[0], "the step has not written where it was told"
        mine, following = (torch.from_numpy(each.reshape(tensors[0].shape)) for each in (one, two))
        return Secret((mine, following), self._units)

    async def _planes(
        self, step: Callable[..., Protocol[tuple[Pair, Pair]]], *tensors: Tensor
    ) -> tuple[Words, Words]:
        """Run a step that begins an addition in binary: the components of g and of p, on a first axis."""
        flat = [tensor.numpy().reshape(-1) for tensor in tensors]
        cuts = thirds(flat[0].size)
        parts = [
            step(seat, *(each[cut] for each in flat)) for seat, cut in zip(self._seats, cuts, strict=False)
        ]
        rows = np.empty((4, flat[0].size), np.int32)
        for cut, (g, p) in zip(cuts, await together(*parts), strict=True):
            for row, plane in zip(rows, (*g, *p), strict=True):
                row[cut] = plane
        planes = rows.reshape(2, 2, *tensors[0].shape)
        return planes[0], planes[1]

    def _bits(self, parts: Words) -> Bits:
        return Bits((torch.from_numpy(parts[0, ...]), torch.from_numpy(parts[1, ...])), self._units)


def _arrays(bits: Bits) -> Pair:
    mine, following = bits.parts
    return mine.numpy(), following.numpy()


def dealt(
    keys: Sequence[bytes], common: bytes, rounding: Rounding = "probabilistic", ring: Ring = RING_63
) -> tuple[Rep3, Rep3, Rep3]:
    """Give all three parties' engines, from the components' keys and the common one."""
    one, two, three = (
        Rep3(party, keys[party], keys[(party + 1) % 3], common, rounding, ring) for party in range(3)
    )
    return one, two, three
