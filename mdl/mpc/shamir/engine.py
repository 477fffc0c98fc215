"""The engine of n parties with Shamir's shares."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mdl.mpc import wide
from mdl.mpc.engine import Bilinear, Rounding, multiply
from mdl.mpc.residues import FIELD_127, Residues
from mdl.mpc.ring import RING_64, Ring
from mdl.mpc.rounds import Exchange, together
from mdl.mpc.secret import Bits, Secret, of_wide, stacked, wide_parts
from mdl.mpc.shamir.circle import Circle, Streams
from mdl.mpc.shamir.fields import Binary, Prime
from mdl.mpc.shamir.masks import Maker
from mdl.mpc.shamir.sharing import Sharing
from mdl.mpc.shamir.sums import Sum, compressed, with_public
from mdl.mpc.wide import Wide
from mdl.party import PartyId

_UNITS = (1,)


class Shamir:
    """One party's side; see `mdl.mpc.engine.Engine`.

    Integers are right as long as they, and those of which they are the quotients, are below 2^126 in absolute
    value; `open` gives them modulo 2^64.

    Signs, digits and quotients are found from x + R, which is opened, with a mask R that hides it but
    statistically: two values of x that differ by D are told apart with a probability of at most D 2^-125
    (from seven parties on D 2^-124, of fifteen D 2^-123). That is 2^-77 (2^-76) for quotients of numbers
    within ±2^47; up to ±2^61 quotients are right, and less is hidden. Over all that is opened these
    probabilities add up: a step of training opens from some 10^5 to 10^7 such values.

    Args:
        party: this one.
        holders: how many there are, 3 to 15.
        streams: its keystreams.
        rounding: of quotients.
        residues: modulo a prime, in which integers are shared.
        ring: of integers, as they are opened.
    """

    def __init__(
        self,
        party: PartyId,
        holders: int,
        streams: Streams,
        rounding: Rounding = "probabilistic",
        *,
        residues: Residues = FIELD_127,
        ring: Ring = RING_64,
    ) -> None:
        self.party, self.holders, self._rounding = party, holders, rounding
        self._residues, self._ring = residues, ring
        circle = Circle(party, holders)
        self._field = Binary(holders.bit_length())
        self._prime = Sharing(circle, Prime(residues), streams)
        self._binary = Sharing(circle, self._field, streams)
        self._maker = Maker(circle, self._prime, self._binary, streams.own, residues, ring)
        self._bit_units = (1, *(0 for _ in range(1, self._field.degree)))

    # -------------------------------------------------------------------------------------- in and out

    def public(self, values: Tensor) -> Secret:
        """See `Engine`: a constant polynomial."""
        return of_wide([Wide.of(values, self._residues)], _UNITS)

    async def share(self, owner: PartyId, values: Tensor | None, shape: torch.Size) -> Secret:
        """See `Engine`."""
        given = torch.zeros(0, dtype=torch.int64) if values is None else values.reshape(-1)
        hand = self._prime.hand([owner], Wide.of(given, self._residues), shape.numel())
        (share,) = hand.shares(await Exchange(hand.sends, hand.wants))
        return _secret(share, shape)

    async def check(self) -> None:
        """See `Engine`: parties are trusted to follow the protocol."""

    async def resumed(self, secrets: Sequence[Secret]) -> Sequence[Secret]:
        """See `Engine`: shares are bound to no key."""
        return secrets

    async def open(self, secret: Secret) -> Tensor:
        """See `Engine`."""
        return (await self._prime.opened(_flat(secret))).signed().reshape(secret.shape)

    async def open_to(self, receiver: PartyId, secret: Secret) -> Tensor | None:
        """See `Engine`."""
        found = await self._prime.opened_to(receiver, _flat(secret))
        return None if found is None else found.signed().reshape(secret.shape)

    async def random_bits(self, shape: torch.Size) -> Bits:
        """See `Engine`."""
        _, parity = await self._maker.bits(shape.numel())
        return self._bits(parity, shape)

    # -------------------------------------------------------------------------------------- products

    async def product(
        self, bilinear: Bilinear, one: Secret, two: Secret, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        (x,), (y,) = wide_parts(one), wide_parts(two)
        own = x * y if bilinear is multiply else wide.bilinear(bilinear, x, y)
        found = _secret(await self._prime.reduced(own.reshape(-1)), own.shape)
        return found if plus is None else found + plus

    async def scaled_product(
        self, bilinear: Bilinear, one: Secret, two: Secret, drop: int, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        return await self.truncate(await self.product(bilinear, one, two, plus=plus), drop)

    async def truncate(self, secret: Secret, drop: int) -> Secret:
        """See `Engine`.

        With c = x + R, the quotient of c is the sum of those of x and of the dealers' summands, and of what
        the dropped digits carry. To the nearest, that is what the dealers' digits carry together with the
        complement of those of c. At random, it is what the dealers' digits carry alone: x is rounded up if
        its digits and the sum of theirs, which is uniform, carry.
        """
        nearest = self._rounding == "nearest"
        x = _flat(secret) + (self._ring.truncated_limit + (1 << drop - 1 if nearest else 0))
        mask = await self._maker.mask(x.shape[0], drop, divided=True)
        summing = compressed(mask.words, self._and, self._ring.compared_bits)
        opened, summed = await together(self._prime.opened(x + mask.whole), summing)
        total: Sum = summed
        low, high = opened.words()
        if nearest:
            rest = (1 << drop) - 1 - (low & (1 << drop) - 1)
            word = (rest << self._ring.compared_bits - drop).to(torch.int32)
            total = total.plus_public(await self._and(total.one, total.two), word)
        carried = await total.carried(self._and)
        carries = wide_parts((await self.integers(self._bits(carried, carried.shape[1:]))).sum(0))[0]
        above = low >> drop & (1 << 64 - drop) - 1 | high << 64 - drop
        quotient = Wide(self._residues.of_words(above, high >> drop), self._residues)
        found = quotient - mask.quotient - carries - (self._ring.truncated_limit >> drop)
        return _secret(found, secret.shape)

    # -------------------------------------------------------------------------------------- bits

    async def negative(self, secret: Secret) -> Bits:
        """See `Engine`."""
        total = await self._added(secret)
        return self._bits(await total.topmost(self._and), secret.shape)

    async def bits(self, secret: Secret) -> Bits:
        """See `Engine`."""
        total = await self._added(secret)
        return self._bits(await total.whole(self._and), secret.shape)

    async def _added(self, secret: Secret) -> Sum:
        """Give two words whose sum has the 32 lowest digits of x = c - R: of c + sum of (~r_i + 1)."""
        x = _flat(secret) + self._ring.truncated_limit
        mask = await self._maker.mask(x.shape[0], self._ring.compared_bits, divided=False)
        words = [with_public(word, -1) for word in mask.words]
        opened, prepared = await together(self._prime.opened(x + mask.whole), self._generated(words))
        total: Sum = prepared[0]
        low, _ = opened.words()
        return total.plus_public(prepared[1], (low + len(words)).to(torch.int32))

    async def _generated(self, words: Sequence[Tensor]) -> tuple[Sum, Tensor]:
        """Bring the sum of several words down to two, and give their and."""
        total = await compressed(words, self._and, self._ring.compared_bits)
        return total, await self._and(total.one, total.two)

    async def conjunction(self, one: Bits, two: Bits) -> Bits:
        """See `Engine`."""
        return self._bits(await self._and(_planes(one), _planes(two)), one.shape)

    async def _and(self, one: Tensor, two: Tensor) -> Tensor:
        """Give the bitwise and of words, the planes of their shares first."""
        own = self._field.times(one, two)
        return (await self._binary.reduced(own.reshape(own.shape[0], -1))).reshape(own.shape)

    async def select(self, bit: Bits, secret: Secret) -> Secret:
        """See `Engine`. A second selection by the same bits need not make integers of them again."""
        assert bit.shape == secret.shape
        if "integers" not in bit.kept:
            bit.kept["integers"] = await self.integers(bit)
        return await self.product(multiply, bit.kept["integers"], secret)

    async def integers(self, bit: Bits) -> Secret:
        """See `Engine`: random bits, known as integers too, hide those that are opened."""
        shape = bit.shape
        numbers, parity = await self._maker.bits(shape.numel())
        opened, number = await together(
            self._binary.opened(_planes(bit) ^ parity),
            self._parity([_secret(each, shape) for each in numbers]),
        )
        public = (opened[0] & 1).to(torch.int64).reshape(shape)
        found: Secret = number * (1 - 2 * public) + public
        return found

    async def _parity(self, bits: list[Secret]) -> Secret:
        """Give the exclusive or of integers 0 and 1, in a tree: a + b - 2 a b."""
        while len(bits) > 1:
            half = len(bits) // 2
            one, two = stacked(bits[:half]), stacked(bits[half : 2 * half])
            merged = one + two - await self.product(multiply, one, two) * 2
            bits = [*(merged[index] for index in range(half)), *bits[2 * half :]]
        return bits[0]

    def _bits(self, planes: Tensor, shape: torch.Size) -> Bits:
        return Bits(tuple(plane.reshape(shape) for plane in planes), self._bit_units)


def _secret(flat: Wide, shape: torch.Size) -> Secret:
    return of_wide([flat.reshape(*shape)], _UNITS)


def _flat(secret: Secret) -> Wide:
    return wide_parts(secret)[0].reshape(-1)


def _planes(bits: Bits) -> Tensor:
    return torch.stack([part.reshape(-1) for part in bits.parts])
