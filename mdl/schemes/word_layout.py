"""Which words of pseudo-random functions belong to which entry of which block: the same for every key.

An output of `mdl.schemes.prf` has several words. Where a whole number of blocks fills one, consecutive blocks
share it: block b of two words lies in output b // 2. Otherwise a block has outputs of its own, as many as it
needs. The output's number is the input's *position*, so blocks of different outputs, and entries of one
block, never have a word in common.

Inputs hold salts too, which may differ between rows: then an output serves only neighbours in the call that
have the same one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Salts = NDArray[np.uint64]
"""A salt for each row, shape (rows,); compared and copied, never computed with."""

S = TypeVar("S", bound=np.generic)


@dataclass(frozen=True)
class WordLayout:
    """Where the words of some blocks lie.

    Attributes:
        block: entries of a block, each a word.
        positions: of the inputs, shape (k,).
        rows: a row of the call that each input serves, whose salt it takes; shape (k,).
        cell: words from one block to the next.
        cells: the cell of each block, in the order of the rows.
    """

    block: int
    positions: NDArray[np.int64]
    rows: NDArray[np.int64]
    cell: int
    cells: NDArray[np.int64] | slice

    def entries(self, words: NDArray[S]) -> NDArray[S]:
        """Cut the words of all inputs, one after the other, into those of the blocks: (rows, block)."""
        return words.reshape(-1, self.cell)[self.cells, : self.block]


def lay_out(
    blocks: Sequence[int] | NDArray[np.int64], block: int, words: int, salts: Sequence[Salts] = ()
) -> WordLayout:
    """Lay out `blocks` of `block` entries over outputs of `words` words.

    Args:
        blocks: ids, in the order of the rows.
        block: entries of a block.
        words: of an output.
        salts: of everyone whose words are summed; they share this layout.
    """
    together = words // block if words % block == 0 else 1
    if together > 1 and _consecutive(blocks) and all((salt == salt[0]).all() for salt in salts):
        return _consecutive_layout(blocks, block, together)
    numbers = ids(blocks)
    if together == 1:
        outputs = -(-block // words)
        positions = (numbers[:, None] * outputs + np.arange(outputs)).reshape(-1)
        rows = np.repeat(np.arange(len(numbers)), outputs)
        return WordLayout(block, positions, rows, outputs * words, slice(None))
    output = numbers // together
    first = np.ones(len(numbers), np.bool_)
    first[1:] = output[1:] != output[:-1]
    for salt in salts:
        first[1:] |= salt[1:] != salt[:-1]
    rows = np.flatnonzero(first)
    cells = (np.cumsum(first) - 1) * together + numbers % together
    return WordLayout(block, output[rows], rows, block, cells)


def ids(blocks: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the numbers of blocks as an array."""
    if isinstance(blocks, range):
        return np.arange(blocks.start, blocks.stop, blocks.step)
    return np.asarray(blocks, np.int64)


def _consecutive_layout(blocks: Sequence[int] | NDArray[np.int64], block: int, together: int) -> WordLayout:
    """Lay out consecutive blocks with one salt: the same words, found without looking at each block."""
    positions = np.arange(blocks[0] // together, blocks[-1] // together + 1)
    start = blocks[0] % together
    return WordLayout(block, positions, np.zeros_like(positions), block, slice(start, start + len(blocks)))


def _consecutive(blocks: Sequence[int] | NDArray[np.int64]) -> bool:
    if not len(blocks) or blocks[-1] - blocks[0] != len(blocks) - 1:
        return False
    return isinstance(blocks, range) or bool((np.diff(ids(blocks)) == 1).all())
