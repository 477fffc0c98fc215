import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mdl.schemes.mersenne import PRIME
from mdl.schemes.prf import WORDS, Prf, inputs, prfs
from mdl.schemes.word_layout import Salts, lay_out
from mdl.schemes.word_sums import TERMS_LIMIT, Term, weighted_sums

FUNCTIONS = prfs([bytes([index]) * 16 for index in range(70)])
factors = st.integers(0, PRIME - 1) | st.sampled_from([0, 1, PRIME - 1, PRIME // 2, PRIME // 2 + 1, 1 << 14])


def salts_for(rows: int, dealers: int) -> list[Salts]:
    return [np.full(rows, 1000 + dealer, np.uint64) for dealer in range(dealers)]


def exact(terms: list[Term], positions: list[int], epoch: int) -> list[int]:
    """The same by Python's integers."""
    total = [0] * (WORDS * len(positions))
    for function, factor, dealer in terms:
        salt = (1000 + dealer).to_bytes(8, "little")
        words = function.words(inputs(salt * len(positions), epoch, np.array(positions))).view("<i4").tolist()
        total = [so_far + factor * word for so_far, word in zip(total, words, strict=True)]
    return [value % PRIME for value in total]


@given(
    drawn=st.lists(st.tuples(st.sampled_from(FUNCTIONS), factors, st.integers(0, 2)), max_size=70),
    first=st.integers(0, 1 << 20),
    count=st.integers(1, 9),
    epoch=st.integers(0, (1 << 32) - 1),
)
@settings(max_examples=50, deadline=None)
def test_weighted_sums_are_exact(
    drawn: list[tuple[Prf, int, int]], first: int, count: int, epoch: int
) -> None:
    terms = [Term(*term) for term in drawn]
    layout = lay_out(range(WORDS * first, WORDS * (first + count)), 1, WORDS)
    sums = weighted_sums(terms, layout, salts_for(WORDS * count, 3), epoch)
    assert sums.tolist() == exact(terms, list(range(first, first + count)), epoch)


class Extreme(Prf):
    """A function all of whose words are read as -2^31."""

    def words(self, inputs: NDArray[np.uint8], out: NDArray[np.uint8] | None = None) -> NDArray[np.uint32]:
        return np.full(WORDS * len(inputs), 1 << 31, np.uint32)


@pytest.mark.parametrize("factor", [PRIME // 2, PRIME // 2 + 1, (1 << 14) - 1, 1 << 14, 1, PRIME - 1])
def test_the_largest_sums_are_exact(factor: int) -> None:
    terms = [Term(Extreme(bytes(16)), factor, 0)] * TERMS_LIMIT
    sums = weighted_sums(terms, lay_out(range(1), 1, WORDS), salts_for(1, 1), 1)
    assert sums.tolist() == [-TERMS_LIMIT * factor * (1 << 31) % PRIME] * WORDS


def test_long_sums_are_those_of_their_parts() -> None:
    terms = [Term(function, 3, 0) for function in FUNCTIONS[:3]]
    bounds = [WORDS * position for position in (1, 9_000, 17_000)]
    parts = [
        weighted_sums(terms, lay_out(range(*part), 1, WORDS), salts_for(part[1] - part[0], 1), 1)
        for part in (bounds[:2], bounds[1:], [bounds[0], bounds[2]])
    ]
    np.testing.assert_array_equal(np.concatenate(parts[:2]), parts[2])


def test_no_functions_and_no_inputs_sum_to_nothing() -> None:
    assert weighted_sums([], lay_out(range(2), 2, WORDS), salts_for(2, 1), 1).tolist() == [0] * WORDS
    assert len(weighted_sums([Term(FUNCTIONS[0], 1, 0)], lay_out([], 1, WORDS), salts_for(0, 1), 1)) == 0
