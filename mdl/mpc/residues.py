"""Arithmetic modulo 2^104 and modulo 2^89 - 1 on limbs: int64 tensors, each a digit of a number in a radix.

A bilinear map of numbers is a few bilinear maps of limbs, in torch's own int64. Sums of products of limbs may
wrap modulo 2^64 on the way: only the digits that come out must fit 63 bits. So Karatsuba's identity may be
used freely, and radices leave room for inner sums of 2^17 products.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import torch
from torch import Tensor

from mdl.errors import MdlError
from mdl.mpc.keystream import Keystream

Limbs: TypeAlias = tuple[Tensor, ...]
"""The lowest digit first, all of the same shape."""

FACTOR_BITS: Final = 39
"""Limbs of numbers may be multiplied by integers up to 2^39 in absolute value before they are carried."""

INNER_LIMIT: Final = 1 << 17
"""A bilinear map adds up at most so many products for an entry of its result."""


class Residues(Protocol):
    """Integers modulo a number, as limbs. Operations start from limbs that are `carried`, and so end."""

    def __hash__(self) -> int: ...

    @property
    def modulus(self) -> int:
        """The number."""

    @property
    def size_bytes(self) -> int:
        """The length of one integer on the wire."""

    def split(self, values: Tensor) -> Limbs:
        """Give the limbs of int64 integers, carried."""

    def carried(self, limbs: Limbs) -> Limbs:
        """Carry limbs below 2^62 in absolute value."""

    def settled(self, limbs: Limbs) -> Limbs:
        """Carry limbs that are sums or differences of two carried ones."""

    def times(self, one: Limbs, two: Limbs) -> Limbs:
        """Multiply entries of carried limbs; carried. Shapes broadcast."""

    def bilinear(self, product: Callable[[Tensor, Tensor], Tensor], one: Limbs, two: Limbs) -> Limbs:
        """Apply a bilinear map of inner length up to `INNER_LIMIT` to carried limbs; carried.

        Raises:
            MdlError: it adds up more products for an entry of its result.
        """

    def words(self, limbs: Limbs) -> tuple[Tensor, Tensor]:
        """Give the residue in [0, modulus) of carried limbs: its 64 lowest bits, and those above."""

    def of_words(self, low: Tensor, high: Tensor) -> Limbs:
        """Give the limbs of a residue, from its `words`; of `high` what is too much is cut off."""

    def signed(self, limbs: Limbs) -> Tensor:
        """Give the residue of carried limbs that is nearest to zero, modulo 2^64; int64."""

    def drawn(self, stream: Keystream, shape: torch.Size) -> Limbs:
        """Draw residues that are uniform within 2^-89; carried."""


@dataclass(frozen=True)
class PowerOfTwo:
    """Integers modulo 2^k in three limbs: two digits of 22 bits, and whatever is above them.

    The highest limb stands for 2^44 and is of meaning modulo 2^(k - 44) only: that it wraps is no loss. So
    six products are enough: those of the digits, which must not wrap, and three for all that is above them.

    Attributes:
        bits: k, 64 < k <= 108.
    """

    bits: int

    @property
    def modulus(self) -> int:
        """See `Residues`."""
        return 1 << self.bits

    @property
    def size_bytes(self) -> int:
        """See `Residues`."""
        return -(-self.bits // 8)

    def split(self, values: Tensor) -> Limbs:
        """See `Residues`."""
        return values & _MASK_22, values >> 22 & _MASK_22, values >> 44

    def carried(self, limbs: Limbs) -> Limbs:
        """See `Residues`."""
        first, second, third = limbs
        second = second + (first >> 22)
        return first & _MASK_22, second & _MASK_22, third + (second >> 22)

    def settled(self, limbs: Limbs) -> Limbs:
        """See `Residues`."""
        return self.carried(limbs)

    def times(self, one: Limbs, two: Limbs) -> Limbs:
        """See `Residues`."""
        (a, b, c), (x, y, z) = one, two
        above = (a * z).addcmul_(b, y + (z << 22)).addcmul_(c, self.signed(two))
        return self.carried((a * x, (a * y).addcmul_(b, x), above))

    def bilinear(self, product: Callable[[Tensor, Tensor], Tensor], one: Limbs, two: Limbs) -> Limbs:
        """See `Residues`."""
        (a, b, c), (x, y, z) = one, two
        above = product(a, z) + product(b, y + (z << 22)) + product(c, self.signed(two))
        _refuse_long(a, x, above)
        return self.carried((product(a, x), product(a, y) + product(b, x), above))

    def words(self, limbs: Limbs) -> tuple[Tensor, Tensor]:
        """See `Residues`."""
        return self.signed(limbs), limbs[2] >> 20 & (1 << self.bits - 64) - 1

    def of_words(self, low: Tensor, high: Tensor) -> Limbs:
        """See `Residues`."""
        return low & _MASK_22, low >> 22 & _MASK_22, low >> 44 & (1 << 20) - 1 | high << 20

    def signed(self, limbs: Limbs) -> Tensor:
        """See `Residues`."""
        return limbs[0] + (limbs[1] << 22) + (limbs[2] << 44)

    def drawn(self, stream: Keystream, shape: torch.Size) -> Limbs:
        """See `Residues`: exactly uniform."""
        low, high = stream.draw(torch.Size([2, *shape]))
        return low & _MASK_22, low >> 22 & _MASK_22, high


def _refuse_long(one: Tensor, two: Tensor, product: Tensor) -> None:
    """Check how many products were added up for an entry: k, of matrices (r, k) and (k, c)."""
    inner = math.isqrt(one.numel() * two.numel() // max(1, product.numel()))
    if inner > INNER_LIMIT:
        raise MdlError(
            f"a number is the sum of {inner:,} products, and of numbers modulo 2^89 - 1 or 2^104 at most"
            f" {INNER_LIMIT:,} can be added up: with a smaller learning.batch there are fewer"
        )


_MASK_22: Final = (1 << 22) - 1
_MASK_23: Final = (1 << 23) - 1
_MASK_20: Final = (1 << 20) - 1


@dataclass(frozen=True)
class Mersenne89:
    """Integers modulo the prime 2^89 - 1 in four limbs: three digits of 23 bits, and one of 20.

    Carried limbs are in [-1, 2^23], the highest in [0, 2^20). 2^89 = 1: what is carried out of the highest
    digit goes into the lowest.
    """

    @property
    def modulus(self) -> int:
        """See `Residues`."""
        return (1 << 89) - 1

    @property
    def size_bytes(self) -> int:
        """See `Residues`."""
        return 12

    def split(self, values: Tensor) -> Limbs:
        """See `Residues`."""
        return _rippled((values & _MASK_23, values >> 23 & _MASK_23, values >> 46, torch.zeros_like(values)))

    def carried(self, limbs: Limbs) -> Limbs:
        """See `Residues`. The first time what comes round is below 2^43, the second time it is -1, 0 or 1."""
        return _rippled(_rippled(limbs))

    def settled(self, limbs: Limbs) -> Limbs:
        """See `Residues`."""
        return _rippled(limbs)

    def times(self, one: Limbs, two: Limbs) -> Limbs:
        """See `Residues`."""
        (a, b, c, d), (w, x, y, z) = one, two
        low = (
            a * w,
            (a * x).addcmul_(b, w),
            (a * y).addcmul_(b, x).addcmul_(c, w),
            (a * z).addcmul_(b, y).addcmul_(c, x).addcmul_(d, w),
        )
        high = (b * z).addcmul_(c, y).addcmul_(d, x), (c * z).addcmul_(d, y), d * z
        return self.carried(_folded(low, high))

    def bilinear(self, product: Callable[[Tensor, Tensor], Tensor], one: Limbs, two: Limbs) -> Limbs:
        """See `Residues`: nine products (Karatsuba, twice).

        With digits within ±2^22 and the highest below 2^20, a digit of the product is a sum of at most three
        times 2^44 for each of the inner products: below 2^63.
        """
        (a, b, c, d), (w, x, y, z) = _balanced(one), _balanced(two)
        low, high = _pair(product, (a, b), (w, x)), _pair(product, (c, d), (y, z))
        _refuse_long(a, w, low[0])
        both = _pair(product, (a + c, b + d), (w + y, x + z))
        mid = [both[k] - low[k] - high[k] for k in range(3)]
        digits = [low[0], low[1], low[2] + mid[0], mid[1], high[0] + mid[2], high[1], high[2]]
        for place in range(6):
            digits[place + 1] = digits[place + 1] + (digits[place] >> 23)
            digits[place] = digits[place] & _MASK_23
        return self.carried(_folded(digits[:4], digits[4:]))

    def words(self, limbs: Limbs) -> tuple[Tensor, Tensor]:
        """See `Residues`."""
        # Within [0, 2^89 - 1] then, of which the last is zero.
        a, b, c, d = _rippled(limbs)
        low, high = a + (b << 23) + (c << 46), (c >> 18) + (d << 5)
        rest = ((low != -1) | (high != (1 << 25) - 1)).to(torch.int64)
        return low * rest, high * rest

    def of_words(self, low: Tensor, high: Tensor) -> Limbs:
        """See `Residues`."""
        third = low >> 46 & (1 << 18) - 1 | (high & 31) << 18
        return low & _MASK_23, low >> 23 & _MASK_23, third, high >> 5 & _MASK_20

    def signed(self, limbs: Limbs) -> Tensor:
        """See `Residues`."""
        low, high = self.words(limbs)
        # Of 2^89 - 1, which is to be subtracted from the upper half, the lowest 64 bits are those of -1.
        return low + (high >> 24)

    def drawn(self, stream: Keystream, shape: torch.Size) -> Limbs:
        """See `Residues`: 89 bits, where zero comes twice as often as any other."""
        a, b, c, d = stream.draw(torch.Size([4, *shape]), torch.int32).to(torch.int64)
        return a & _MASK_23, b & _MASK_23, c & _MASK_23, d & _MASK_20


def _rippled(limbs: Sequence[Tensor]) -> Limbs:
    """Carry from each limb into the next, and from the highest into the lowest."""
    a, b, c, d = limbs
    b = b + (a >> 23)
    c = c + (b >> 23)
    d = d + (c >> 23)
    return (a & _MASK_23).add_(d >> 20), b & _MASK_23, c & _MASK_23, d & _MASK_20


def _balanced(limbs: Limbs) -> Limbs:
    """Bring the three lower digits into [-2^22, 2^22]."""
    a, b, c, d = limbs
    a = a + (1 << 22)
    b = b + (1 << 22) + (a >> 23)
    c = c + (1 << 22) + (b >> 23)
    return *((each & _MASK_23).sub_(1 << 22) for each in (a, b, c)), d + (c >> 23)


def _folded(low: Sequence[Tensor], high: Sequence[Tensor]) -> Limbs:
    """Add the digits from 2^92 on to those below: 2^92 = 8."""
    folded = (torch.add(each, above, alpha=8) for each, above in zip(low[:3], high, strict=True))
    return *folded, low[3]


def _pair(
    product: Callable[[Tensor, Tensor], Tensor], one: tuple[Tensor, Tensor], two: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Multiply numbers of two digits: three products (Karatsuba)."""
    (a, b), (x, y) = one, two
    low, high = product(a, x), product(b, y)
    return low, product(a + b, x + y) - low - high, high


RING_104: Final = PowerOfTwo(104)
"""Of secrets modulo 2^64 with 40 bits above them to verify by."""

FIELD_89: Final = Mersenne89()
"""Of shares by polynomials, with room for masks 40 bits longer than what they hide."""
