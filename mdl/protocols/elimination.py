"""Ranks of many small integer matrices at once, and the unit vectors in the span of their rows, exactly.

Rows are reduced modulo primes just below 2^31, whose products fit NumPy's integers. That is no approximation.
Let r be the rank over the rationals, h a column, and N a nonzero minor of order r; where the unit vector e_h
is not in the span, one that leaves column h out (without that column the rank is r too). A prime that does
not divide N finds the rank r, and says of e_h what is true. By Hadamard |N| is at most the product of the r
largest norms of rows. So among primes whose product exceeds that, one does not divide N. It shows the true
rank, which no prime exceeds; and e_h is in the span if and only if it is modulo *every* prime that shows it:
where e_h is in the span over the rationals, it is modulo all primes that keep the rank.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdl.vectors import Flags

Residues: TypeAlias = NDArray[np.int64]

_TOP: Final = (1 << 31) - 1


@dataclass(frozen=True, eq=False)
class Spans:
    """The spans of the rows of some matrices of n columns.

    Attributes:
        ranks: shape (matrices,).
        units: which unit vectors are in each, shape (matrices, n).
    """

    ranks: NDArray[np.int64]
    units: Flags


@lru_cache
def moduli(bound: int) -> Sequence[int]:
    """Give primes below 2^31, from the largest down, whose product exceeds a bound."""
    found, product = [], 1
    for prime in _primes():
        found.append(prime)
        product *= prime
        if product > bound:
            break
    return found


def _primes() -> Iterator[int]:
    divisors = np.arange(3, math.isqrt(_TOP) + 1, 2)
    return (odd for odd in range(_TOP, 1 << 30, -2) if (odd % divisors).all())


def minors_bound(squared_norms: Sequence[int], order: int) -> int:
    """Bound the absolute value of minors of up to so many of some rows.

    Args:
        squared_norms: of the rows, integers.
        order: rows, or columns, in a minor at most.
    """
    largest = sorted(squared_norms, reverse=True)[:order]
    return math.isqrt(math.prod(max(norm, 1) for norm in largest)) + 1


def spans_modulo(rows: Residues, prime: int) -> Spans:
    """Reduce matrices modulo one prime.

    Args:
        rows: residues, shape (matrices, rows, n).
        prime: below 2^31.
    """
    rows, each = rows.copy(), np.arange(len(rows))
    for place in range(rows.shape[1]):
        pivot = (rows[:, place] != 0).argmax(axis=1)
        # The pivot of a row of zeros is zero, and so is its "inverse": nothing is done.
        scaled = rows[:, place] * _inverses(rows[each, place, pivot], prime)[:, None] % prime
        factors = rows[each, :, pivot]
        rows -= factors[:, :, None] * scaled[:, None, :]
        rows %= prime
        rows[:, place] = scaled
    # A pivot's column is zero elsewhere. So what has a single entry has it at its pivot, and e_h can be
    # combined of the rows only if it is one of them.
    filled = rows != 0
    alone = filled.sum(axis=2) == 1
    return Spans(filled.any(axis=2).sum(axis=1), (filled & alone[:, :, None]).any(axis=1))


def _inverses(values: Residues, prime: int) -> Residues:
    """Raise to p - 2."""
    result, power = np.ones_like(values), values
    for bit in bin(prime - 2)[:1:-1]:
        if bit == "1":
            result = result * power % prime
        power = power * power % prime
    return result


def agreed(rows: Callable[[NDArray[np.int64], int], Residues], most: NDArray[np.int64], bound: int) -> Spans:
    """Put together what enough primes say of the same matrices (see above).

    Args:
        rows: gives some of the matrices modulo a prime, shape (some, rows, n).
        most: the largest rank that each can have, shape (matrices,). Where a prime shows that one, and no
            unit vector, all is said.
        bound: of the minors.
    """
    left = np.arange(len(most))
    ranks = np.full(len(most), -1)
    units: Flags | None = None
    for prime in moduli(bound):
        found = spans_modulo(rows(left, prime), prime)
        if units is None:
            units = np.ones((len(most), found.units.shape[1]), np.bool_)
        units[left] &= found.units | (found.ranks < ranks[left])[:, None]
        higher = found.ranks > ranks[left]
        units[left[higher]] = found.units[higher]
        ranks[left] = np.maximum(ranks[left], found.ranks)
        left = left[(ranks[left] < most[left]) | units[left].any(axis=1)]
        if not left.size:
            break
    assert units is not None
    return Spans(ranks, units)
