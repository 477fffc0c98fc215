"""The ring Z_q[x]/(x^N + 1), q = 2^96: sums in words, products with ternary ones by NumPy's FFT, exactly.

A coefficient is a word of 64 bits and one of 32. For a product it is taken in four balanced digits of 24
bits, a = a_0 + 2^24 a_1 + 2^48 a_2 + 2^72 a_3, |a_k| <= 2^23, and two complex transforms carry two digits
each, as in `mdl.schemes.rlwe.ring`: with the twist w_j = exp(iπj/N), the cyclic convolution of w∘(lo + i
hi) and w∘s is w∘(lo s + i hi s), products modulo x^N + 1.

Why rounding to integers is exact. The relative errors are those of `mdl.schemes.rlwe.ring`, with t = log2 N
= 12 stages instead of 11: 117u for a transform (u = 2^-53), 128u with its twist, 387u in all, below 390u
with the terms in u^2. Each coefficient of a product errs by at most 390u √N |a| |s| in 2-norms. With |a| <=
√(2N) 2^23 and |s| <= √N, as s is ternary, that is 390 * 2^-53 * 2^(6 + 6.5 + 23 + 6) < 0.14, below 1/2.

The integers are at most N 2^23 = 2^35, so that all that follows fits 64 bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.schemes.negacyclic import twist

MODULUS_BITS: Final = 96
DEGREE: Final = 4096
"""N. Of a power of two below it, which tests use, all that is said above holds too; it hides nothing."""
COEFFICIENT_BYTES: Final = MODULUS_BITS // 8

_DIGIT_BITS: Final = 24
_LOW_BITS: Final = 64

Ternary = NDArray[np.int8]
"""Polynomials with coefficients -1, 0 and 1: shape (..., N)."""
Spectrum = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Elements:
    """Polynomials over Z_q.

    Attributes:
        low: the coefficients modulo 2^64, shape (..., N).
        high: the 32 bits above, same shape.
    """

    low: NDArray[np.uint64]
    high: NDArray[np.uint32]

    @staticmethod
    def of(values: NDArray[np.int64]) -> "Elements":
        """Embed integers, shape (..., N)."""
        return Elements(values.view(np.uint64).copy(), (values >> 63).astype(np.uint32))

    @staticmethod
    def zeros(shape: tuple[int, ...]) -> "Elements":
        """Give polynomials that are zero."""
        return Elements(np.zeros(shape, np.uint64), np.zeros(shape, np.uint32))

    @staticmethod
    def read(data: bytes, degree: int) -> "Elements":
        """Read what `tobytes` wrote: shape (polynomials, degree).

        Raises:
            ValueError: it is no whole number of polynomials.
        """
        if len(data) % (degree * COEFFICIENT_BYTES):
            raise ValueError(f"{len(data)} bytes are no whole number of polynomials of degree {degree}")
        count = len(data) // COEFFICIENT_BYTES
        low = np.frombuffer(data, "<u8", count).reshape(-1, degree)
        return Elements(low, np.frombuffer(data, "<u4", count, 8 * count).reshape(-1, degree))

    def tobytes(self) -> bytes:
        """Write them: `COEFFICIENT_BYTES` a coefficient."""
        return self.low.astype("<u8").tobytes() + self.high.astype("<u4").tobytes()

    def __add__(self, other: "Elements") -> "Elements":
        low = self.low + other.low
        return Elements(low, self.high + other.high + (low < other.low))

    def __neg__(self) -> "Elements":
        low = ~self.low + np.uint64(1)
        return Elements(low, ~self.high + (low == 0))

    def raised(self, values: NDArray[np.int64], shift: int) -> "Elements":
        """Add integers times 2^shift, 64 <= shift < 96."""
        return Elements(self.low, self.high + (values.astype(np.uint32) << np.uint32(shift - _LOW_BITS)))

    def nearest(self, shift: int) -> NDArray[np.int64]:
        """Divide by 2^shift, 64 <= shift < 96, and round: integers in [-2^(95 - shift), 2^(95 - shift)]."""
        half = shift - _LOW_BITS - 1
        # Half of 2^shift is added; it is the topmost bit of the low word where shift is 64.
        high = self.high + (self.low >> np.uint64(63)).astype(np.uint32) if half < 0 else self.high
        signed = high.view(np.int32).astype(np.int64)
        return signed if half < 0 else (signed + (1 << half)) >> (half + 1)


def spectra(polynomials: Ternary) -> Spectrum:
    """Transform ternary polynomials, to be multiplied with: shape (..., N)."""
    assert polynomials.shape[-1] <= DEGREE
    return np.fft.fft(polynomials * twist(polynomials.shape[-1]))


def transforms(elements: Elements) -> Spectrum:
    """Transform polynomials, to be multiplied by ternary ones: shape (2, ..., N)."""
    digits = list(_digits(elements))
    twisted = twist(elements.low.shape[-1])
    return np.stack([np.fft.fft((digits[k] + 1j * digits[k + 1]) * twisted) for k in (0, 2)])


def product(factors: Spectrum, ternary: Spectrum) -> Elements:
    """Multiply what `transforms` gave by what `spectra` gave: shapes broadcast."""
    values = np.fft.ifft(factors * ternary) * twist(ternary.shape[-1]).conj()
    rounded = np.rint(values.view(np.float64)).astype(np.int64).reshape(*values.shape, 2)
    first, second = (rounded[k, ..., 0] + (rounded[k, ..., 1] << _DIGIT_BITS) for k in (0, 1))
    # Both are below 2^60 in absolute value. The product is first + 2^48 second.
    shifted = Elements((second << 48).view(np.uint64), (second >> 16).astype(np.uint32))
    return Elements.of(first) + shifted


def total(elements: Sequence[Elements]) -> Elements:
    """Add one or more."""
    found = elements[0]
    for each in elements[1:]:
        found = found + each
    return found


def _digits(elements: Elements) -> Iterator[NDArray[np.int64]]:
    """Give the four balanced digits of each coefficient, the least first; the last one's carry is dropped."""
    low, high = elements.low, elements.high.astype(np.uint64)
    mask = np.uint64((1 << _DIGIT_BITS) - 1)
    plain = [
        low & mask,
        low >> np.uint64(24) & mask,
        (low >> np.uint64(48) | high << np.uint64(16)) & mask,
        high >> np.uint64(8),
    ]
    carry: NDArray[np.int64] | int = 0
    for digit in plain:
        value = digit.astype(np.int64) + carry
        carry = (value + (1 << _DIGIT_BITS - 1)) >> _DIGIT_BITS
        yield value - (carry << _DIGIT_BITS)
