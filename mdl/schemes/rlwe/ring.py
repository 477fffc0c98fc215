"""Products in Z_q[x]/(x^N + 1), q = 2^32, of public polynomials and short keys: by NumPy's FFT, exactly.

The public polynomials A_0, A_1, ... are the same for everybody and for ever. Their coefficients are the
outputs of SHAKE-256 on a published string, so that nobody can have chosen them.

A coefficient of A, taken in [-2^31, 2^31), is lo + 2^16 hi with lo and hi in [-2^15, 2^15]. With the twist
w_j = exp(iπj/N), the cyclic convolution of w∘(lo + i hi) and w∘s is w∘(lo s + i hi s), products modulo
x^N + 1: one complex transform of N points multiplies both halves. A's transforms are kept, so that a product
costs one inverse transform.

Why rounding its result to integers is exact. Let u = 2^-53, a = lo + i hi, and N <= 2048. Errors are relative
ones, in the 2-norm.

- A transform errs by at most tη / (1 - tη), t = log2 N <= 11, η = μ + γ_4 (√2 + μ), γ_k = ku / (1 - ku)
  [Higham02, Theorem 24.2]. The table's roots of unity are good to μ = 4u, so this is below 107u. The theorem
  is on radix 2; a pass of radix 4 or 8 is two or three such stages with fewer products.
- A product of complex numbers errs by at most √2 γ_2 < 3u [Higham02, Lemma 3.5], one with a twist, itself
  good to 8u, by 11u.

So the transforms of a and of s err by 118u each, the product of the two by 3u, the way back by 118u: 357u in
all. As no value of a transform exceeds √N times the 2-norm of what is transformed, each coefficient errs by
at most 357u √N |a| |s| (and terms in u^2, for which 360u makes room). With |a| <= √(2N) 2^15, hence √N |a| <=
2^26.5, and |s| <= `NORM_LIMIT` = 2^16 that is below 360 * 2^-53 * 2^42.5 < 1/4. Longer keys are refused.

The integers themselves are at most √N 2^15 |s| < 2^37.

[Higham02] N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002.
"""

import hashlib
import sys
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.errors import OutOfRange
from mdl.schemes.negacyclic import twist

MODULUS_BITS: Final = 32
DEGREE: Final = 2048
"""N. Of a power of two below it, which tests use, all that is said above holds too; it hides nothing."""
NORM_LIMIT: Final = 1 << 16
"""The largest 2-norm of a key."""

_PUBLISHED: Final = b"mdl: public polynomial %d of degree %d"
_CHUNK: Final = 8
"""Polynomials that are worked on at once: 256 KiB, which stay in the second-level cache."""
_LOW: Final = 0 if sys.byteorder == "little" else 1
"""Which half of a double is the low one."""

Words = NDArray[np.uint32]
"""Elements of Z_q."""
Keys = NDArray[np.int32]
"""Short polynomials: shape (rows, N)."""
_Complex = NDArray[np.complex128]


def add_products(rows: Words, keys: Keys) -> None:
    """Add A_0 s, A_1 s, ... to each row, in place, s being the row's key.

    Args:
        rows: shape (rows, width): the coefficients of ceil(width / N) polynomials, of the last one as many as
            there are.
        keys: shape (rows, N).

    Raises:
        OutOfRange: a key is longer than `NORM_LIMIT`.
    """
    count, width = rows.shape
    degree = keys.shape[1]
    table, untwist = _transforms(degree, polynomials(width, degree)), twist(degree).conj()
    spectra = _spectra(keys)
    together = max(1, _CHUNK // len(table))
    buffer = np.empty((min(together, count), min(_CHUNK, len(table)), degree), np.complex128)
    for first in range(0, count, together):
        here = slice(first, first + together)
        for start in range(0, len(table), _CHUNK):
            factors = table[start : start + _CHUNK]
            products = buffer[: min(together, count - first), : len(factors)]
            np.multiply(spectra[here, None], factors, out=products)
            np.fft.ifft(products, out=products)
            products *= untwist
            column = start * degree
            _add_rounded(rows[here, column : column + products[0].size], products)


def public_polynomial(index: int, degree: int = DEGREE) -> Words:
    """Derive A_index: shape (degree,)."""
    shake = hashlib.shake_256(_PUBLISHED % (index, degree))
    return np.frombuffer(shake.digest(4 * degree), "<u4")


def polynomials(width: int, degree: int = DEGREE) -> int:
    """Give how many polynomials a row of so many coefficients takes."""
    return -(-width // degree)


def prepare(width: int, degree: int = DEGREE) -> None:
    """Derive and transform the public polynomials for rows of this width: 16 bytes a coefficient, kept."""
    _transforms(degree, polynomials(width, degree))


def _add_rounded(rows: Words, products: _Complex) -> None:
    """Add lo s + 2^16 hi s to the rows, of `products` lo s + i hi s, shape (rows, polynomials, N)."""
    # In [2^52, 2^53) a double's last bit is worth 1: the sum is rounded to an integer, and as 3 * 2^51 is 0
    # mod 2^32, the integer mod 2^32 is the low half of its pattern.
    values = products.view(np.float64)
    values += 3 * 2.0**51
    width = rows.shape[1]
    words = values.view(np.uint32).reshape(len(rows), -1, 2, 2)[:, :width, :, _LOW]
    rows += words[..., 0]
    rows += words[..., 1] << 16


def _spectra(keys: Keys) -> _Complex:
    assert keys.shape[1] <= DEGREE
    if (np.square(keys, dtype=np.float64).sum(axis=1) > NORM_LIMIT**2).any():
        raise OutOfRange(f"a key is longer than {NORM_LIMIT}: a share of it is wrong")
    return np.fft.fft(keys * twist(keys.shape[1]))


@lru_cache(maxsize=4)
def _transforms(degree: int, count: int) -> _Complex:
    """Transform the public polynomials: shape (count, degree)."""
    table = np.empty((count, degree), np.complex128)
    for index in range(count):
        coefficients = public_polynomial(index, degree).view(np.int32).astype(np.int64)
        low = (coefficients + (1 << 15)) % (1 << 16) - (1 << 15)
        table[index] = np.fft.fft((low + 1j * ((coefficients - low) >> 16)) * twist(degree))
    table.setflags(write=False)
    return table
