"""Arithmetic modulo 2^104 and modulo 2^127 - 1 on limbs: int64 tensors, each a digit of a number in a radix.

A bilinear map of numbers is a few bilinear maps of limbs, in torch's own int64. Sums of products of limbs may
wrap modulo 2^64 on the way: only the digits that come out must fit 63 bits. So Karatsuba's identity may be
used freely, and radices leave room for inner sums of 2^17 products.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from mdl.errors import MdlError
from mdl.mpc.keystream import Keystream

Limbs: TypeAlias = tuple[Tensor, ...]
"""The lowest digit first, all of the same shape."""

Product: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""A bilinear map, of non-negative coefficients."""

INNER_LIMIT: Final = 1 << 17
"""A bilinear map adds up at most so many products for an entry of its result."""

_OVERLAP: Final = 8
"""By how much sizes tell less; its square is how many windows a pixel is in at most."""


class Residues(Protocol):
    """Integers modulo a number, as limbs. Operations start from limbs that are `carried`, and so end."""

    def __hash__(self) -> int: ...

    @property
    def modulus(self) -> int:
        """The number."""

    @property
    def size_bytes(self) -> int:
        """The length of one integer on the wire."""

    @property
    def factor_bits(self) -> int:
        """F: carried limbs, times integers up to 2^F in absolute value, may be carried."""

    def split(self, values: Tensor) -> Limbs:
        """Give the limbs of int64 integers, carried."""

    def carried(self, limbs: Limbs) -> Limbs:
        """Carry limbs below 2^62 in absolute value."""

    def settled(self, limbs: Limbs) -> Limbs:
        """Carry limbs that are sums or differences of two carried ones."""

    def times(self, one: Limbs, two: Limbs) -> Limbs:
        """Multiply entries of carried limbs; carried. Shapes broadcast."""

    def bilinear(self, product: Product, one: Limbs, two: Limbs) -> Limbs:
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
        """Draw residues that are uniform within 2^-127; carried."""


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

    @property
    def factor_bits(self) -> int:
        """See `Residues`."""
        return 39

    def split(self, values: Tensor) -> Limbs:
        """See `Residues`."""
        return values & _MASK_22, values >> 22 & _MASK_22, values >> 44

    def carried(self, limbs: Limbs) -> Limbs:
        """See `Residues`."""
        *lower, third = limbs
        (first, second), above = _cut(lower, (22, 22))
        return first, second, third + above

    def settled(self, limbs: Limbs) -> Limbs:
        """See `Residues`."""
        return self.carried(limbs)

    def times(self, one: Limbs, two: Limbs) -> Limbs:
        """See `Residues`."""
        (a, b, c), (x, y, z) = one, two
        above = (a * z).addcmul_(b, y + (z << 22)).addcmul_(c, self.signed(two))
        return self.carried((a * x, (a * y).addcmul_(b, x), above))

    def bilinear(self, product: Product, one: Limbs, two: Limbs) -> Limbs:
        """See `Residues`."""
        (a, b, c), (x, y, z) = one, two
        above = product(a, z) + product(b, y + (z << 22)) + product(c, self.signed(two))
        _refuse_long(product, a, x, above)
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


def _refuse_long(product: Product, one: Tensor, two: Tensor, found: Tensor) -> None:
    """Check how many products were added up for an entry, where sizes do not tell that they were few.

    Of matrices (r, k) and (k, c) sizes tell k. Of windows that overlap they tell fewer, of several inner
    products side by side more than there are; so where it might be too many, it is counted.
    """
    inner = math.isqrt(one.numel() * two.numel() // max(1, found.numel()))
    if inner > INNER_LIMIT // _OVERLAP:
        inner = int(product(torch.ones_like(one), torch.ones_like(two)).max())
    if inner > INNER_LIMIT:
        raise MdlError(
            f"a number is the sum of {inner:,} products, and of numbers modulo 2^127 - 1 or 2^104 at most"
            f" {INNER_LIMIT:,} can be added up: with a smaller learning.batch there are fewer"
        )


_MASK_22: Final = (1 << 22) - 1
_MASK_23: Final = (1 << 23) - 1
_MASK_26: Final = (1 << 26) - 1


@dataclass(frozen=True)
class Mersenne127:
    """Integers modulo the prime 2^127 - 1 in five limbs: four digits of 26 bits, and one of 23.

    Carried limbs are in [0, 2^26), the highest in [0, 2^23), and the lowest in [-1, 2^26]. 2^127 = 1: what is
    carried out of the highest digit goes into the lowest.
    """

    @property
    def modulus(self) -> int:
        """See `Residues`."""
        return (1 << 127) - 1

    @property
    def size_bytes(self) -> int:
        """See `Residues`."""
        return 16

    @property
    def factor_bits(self) -> int:
        """See `Residues`."""
        return 36

    def split(self, values: Tensor) -> Limbs:
        """See `Residues`."""
        a, b, c = values & _MASK_26, values >> 26 & _MASK_26, values >> 52
        return _rippled((a, b, c, torch.zeros_like(a), torch.zeros_like(a)))

    def carried(self, limbs: Limbs) -> Limbs:
        """See `Residues`. The first time what comes round is below 2^40, the second time it is -1, 0 or 1."""
        return _rippled(_rippled(limbs))

    def settled(self, limbs: Limbs) -> Limbs:
        """See `Residues`."""
        return _rippled(limbs)

    def times(self, one: Limbs, two: Limbs) -> Limbs:
        """See `Residues`: a digit of the product is below 2^55, and 2^58 with those that are folded."""
        (a, b, c, d, e), (v, w, x, y, z) = one, two
        low = (
            a * v,
            (a * w).addcmul_(b, v),
            (a * x).addcmul_(b, w).addcmul_(c, v),
            (a * y).addcmul_(b, x).addcmul_(c, w).addcmul_(d, v),
            (a * z).addcmul_(b, y).addcmul_(c, x).addcmul_(d, w).addcmul_(e, v),
        )
        high = (
            (b * z).addcmul_(c, y).addcmul_(d, x).addcmul_(e, w),
            (c * z).addcmul_(d, y).addcmul_(e, x),
            (d * z).addcmul_(e, y),
            e * z,
        )
        # 2^130 = 8.
        return self.carried((*_folded(low[:4], high, 8), low[4]))

    def bilinear(self, product: Product, one: Limbs, two: Limbs) -> Limbs:
        """See `Residues`: 18 products (Karatsuba, twice) of digits of 22 bits.

        With digits within ±2^21 and the highest at most 2^17, a digit of the product is a sum of at most five
        times 2^42 for each of the inner products: below 2^62.
        """
        (a, b), (x, y) = _halves(one), _halves(two)
        low, high = _triple(product, a, x), _triple(product, b, y)
        _refuse_long(product, a[0], x[0], low[0])
        both = _triple(product, _sums(a, b), _sums(x, y))
        mid = [both[k] - low[k] - high[k] for k in range(5)]
        digits = [
            *low[:3],
            low[3] + mid[0],
            low[4] + mid[1],
            mid[2],
            high[0] + mid[3],
            high[1] + mid[4],
            *high[2:],
        ]
        for place in range(10):
            digits[place + 1] = digits[place + 1] + (digits[place] >> 22)
            digits[place] = digits[place] & _MASK_22
        # 2^132 = 32.
        return self.settled(_regrouped((*_folded(digits[:5], digits[6:], 32), digits[5])))

    def words(self, limbs: Limbs) -> tuple[Tensor, Tensor]:
        """See `Residues`."""
        # Within [0, 2^127 - 1] then, of which the last is zero.
        a, b, c, d, e = _rippled(limbs)
        low, high = a + (b << 26) + (c << 52), (c >> 12) + (d << 14) + (e << 40)
        rest = ((low != -1) | (high != (1 << 63) - 1)).to(torch.int64)
        return low * rest, high * rest

    def of_words(self, low: Tensor, high: Tensor) -> Limbs:
        """See `Residues`."""
        third = low >> 52 & (1 << 12) - 1 | (high & (1 << 14) - 1) << 12
        return low & _MASK_26, low >> 26 & _MASK_26, third, high >> 14 & _MASK_26, high >> 40 & _MASK_23

    def signed(self, limbs: Limbs) -> Tensor:
        """See `Residues`."""
        low, high = self.words(limbs)
        # Of 2^127 - 1, which is to be subtracted from the upper half, the lowest 64 bits are those of -1.
        return low + (high >> 62)

    def drawn(self, stream: Keystream, shape: torch.Size) -> Limbs:
        """See `Residues`: 127 bits, where zero comes twice as often as any other."""
        low, high = stream.draw(torch.Size([2, *shape]))
        return self.of_words(low, high)


def _rippled(limbs: Sequence[Tensor]) -> Limbs:
    """Carry from each limb into the next, and from the highest into the lowest."""
    digits, above = _cut(limbs, (26, 26, 26, 26, 23))
    digits[0] += above
    return tuple(digits)


def _cut(limbs: Sequence[Tensor], widths: Sequence[int]) -> tuple[list[Tensor], Tensor]:
    """Cut limbs to digits of so many bits, the lowest first; what is above one goes into the next.

    In arrays, as they are written again, and added, in half the time that tensors take.

    Returns:
        The digits, and what is above the last one.
    """
    above = np.empty(limbs[0].shape, np.int64)
    digits: list[Tensor] = []
    for limb, width in zip(limbs, widths, strict=True):
        whole, digit = limb.numpy(), np.empty_like(above)
        if digits:
            whole = np.add(whole, above, out=digit)
        np.right_shift(whole, width, out=above)
        np.bitwise_and(whole, (1 << width) - 1, out=digit)
        digits.append(torch.from_numpy(digit))
    return digits, torch.from_numpy(above)


def _folded(low: Sequence[Tensor], high: Sequence[Tensor], weight: int) -> Limbs:
    """Add digits to those below, of which they are so many times the weight."""
    return tuple(torch.add(each, above, alpha=weight) for each, above in zip(low, high, strict=True))


def _halves(limbs: Limbs) -> tuple[Limbs, Limbs]:
    """Give six digits of 22 bits, lower and upper three; all but the highest are in [-2^21, 2^21)."""
    a, b, c, d, e = limbs
    digits = [
        a & _MASK_22,
        (a >> 22).add_((b & (1 << 18) - 1) << 4),
        (b >> 18).add_((c & (1 << 14) - 1) << 8),
        (c >> 14).add_((d & (1 << 10) - 1) << 12),
        (d >> 10).add_((e & (1 << 6) - 1) << 16),
        e >> 6,
    ]
    half = 1 << 21
    for place in range(5):
        digits[place] += half
        digits[place + 1] += digits[place] >> 22
        digits[place] &= _MASK_22
        digits[place] -= half
    return tuple(digits[:3]), tuple(digits[3:])


def _regrouped(digits: Sequence[Tensor]) -> Limbs:
    """Give the limbs, not carried, of six digits of 22 bits that are below 2^58."""
    a, b, c, d, e, f = digits
    b = b + (a >> 22)
    c = c + (b >> 22)
    d = d + (c >> 22)
    e = e + (d >> 22)
    f = f + (e >> 22)
    return (
        (a & _MASK_22).add_((b & 15) << 22).add_(f >> 17),
        (b & _MASK_22).bitwise_right_shift_(4).add_((c & (1 << 8) - 1) << 18),
        (c & _MASK_22).bitwise_right_shift_(8).add_((d & (1 << 12) - 1) << 14),
        (d & _MASK_22).bitwise_right_shift_(12).add_((e & (1 << 16) - 1) << 10),
        (e & _MASK_22).bitwise_right_shift_(16).add_((f & (1 << 17) - 1) << 6),
    )


def _sums(one: Limbs, two: Limbs) -> Limbs:
    return tuple(a + b for a, b in zip(one, two, strict=True))


def _triple(product: Product, one: Limbs, two: Limbs) -> Limbs:
    """Multiply numbers of three digits: six products (Karatsuba)."""
    (a, b, c), (x, y, z) = one, two
    low, mid, high = product(a, x), product(b, y), product(c, z)
    return (
        low,
        product(a + b, x + y) - low - mid,
        product(a + c, x + z) - low - high + mid,
        product(b + c, y + z) - mid - high,
        high,
    )


RING_104: Final = PowerOfTwo(104)
"""Of secrets modulo 2^64 with 40 bits above them to verify by."""

FIELD_127: Final = Mersenne127()
"""Of shares by polynomials, with room for masks 77 bits longer than what they hide."""
