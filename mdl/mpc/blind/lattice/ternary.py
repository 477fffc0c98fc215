"""Products in Z_q[x]/(x^N + 1), q = 2^136, with ternary polynomials: by NumPy's FFT, exactly.

A coefficient is taken in six balanced digits of 24 bits, |a_k| <= 2^23, and three complex transforms carry
two digits each, as in `mdl.schemes.rlwe.ring`: with the twist w_j = exp(iπj/N), the cyclic convolution of w∘
(lo + i hi) and w∘s is w∘(lo s + i hi s), products modulo x^N + 1.

Why rounding to integers is exact. The relative errors are those of `mdl.schemes.rlwe.ring`, with t = log2 N
<= 13 stages instead of 11: 127u for a transform (u = 2^-53), 138u with its twist; two ways there, one back
and the product are 417u, below 420u with the terms in u^2. Each coefficient of a product errs by at most 420u
√N |a| |s| in 2-norms. With |a| <= √(2N) 2^23 and |s| <= √N, as s is ternary, that is 420 * 2^-53 * 2^(6.5 + 7
+ 23 + 6.5) = 420 * 2^-10 < 0.42, below 1/2.

The integers are at most N 2^23 = 2^36, so that all that follows fits 64 bits.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from mdl.mpc.blind.lattice.coefficients import LIMB_BITS, Coefficients, joined
from mdl.schemes.negacyclic import twist

LARGEST_DEGREE: Final = 8192

Ternary: TypeAlias = NDArray[np.int8]
"""Polynomials with coefficients -1, 0 and 1: shape (..., N)."""
Spectrum: TypeAlias = NDArray[np.complex128]

_AT_ONCE: Final = 16
"""Polynomials of which transforms are held at once: they take 6 MiB."""

_DIGIT_BITS: Final = 24
_DIGIT: Final = (1 << _DIGIT_BITS) - 1


def times(polynomials: Coefficients, ternary: Spectrum) -> Coefficients:
    """Multiply polynomials, shape (count, N), by one whose `spectra` are given, shape (N,)."""
    count = polynomials.shape[0]
    parts = [slice(first, first + _AT_ONCE) for first in range(0, count, _AT_ONCE)]
    return joined([product(transforms(polynomials[part]), ternary) for part in parts])


def spectra(polynomials: Ternary) -> Spectrum:
    """Transform ternary polynomials, to be multiplied with: shape (..., N)."""
    assert polynomials.shape[-1] <= LARGEST_DEGREE
    return np.fft.fft(polynomials * twist(polynomials.shape[-1]))


def transforms(polynomials: Coefficients) -> Spectrum:
    """Transform polynomials, to be multiplied by ternary ones: shape (3, ..., N)."""
    digits = _digits(polynomials)
    twisted = twist(polynomials.shape[-1])
    return np.stack(
        [np.fft.fft((low + 1j * high) * twisted) for low, high in zip(digits, digits, strict=True)]
    )


def product(factors: Spectrum, ternary: Spectrum) -> Coefficients:
    """Multiply what `transforms` gave by what `spectra` gave: shapes broadcast."""
    values = np.fft.ifft(factors * ternary) * twist(ternary.shape[-1]).conj()
    rounded = np.rint(values.view(np.float64)).astype(np.int64).reshape(*values.shape, 2)
    # Digits 0, 2 and 4 are the real parts, 1, 3 and 5 the imaginary ones.
    even, odd = torch.from_numpy(rounded).unbind(-1)
    low = even[0] + (odd[0] << _DIGIT_BITS)
    middle = even[1] << 2 * _DIGIT_BITS - LIMB_BITS
    high = odd[1] + (even[2] << _DIGIT_BITS) + (odd[2] << 2 * _DIGIT_BITS)
    return Coefficients.carried(low, middle, high)


def _digits(polynomials: Coefficients) -> Iterator[NDArray[np.int64]]:
    """Give the six balanced digits of each coefficient, the least first; the last one's carry is dropped."""
    low, middle, high = (limb.numpy() for limb in polynomials.limbs)
    plain = [
        low & _DIGIT,
        low >> _DIGIT_BITS | (middle << LIMB_BITS - _DIGIT_BITS & _DIGIT),
        middle >> 2 * _DIGIT_BITS - LIMB_BITS,
        high & _DIGIT,
        high >> _DIGIT_BITS & _DIGIT,
        high >> 2 * _DIGIT_BITS,
    ]
    carry: NDArray[np.int64] | int = 0
    for digit in plain:
        value = digit + carry
        carry = (value + (1 << _DIGIT_BITS - 1)) >> _DIGIT_BITS
        yield value - (carry << _DIGIT_BITS)
