"""The distribution of keys and errors: how many of 64 fair bits are set, less 32.

Its values are in [-32, 32] always, with mean 0 and variance 16.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.schemes.prf import KEY_BYTES, stream_pieces
from mdl.system import Randomness

LARGEST: Final = 32
BYTES: Final = 8
"""Random bytes that a value takes."""

Counts = NDArray[np.uint8]
"""Values plus `LARGEST`, in [0, 64]."""

_CHUNK: Final = 1 << 13
"""Values that are drawn at once: their random bytes, 64 KiB, stay in the cache."""


def counts(uniform: NDArray[np.uint8] | NDArray[np.uint32], out: Counts | None = None) -> Counts:
    """Turn uniform bytes or words into a value for each `BYTES` of them."""
    return np.bitwise_count(uniform.view(np.uint64), out=out)


def add(into: NDArray[np.uint32] | NDArray[np.int32], *, rng: Randomness) -> None:
    """Add a fresh value to each entry of a contiguous array, in place: a seed of `rng`, expanded by AES."""
    assert into.flags.c_contiguous
    flat = into.reshape(-1)
    pieces = stream_pieces(rng.bytes(KEY_BYTES), flat.size * BYTES, _CHUNK * BYTES)
    for piece, first in zip(pieces, range(0, flat.size, _CHUNK), strict=True):
        flat[first : first + _CHUNK] += counts(piece)
    flat -= LARGEST
