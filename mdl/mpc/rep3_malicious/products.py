"""Products of numbers, and their verification by post-sacrifice.

[EKO+20] H. Eerikson, M. Keller, C. Orlandi, P. Pullonen, J. Puura, M. Simkin, Use your brain! Arithmetic 3PC
for any modulus with active security, ITC 2020.

Components are modulo 2^64. Read as integers modulo 2^104 they share a + 2^64 k of a secret a, and products
are made of those, modulo 2^104. Whatever a party does, a product c = f(a, b) + d comes out, with an error d
that it knows; the lowest 64 bits of c are all that is computed with.

To verify them, with random numbers x that nobody knows, parties make z = f(x, b) + e, by the same protocol
and with an error too. Then they toss r in [-2^39, 2^39), open rho = r a + x, and compute f(rho, b) - r c - z,
which is -(r d + e). It must be zero: of 2^40 integers r at most one makes it so if d is not a multiple of
2^64, because r is unique modulo 2^(104 - v) with v < 64 the number of zeros at the end of d. That holds for
each entry of each product, and whoever falsifies some must have luck with all: so one r does for all. Of a
and b, either can be the masked one.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

import torch

from mdl.mpc import wide
from mdl.mpc.engine import Bilinear, Composed, multiply
from mdl.mpc.rep3_malicious.member import Member, Pair
from mdl.mpc.rep3_malicious.sharing import ALL, Components, Held, Sharing, WidePair, joined
from mdl.mpc.residues import RING_104
from mdl.mpc.wide import Wide

SOUNDNESS_BITS: Final = 40
"""Of 2^40 values of r, one at most hides an error."""

_NUMBER_BYTES: Final = 8
_WIDE_BYTES: Final = 24


@dataclass(frozen=True)
class Factor:
    """A factor of a product.

    Attributes:
        held: what the party holds of it.
        components: all others are zero.
    """

    held: Pair
    components: Components = ALL

    @property
    def widened(self) -> Held:
        """Read components as integers."""
        mine, following = (Wide.of(part, RING_104) for part in self.held)
        return (mine, following), self.components


@dataclass(frozen=True)
class Product:
    """A product that was made.

    Attributes:
        bilinear: the map.
        one: the first factor.
        two: the second one.
        found: what the party holds of the product, modulo 2^104.
    """

    bilinear: Bilinear
    one: Factor
    two: Factor
    found: WidePair

    @property
    def size_bytes(self) -> int:
        """What it takes to remember it."""
        factors = sum(each.held[0].numel() for each in (self.one, self.two))
        return 2 * (factors * _NUMBER_BYTES + self.found[0].shape.numel() * _WIDE_BYTES)

    @property
    def masked(self) -> Factor:
        """The smaller factor, and of two alike that with fewer components."""
        return self.one if self._masks_one else self.two

    @property
    def other(self) -> Factor:
        """The larger one."""
        return self.two if self._masks_one else self.one

    @property
    def _masks_one(self) -> bool:
        one, two = ((each.held[0].numel(), len(each.components)) for each in (self.one, self.two))
        return one <= two

    def of(self, masked: Wide, other: Wide) -> Wide:
        """Take these in the place of the factors."""
        one, two = (masked, other) if self._masks_one else (other, masked)
        return _applied(self.bilinear, one, two)


class Products:
    """One party's side of products.

    Args:
        member: the party.

    Attributes:
        size_bytes: of what is to be verified.
    """

    def __init__(self, member: Member) -> None:
        self._member = member
        self._sharing = Sharing(member)
        self._made: list[Product] = []
        self.size_bytes = 0

    async def of(self, bilinear: Bilinear, one: Factor, two: Factor) -> Pair:
        """Multiply, and remember it: one round, 13 bytes for each entry from each that speaks (`Sharing`).

        Where a factor lacks components, the product is one of entries.
        """
        summand = self._sharing.summand(partial(_applied, bilinear), one.widened, two.widened)
        (found,) = await self._sharing.shared([summand])
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
        sharing = self._sharing
        masks = [
            (sharing.drawn(each.held[0].shape, each.components), each.components)
            for each in (product.masked for product in made)
        ]
        others = [product.other.widened for product in made]
        sacrificed = await sharing.shared(
            [
                sharing.summand(product.of, mask, other)
                for product, mask, other in zip(made, masks, others, strict=True)
            ]
        )
        coins = await self._member.coins()
        factor = int(coins.draw(torch.Size([1])) >> 64 - SOUNDNESS_BITS)
        opened = await sharing.opened(
            [_masked(product.masked, mask, factor) for product, (mask, _) in zip(made, masks, strict=True)]
        )
        rests = [
            _rest(product, other, z, rho, factor)
            for product, (other, _), z, rho in zip(made, others, sacrificed, opened, strict=True)
        ]
        mine, following = (joined(column) for column in zip(*rests, strict=True))
        await self._member.compare_zeros(mine.packed(), following.packed(), (-(mine + following)).packed())


def _masked(factor: Factor, mask: WidePair, r: int) -> Held:
    """Give what the party holds of r a + x."""
    (mine, following), components = factor.widened
    return (mine * r + mask[0], following * r + mask[1]), components


def _rest(product: Product, other: WidePair, sacrificed: WidePair, opened: Wide, factor: int) -> WidePair:
    """Give what the party holds of f(rho, b) - r c - z."""
    mine, following = (
        product.of(opened, b) - c * factor - z
        for b, c, z in zip(other, product.found, sacrificed, strict=True)
    )
    return mine, following


def _applied(bilinear: Bilinear, one: Wide, two: Wide) -> Wide:
    if bilinear is multiply:
        return one * two
    if isinstance(bilinear, Composed):
        return wide.bilinear(bilinear.product, one, two).map(bilinear.then)
    return wide.bilinear(bilinear, one, two)
