from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.schemes.word_layout import Salts, WordLayout, lay_out

BLOCKS = [1, 2, 3, 4, 5, 8]


def places(layout: WordLayout, words: int) -> list[list[tuple[int, int, int]]]:
    """Give the place of each entry's word: its input's row and position, and which word of the output."""
    outputs = np.repeat(np.arange(len(layout.positions)), words)
    which = np.tile(np.arange(words), len(layout.positions))
    number = layout.entries(np.arange(len(outputs)))
    return [
        [(int(layout.rows[outputs[n]]), int(layout.positions[outputs[n]]), int(which[n])) for n in row]
        for row in number
    ]


def ids() -> st.SearchStrategy[list[int]]:
    neighbours = st.tuples(st.integers(0, 9), st.integers(1, 20)).map(lambda r: list(range(r[0], sum(r))))
    return neighbours | st.lists(st.integers(0, 40), max_size=20, unique=True)


def salts_of(drawn: list[int], rows: int) -> Salts:
    """Salts that change after the rows drawn."""
    return np.array([sum(row > change for change in drawn) for row in range(rows)], np.uint64)


@pytest.mark.parametrize("words", [2, 4])
@pytest.mark.parametrize("block", BLOCKS)
@given(blocks=ids(), changes=st.lists(st.lists(st.integers(0, 20), max_size=2), max_size=3))
def test_a_word_depends_on_block_entry_and_salt_alone(
    block: int, words: int, blocks: list[int], changes: list[list[int]]
) -> None:
    salts = [salts_of(drawn, len(blocks)) for drawn in changes]
    layout = lay_out(blocks, block, words, salts)
    laid_out = places(layout, words)
    assert len(laid_out) == len(blocks)
    for row, (identity, entries) in enumerate(zip(blocks, laid_out, strict=True)):
        (alone,) = places(lay_out([identity], block, words), words)
        assert [place[1:] for place in entries] == [place[1:] for place in alone]
        assert all(salt[place[0]] == salt[row] for salt in salts for place in entries)


@pytest.mark.parametrize("words", [2, 4])
@pytest.mark.parametrize("block", BLOCKS)
def test_no_two_entries_share_a_word(block: int, words: int) -> None:
    taken = [place[1:] for row in places(lay_out(range(30), block, words), words) for place in row]
    assert len(set(taken)) == len(taken) == 30 * block


@pytest.mark.parametrize(
    ("blocks", "block", "inputs"),
    [
        (range(8), 1, 2),
        (range(3, 9), 1, 3),
        ([0, 1, 2, 3], 2, 2),
        ([0, 2, 4], 2, 3),
        ([1, 2, 9], 1, 2),
        (range(5), 3, 5),
        (range(5), 6, 10),
        (range(0), 1, 0),
    ],
)
def test_no_output_is_computed_twice_or_in_vain(blocks: Sequence[int], block: int, inputs: int) -> None:
    assert len(lay_out(blocks, block, 4).positions) == inputs


def test_neighbours_with_other_salts_have_outputs_of_their_own() -> None:
    salts = np.array([7, 7, 8, 8], np.uint64)
    layout = lay_out(range(4), 1, 4, [np.zeros(4, np.uint64), salts])
    assert layout.positions.tolist() == [0, 0]
    assert salts[layout.rows].tolist() == [7, 8]
