"""Products of numbers, and their verification by post-sacrifice.

[EKPSSS19] H. Eerikson, M. Keller, C. Orlandi, P. Pullonen, J. Puura, M. Simkin, Use your brain! Arithmetic 3PC
for any modulus with active security, ITC 2020 (2019/164).

Components are modulo 2^64. Read as integers modulo 2^104 they share a + 2^64 k of a secret a, and products are
made of those, modulo 2^104. Whatever a party does, a product c = f(a, b) + d comes out, with an error d that
it knows; the lowest 64 bits of c are all that is computed with.

To verify them, with random numbers x that nobody knows, parties make z = f(x, b) + e, by the same protocol and
with an error too. Then they toss r in [-2^39, 2^39), open rho = r a + x, and compute f(rho, b) - r c - z,
which is -(r d + e). It must be zero: of 2^40 integers r at most one makes it so if d is not a multiple of
2^64, because r is unique modulo 2^(104 - v) with v < 64 the number of zeros at the end of d. That holds for
each entry of each product, and whoever falsifies some must have luck with all: so one r does for all.
Of a and b, either can be the masked one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from mdl.mpc import wide
from mdl.mpc.engine import Bilinear, Composed, multiply
from mdl.mpc.residues import RING_104
from mdl.mpc.rep3_malicious.member import Member, Pair, WidePair
from mdl.mpc.wide import Wide

SOUNDNESS_BITS: Final = 40
"""Of 2^40 values of r, one at most hides an error."""

_NUMBER_BYTES: Final = 8
_WIDE_BYTES: Final = 24


@dataclass(frozen=True)
class Product:
    """A product that was made.

    Attributes:
        bilinear: the map.
        one: what the party holds of the first factor.
        two: of the second one.
        found: of the product, modulo 2^104.
    """

    bilinear: Bilinear
    one: Pair
    two: Pair
    found: WidePair

    @property
    def size_bytes(self) -> int:
        """What it takes to remember it."""
        factors = self.one[0].numel() + self.two[0].numel()
        return 2 * (factors * _NUMBER_BYTES + self.found[0].shape.numel() * _WIDE_BYTES)

    @property
    def masked(self) -> Pair:
        """The smaller factor."""
        return self.one if self._masks_one else self.two

    @property
    def other(self) -> Pair:
        """The larger one."""
        return self.two if self._masks_one else self.one

    @property
    def _masks_one(self) -> bool:
        return self.one[0].numel() <= self.two[0].numel()

    def of(self, masked: Wide, other: Wide) -> Wide:
        """Take these in the place of the factors."""
        return _applied(self.bilinear, *((masked, other) if self._masks_one else (other, masked)))


class Products:
    """One party's side of products.

    Args:
        member: the party.

    Attributes:
        size_bytes: of what is to be verified.
    """

    def __init__(self, member: Member) -> None:
        self._member = member
        self._made: list[Product] = []
        self.size_bytes = 0

    async def of(self, bilinear: Bilinear, one: Pair, two: Pair) -> Pair:
        """Multiply, and remember it: one round, 13 bytes for each entry."""
        (a, after_a), (b, after_b) = _widened(one), _widened(two)
        own = _applied(bilinear, a, b + after_b) + _applied(bilinear, after_a, b)
        (found,) = await self._shared([own])
        product = Product(bilinear, one, two, found)
        self._made.append(product)
        self.size_bytes += product.size_bytes
        return found[0].signed(), found[1].signed()

    async def verified(self) -> None:
        """Verify all that was made since the last time: four rounds, or none if there is nothing.

        Raises:
            CheatingDetected: a product is wrong.
        """
        if not self._made:
            return
        made, self._made, self.size_bytes = self._made, [], 0
        member = self._member
        masks = [member.drawn_wide(product.masked[0].shape) for product in made]
        others = [_widened(product.other) for product in made]
        sacrificed = await self._shared(
            [
                product.of(x, b + after_b) + product.of(after_x, b)
                for product, (x, after_x), (b, after_b) in zip(made, masks, others, strict=True)
            ]
        )
        coins = await member.coins()
        factor = int(coins.draw(torch.Size([1])) >> 64 - SOUNDNESS_BITS)
        masked = [
            (_widened(product.masked)[0] * factor + x, _widened(product.masked)[1] * factor + after_x)
            for product, (x, after_x) in zip(made, masks, strict=True)
        ]
        lacking = await member.lacking([(one.packed(), two.packed()) for one, two in masked])
        rests = []
        for product, other, z, (mine, following), data in zip(
            made, others, sacrificed, masked, lacking, strict=True
        ):
            opened = mine + following + Wide.unpacked(data, RING_104)
            one, two = (
                product.of(opened, b) - c * factor - e
                for b, c, e in zip(other, product.found, z, strict=True)
            )
            rests.append((one.packed(), two.packed(), (-(one + two)).packed()))
        await member.compare_zeros(rests)

    async def _shared(self, own: Sequence[Wide]) -> list[WidePair]:
        """Mask summands of secrets by shares of zero, and share these: one round."""
        masked = []
        for each in own:
            mine, following = self._member.drawn_wide(each.shape)
            masked.append(each + mine - following)
        received = await self._member.passed(*(each.packed() for each in masked))
        return [(each, Wide.unpacked(data, RING_104)) for each, data in zip(masked, received, strict=True)]


def _widened(held: Pair) -> WidePair:
    """Read components as integers."""
    return Wide.of(held[0], RING_104), Wide.of(held[1], RING_104)


def _applied(bilinear: Bilinear, one: Wide, two: Wide) -> Wide:
    if bilinear is multiply:
        return one * two
    if isinstance(bilinear, Composed):
        return wide.bilinear(bilinear.product, one, two).map(bilinear.then)
    return wide.bilinear(bilinear, one, two)
