"""Sums of the words of many pseudo-random functions modulo 2^31 - 1, each function with a factor.

A word of 32 bits is read as a signed integer w, |w| <= 2^31, and stands for w mod p. Doubles make the sums:
BLAS adds many rows in one pass, exactly as long as no sum leaves ±2^53. So a factor is centred, |a| < 2^30,
and split into limbs a = a_0 + 2^15 a_1 with |a_0| <= 2^14, |a_1| <= 2^15. Over `_GROUP` = 16 functions a
limb's sum stays within 16 * 2^15 * 2^31 = 2^50 (2^49 for a_0). It is then added to an integer of 64 bits. Of
`TERMS_LIMIT` functions, which are fewer than 2^12 groups, these stay below 2^62, and so they do with a
residue times 2^15 on top of a_0's. Where all factors are small there is one limb.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdl.schemes import mersenne
from mdl.schemes.mersenne import Residues
from mdl.schemes.prf import WORDS, Prf, buffer_bytes, inputs
from mdl.schemes.word_layout import Salts, WordLayout

_CHUNK: Final = 8192
"""Inputs at a time. The buffer of doubles then has 4 MiB, which NumPy asks large pages for."""

_GROUP: Final = 16
_LIMB_BITS: Final = 15
TERMS_LIMIT: Final = _GROUP * ((1 << 12) - 1)
"""Functions in a sum: 64 members with 1,000 keys each are fewer."""


class Term(NamedTuple):
    """A function, its factor in [0, PRIME), and whose salts its inputs take."""

    function: Prf
    factor: int
    salts: int


def weighted_sums(terms: Sequence[Term], layout: WordLayout, salts: Sequence[Salts], epoch: int) -> Residues:
    """Sum the words of all terms, times their factors: shape (WORDS * len(layout.positions),)."""
    assert len(terms) <= TERMS_LIMIT
    sums = np.empty(len(layout.positions) * WORDS, np.uint32)
    limbs = _limbs([term.factor for term in terms])
    adder = _Adder(min(_CHUNK, len(layout.positions)))
    for first in range(0, len(layout.positions), _CHUNK):
        part = slice(first, first + _CHUNK)
        rows, positions = layout.rows[part], layout.positions[part]
        laid_out = [inputs(salt[rows].tobytes(), epoch, positions) for salt in salts]
        sums[first * WORDS : (first + len(positions)) * WORDS] = adder.add(terms, limbs, laid_out)
    return sums


class _Adder:
    """Holds the buffers, which every chunk uses again."""

    def __init__(self, chunk: int) -> None:
        self._outputs = np.empty(buffer_bytes(chunk), np.uint8)
        self._words = np.empty((_GROUP, chunk * WORDS))

    def add(
        self, terms: Sequence[Term], limbs: NDArray[np.float64], laid_out: Sequence[NDArray[np.uint8]]
    ) -> Residues:
        """Sum the words of one chunk."""
        width = len(laid_out[0]) * WORDS
        totals = np.zeros((len(limbs), width), np.int64)
        for first in range(0, len(terms), _GROUP):
            group = terms[first : first + _GROUP]
            words = self._words[: len(group), :width]
            for row, term in zip(words, group, strict=True):
                row[:] = term.function.words(laid_out[term.salts], self._outputs).view("<i4")
            for total, limb in zip(totals, limbs, strict=True):
                total += (limb[first : first + _GROUP] @ words).astype(np.int64)
        return mersenne.residues(_joined(totals))


def _limbs(factors: Sequence[int]) -> NDArray[np.float64]:
    """Split centred factors into signed limbs, the least first: shape (1 or 2, len(factors))."""
    centred = mersenne.centred(np.array(factors, np.uint32))
    high = (centred + (1 << _LIMB_BITS - 1)) >> _LIMB_BITS
    low = centred - (high << _LIMB_BITS)
    return np.array([low, high] if high.any() else [low], np.float64)


def _joined(totals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join the limbs' sums into one array that is congruent modulo p, within ±2^62."""
    joined: NDArray[np.int64] = totals[0]
    for high in totals[1:]:
        joined += mersenne.residues(high).astype(np.int64) << _LIMB_BITS
    return joined
