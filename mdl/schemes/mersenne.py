"""Arithmetic modulo the prime 2^31 - 1, whose residues fit four bytes and are found by shifts and sums."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.vectors import Integers

PRIME: Final = (1 << 31) - 1
RESIDUE_BYTES: Final = 4

Residues = NDArray[np.uint32]
"""Entries in [0, PRIME)."""


def residues(values: Integers) -> Residues:
    """Reduce integers in (-2^62, 2^62); same shape. `values` is overwritten."""
    # x = 2^31 h + l with 0 <= l <= p is congruent to h + l, for negative x too, as shifts round down.
    # - First -2^31 <= h < 2^31 and x > -2^62, so x becomes a value in (-2^31, 2^32 - 2].
    # - Then h is -1, 0 or 1. Where it is -1, l >= 1; where it is 1, l < p: what is left is in [0, p].
    for _ in range(2):
        high = values >> 31
        values &= PRIME
        values += high
    reduced = values.astype(np.uint32)
    reduced *= reduced != PRIME
    return reduced


def add(columns: Sequence[Residues]) -> Residues:
    """Add up to 2^31 columns of one shape."""
    total = np.zeros(columns[0].shape, np.int64)
    for column in columns:
        total += column
    return residues(total)


def times(values: Residues, factor: int) -> Residues:
    """Multiply by a factor in [0, PRIME)."""
    return residues(values.astype(np.int64) * factor)


def centred(values: Residues) -> Integers:
    """Give the representatives in (-PRIME/2, PRIME/2)."""
    signed = values.astype(np.int64)
    signed -= PRIME * (signed > PRIME // 2)
    return signed
