"""Number-theoretic transforms: products in Z_p[x]/(x^N + 1), for primes 1 modulo 2 N below 2^31, in NumPy.

The transform of a polynomial is its values at the N roots of x^N + 1, odd powers of a root of unity ψ of
order 2 N, in some order. Butterflies are those of [LN16]; a constant w is multiplied by as in [Harvey14]:
with w' = floor(w 2^32 / p) kept beside it, x w - floor(x w' / 2^32) p is in [0, 2 p) for any x below 2^32.

[LN16] P. Longa, M. Naehrig, Speeding up the number theoretic transform for faster ideal lattice-based
cryptography, CANS 2016, algorithms 1 and 2. [Harvey14] D. Harvey, Faster arithmetic for number-theoretic
transforms, Journal of Symbolic Computation 60, 2014, §2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Residues: TypeAlias = NDArray[np.uint64]
"""In [0, p). The first axis is that of coefficients, or of values; all others are a batch."""

LARGEST_BITS: Final = 31
_SHIFT: Final = np.uint64(32)
_AT_ONCE: Final = 16
"""Polynomials of a batch that are worked on at once: they stay in the cache."""


@dataclass(frozen=True, eq=False)
class _Factors:
    """Constants to multiply with, and what [Harvey14] keeps beside each."""

    constants: Residues
    beside: Residues

    @staticmethod
    def of(constants: list[int], prime: int) -> "_Factors":
        return _Factors(
            np.array(constants, np.uint64), np.array([(each << 32) // prime for each in constants], np.uint64)
        )


@dataclass(frozen=True, eq=False)
class Transform:
    """Transforms for one prime and one degree.

    Attributes:
        prime: p.
        degree: N, a power of two.
    """

    prime: int
    degree: int
    _forward: _Factors
    _backward: _Factors
    _last: _Factors

    def __call__(self, polynomials: Residues) -> Residues:
        """Transform polynomials, shape (N, ...)."""
        return self._in_parts(polynomials, self._forwards)

    def inverse(self, values: Residues) -> Residues:
        """Give the polynomials of transforms, shape (N, ...)."""
        return self._in_parts(values, self._backwards)

    def _in_parts(self, given: Residues, run: Callable[[Residues], Residues]) -> Residues:
        assert len(given) == self.degree
        flat = given.reshape(self.degree, -1)
        found = np.empty(flat.shape, np.uint64)
        for first in range(0, flat.shape[1], _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            found[:, part] = run(flat[:, part].copy())
        return found.reshape(given.shape)

    def _forwards(self, values: Residues) -> Residues:
        groups, width = 1, self.degree
        while width > 1:
            width //= 2
            pairs = values.reshape(groups, 2, width * values.shape[1])
            even, odd = pairs[:, 0], self._times(pairs[:, 1], self._forward, groups)
            pairs[:, 1] = self._reduced(even + (np.uint64(self.prime) - odd))
            pairs[:, 0] = self._reduced(even + odd)
            groups *= 2
        return values

    def _backwards(self, values: Residues) -> Residues:
        groups, width = self.degree, 1
        while groups > 1:
            groups //= 2
            pairs = values.reshape(groups, 2, width * values.shape[1])
            even, odd = pairs[:, 0], pairs[:, 1]
            difference = even + (np.uint64(self.prime) - odd)
            pairs[:, 0] = self._reduced(even + odd)
            pairs[:, 1] = self._times(difference, self._backward, groups)
            width *= 2
        scaled: Residues = self._times(values[None], self._last, 0)[0]
        return scaled

    def _times(self, values: Residues, factors: _Factors, groups: int) -> Residues:
        """Multiply each of so many groups by its constant, values below 2^32."""
        part = slice(groups, max(2 * groups, 1))
        constants, beside = factors.constants[part], factors.beside[part]
        around = (len(constants), *[1] * (values.ndim - 1))
        found = values * constants.reshape(around)
        quotient = values * beside.reshape(around)
        quotient >>= _SHIFT
        quotient *= np.uint64(self.prime)
        found -= quotient
        return self._reduced(found)

    def _reduced(self, values: Residues) -> Residues:
        """Bring values below 2 p into [0, p): what is below p wraps around when p is subtracted."""
        found: Residues = np.minimum(values, values - np.uint64(self.prime))
        return found


@lru_cache(maxsize=32)
def transform(prime: int, degree: int) -> Transform:
    """Prepare transforms, for a prime below 2^31 that is 1 modulo twice the degree."""
    assert degree & (degree - 1) == 0
    assert prime % (2 * degree) == 1
    assert prime.bit_length() <= LARGEST_BITS
    # Of a number that is no square, the power (p - 1) / 2 is -1.
    base = next(each for each in range(2, prime) if pow(each, (prime - 1) // 2, prime) == prime - 1)
    root = pow(base, (prime - 1) // (2 * degree), prime)
    powers = [pow(root, each, prime) for each in _turned(degree)]
    inverses = [pow(each, -1, prime) for each in powers]
    return Transform(
        prime,
        degree,
        _Factors.of(powers, prime),
        _Factors.of(inverses, prime),
        _Factors.of([pow(degree, -1, prime)], prime),
    )


def _turned(degree: int) -> list[int]:
    """Give 0, 1, ..., N - 1 with their bits in reverse order."""
    found = [0]
    while len(found) < degree:
        found = [2 * each for each in found] + [2 * each + 1 for each in found]
    return found
