"""Integers modulo products of primes, by their residues: drawn, lifted, and divided.

Residues are uint64, a tensor for each prime. Polynomials have their coefficients along the first axis.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from mdl.mpc.keystream import Keystream
from mdl.schemes.number_theoretic import Residues, Transform, transform

PLAIN: Final = (2147205121, 2147352577)
"""Of plaintexts, modulo P = 2^61.9998; the smaller one first, as `centred` needs it."""

SCALE: Final = (2147074049, 2146959361, 2146713601, 2146418689)
"""Of Δ = 2^123.998."""

ALL: Final = PLAIN + SCALE
"""Of q = Δ P < 2^186. Of all below 2^31 that are 1 modulo 2^14 these are the largest."""

PLAIN_MODULUS: Final = prod(PLAIN)
SCALE_MODULUS: Final = prod(SCALE)

_LOW: Final = np.uint64(31)


def times(one: Residues, two: Residues | int, prime: int) -> Residues:
    """Multiply entries; shapes broadcast."""
    factor = np.uint64(two) if isinstance(two, int) else two
    found: Residues = one * factor % np.uint64(prime)
    return found


def plus(one: Residues, two: Residues, prime: int) -> Residues:
    """Add entries."""
    found: Residues = (one + two) % np.uint64(prime)
    return found


def minus(one: Residues, two: Residues, prime: int) -> Residues:
    """Subtract entries."""
    found: Residues = (one + (np.uint64(prime) - two)) % np.uint64(prime)
    return found


def reduced(values: NDArray[np.int64], prime: int) -> Residues:
    """Give residues of signed integers."""
    return (values % prime).astype(np.uint64)


def drawn(stream: Keystream, shape: tuple[int, ...], primes: Sequence[int]) -> list[Residues]:
    """Draw residues for each prime, each uniform within 2^-63: of integers of 94 bits."""
    found = []
    for prime in primes:
        high, low = stream.draw(torch.Size([2, *shape])).numpy().view(np.uint64)
        first = (high >> np.uint64(1)) % np.uint64(prime)
        found.append((first << _LOW | low >> np.uint64(33)) % np.uint64(prime))
    return found


def centred(residues: Sequence[Residues]) -> NDArray[np.int64]:
    """Give the integers in (-P / 2, P / 2) of residues modulo the primes of P."""
    first, second = PLAIN
    inverse = pow(first, -1, second)
    multiple = times(minus(residues[1], residues[0], second), inverse, second)
    found = (residues[0] + multiple * np.uint64(first)).astype(np.int64)
    return np.where(found > PLAIN_MODULUS // 2, found - PLAIN_MODULUS, found)


@dataclass(frozen=True)
class Ring:
    """Polynomials modulo x^N + 1, by their residues.

    Attributes:
        degree: N.
    """

    degree: int

    @cached_property
    def transforms(self) -> dict[int, Transform]:
        """By prime."""
        return {prime: transform(prime, self.degree) for prime in ALL}

    def values(self, integers: NDArray[np.int64], primes: Sequence[int]) -> list[Residues]:
        """Transform polynomials of signed integers."""
        return [self.transforms[prime](reduced(integers, prime)) for prime in primes]

    def polynomial(self, values: Sequence[Residues], primes: Sequence[int]) -> list[Residues]:
        """Undo transforms."""
        pairs = zip(values, primes, strict=True)
        return [self.transforms[prime].inverse(each) for each, prime in pairs]


def divided(residues: Sequence[Residues]) -> tuple[list[Residues], NDArray[np.float64]]:
    """Divide integers modulo q by Δ.

    What is said is that of a number within 2^-50 of the quotient: floating-point numbers decide which integer
    it is just above, and they err by less.

    Returns:
        Quotients rounded down, modulo the primes of P; and what is above them, in [0, 1).
    """
    digits = []
    for residue, prime in zip(residues[len(PLAIN) :], SCALE, strict=True):
        digits.append(times(residue, pow(SCALE_MODULUS // prime, -1, prime), prime))
    fractions = sum(digit / prime for digit, prime in zip(digits, SCALE, strict=True))
    wraps = np.floor(fractions)
    quotients = []
    for residue, prime in zip(residues, PLAIN, strict=False):
        # The remainder is the sum of digits times Δ / their prime, less Δ for each time it wraps.
        rest = times(wraps.astype(np.uint64), -SCALE_MODULUS % prime, prime)
        for digit, other in zip(digits, SCALE, strict=True):
            rest = plus(rest, times(digit, SCALE_MODULUS // other % prime, prime), prime)
        quotients.append(times(minus(residue, rest, prime), pow(SCALE_MODULUS, -1, prime), prime))
    return quotients, fractions - wraps
