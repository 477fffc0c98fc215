"""Ranks modulo primes are those over the rationals, even where a prime is a bad one."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mdl.protocols.elimination import Spans, agreed, minors_bound, moduli, spans_modulo

MERSENNE = (1 << 31) - 1


def spans(rows: Sequence[Sequence[int]]) -> Spans:
    """One matrix, modulo as many primes as its entries need."""
    matrix = np.array(rows, np.object_)
    norms = [int(norm) for norm in (matrix**2).sum(axis=1)]

    def modulo(left: NDArray[np.int64], prime: int) -> NDArray[np.int64]:
        return np.stack([(matrix % prime).astype(np.int64) for _ in left])

    return agreed(modulo, np.array([min(matrix.shape)]), minors_bound(norms, min(matrix.shape)))


def rational_rank(rows: Sequence[Sequence[int]]) -> int:
    """By the book."""
    left = [[Fraction(entry) for entry in row] for row in rows]
    rank = 0
    for column in range(len(rows[0])):
        pivot = next((row for row in left[rank:] if row[column]), None)
        if pivot is None:
            continue
        left.remove(pivot)
        left.insert(rank, pivot)
        for place in range(rank + 1, len(left)):
            factor = left[place][column] / pivot[column]
            left[place] = [a - factor * b for a, b in zip(left[place], pivot, strict=True)]
        rank += 1
    return rank


@st.composite
def matrices(draw: st.DrawFn) -> list[list[int]]:
    entries = st.one_of(st.integers(-3, 3), st.sampled_from([MERSENNE, 2 * MERSENNE, 85, 1 << 40]))
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    return draw(st.lists(st.lists(entries, min_size=columns, max_size=columns), min_size=rows, max_size=rows))


@given(rows=matrices())
def test_ranks_and_unit_vectors_are_those_over_the_rationals(rows: list[list[int]]) -> None:
    found, rank = spans(rows), rational_rank(rows)
    assert found.ranks.tolist() == [rank]
    units = np.eye(len(rows[0]), dtype=int).tolist()
    assert found.units[0].tolist() == [rational_rank([*rows, unit]) == rank for unit in units]


@pytest.mark.parametrize(
    ("rows", "rank", "units"),
    [
        ([[MERSENNE, 0], [0, 1]], 2, [True, True]),  # modulo the first prime a row is lost
        ([[1, MERSENNE]], 1, [False, False]),  # and here a unit vector seems to be there
        ([[1, 1], [1, 1 + MERSENNE]], 2, [True, True]),
    ],
)
def test_a_prime_that_divides_a_minor_is_outvoted(
    rows: list[list[int]], rank: int, units: list[bool]
) -> None:
    found = spans(rows)
    assert (found.ranks[0], found.units[0].tolist()) == (rank, units)
    alone = spans_modulo((np.array([rows], np.object_) % MERSENNE).astype(np.int64), MERSENNE)
    assert (alone.ranks[0], alone.units[0].tolist()) != (rank, units)


def test_moduli_are_the_largest_primes_below_two_to_the_31() -> None:
    assert moduli(1) == [MERSENNE]
    assert moduli(MERSENNE) == [MERSENNE, 2147483629]
    assert moduli(1 << 90) == [MERSENNE, 2147483629, 2147483587]


def test_minors_are_bounded_by_the_norms_of_rows() -> None:
    assert minors_bound([9, 16, 0], 2) == 13
    assert minors_bound([0], 4) == 2


def test_many_matrices_are_reduced_at_once() -> None:
    rows = np.random.default_rng(1).integers(0, 3, (200, 3, 5))
    together = spans_modulo(rows, MERSENNE)
    for place, matrix in enumerate(rows):
        alone = spans_modulo(matrix[None], MERSENNE)
        assert together.ranks[place] == alone.ranks[0]
        np.testing.assert_array_equal(together.units[place], alone.units[0])
