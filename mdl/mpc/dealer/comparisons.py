"""Signs and binary digits of masked numbers; holders and the dealer do the same.

x = x' - λ, where holders know x' and the dealer knows λ. A digit of x is that of x' xor that of λ xor a
borrow: there is one if what is below the digit in x' is less than what is below it in λ.
"""

from functools import cache
from typing import Protocol

import torch

from mdl.mpc.ring import RING_64, Ring
from mdl.mpc.rounds import Protocol as Run
from mdl.mpc.secret import Bits, Secret, stacked_bits


@cache
def order(digits: int) -> tuple[int, ...]:
    """Say where a digit's bit is in a word of so many, a power of two: the bits of its place are reversed.

    So what is merged first are a word's upper and lower half.
    """
    if digits == 1:
        return (0,)
    lower = order(digits // 2)
    return tuple(place + half for place in lower for half in (0, digits // 2))


class Gates(Protocol):
    """Operations of one opening each, and the comparisons that are made of them.

    Attributes:
        ring: of the secrets.
    """

    ring: Ring = RING_64

    def looked_up(self, secret: Secret, places: int, *, signed: bool) -> Run[tuple[Bits, Bits]]:
        """Compare x' and λ by digits of four bits, in their `places` lowest bits.

        Returns:
            Two words, uint8, of a bit for each digit, in `order`: whether it borrows from the next one by
            itself, and whether it does so if it is borrowed from. If `signed` the topmost digit's bits are:
            the sign if it is not borrowed from, and whether it changes if it is.
        """

    def generated(self, secret: Secret) -> Run[tuple[Bits, Bits]]:
        """Compare x' and λ bit by bit; words of 32 bits, as in `looked_up`."""

    def conjunction(self, one: Bits, two: Bits) -> Run[Bits]:
        """See `mdl.mpc.engine.Engine`."""

    def integers(self, bit: Bits) -> Run[Secret]:
        """See `mdl.mpc.engine.Engine`."""

    async def negative(self, secret: Secret) -> Bits:
        """Tell which are negative: four rounds."""
        return await _merged(self, *await self.looked_up(secret, self.ring.compared_bits, signed=True))

    async def borrow(self, secret: Secret, places: int) -> Secret:
        """Give one where the `places` lowest bits of x' are less than those of λ, else zero: five rounds."""
        found = await _merged(self, *await self.looked_up(secret, places, signed=False))
        return await self.integers(found)

    async def bits(self, secret: Secret) -> Bits:
        """Give the 32 lowest binary digits, int32: six rounds.

        What (g, p) tell of a place they tell of twice as many places down from it, each time (Kogge and
        Stone).
        """
        g, p = await self.generated(secret)
        equal, distance, half = p, 1, self.ring.compared_bits // 2
        while distance < half:
            below = stacked_bits([g.shifted(distance), p.shifted(distance)])
            found = await self.conjunction(stacked_bits([p, p]), below)
            g, p, distance = g ^ found[0], found[1], 2 * distance
        borrows = g ^ await self.conjunction(p, g.shifted(half))
        return equal ^ borrows.shifted(1) ^ -1


async def _merged(gates: Gates, g: Bits, p: Bits) -> Bits:
    """Give the outcome of all digits: (g, p) and (g', p') below it merge to (g xor p g', p p'), in a tree."""
    half = gates.ring.digits // 2
    while half > 1:
        reach, below = _upper(p, half), _joined(_lower(g, half), _lower(p, half), half)
        product = await gates.conjunction(_joined(reach, reach, half), below)
        g, p = _upper(g, half) ^ _lower(product, half), _upper(product, half)
        half //= 2
    return _upper(g, 1) ^ _lower(await gates.conjunction(_upper(p, 1), _lower(g, 1)), 1)


def _joined(low: Bits, high: Bits, half: int) -> Bits:
    return low ^ high.map(lambda part: part << half)


def _upper(bits: Bits, half: int) -> Bits:
    return bits.map(lambda part: part >> half & (1 << half) - 1)


def _lower(bits: Bits, half: int) -> Bits:
    return bits.map(lambda part: part & (1 << half) - 1)


def packed(found: torch.Tensor) -> torch.Tensor:
    """Put digits' bits, shape (digits, ...), into words of so many, uint8."""
    words = torch.zeros(found.shape[1:], dtype=torch.uint8)
    for place, bit in zip(order(len(found)), found.to(torch.uint8), strict=True):
        words |= bit << place
    return words
