"""The distribution of keys and errors: how many of 64 fair bits are set, less 32.

Its values are in [-32, 32] always, with mean 0 and variance 16.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.schemes.prf import KEY_BYTES, stream
from mdl.system import Randomness

LARGEST: Final = 32
BYTES: Final = 8
"""Random bytes that a value takes."""

Counts = NDArray[np.uint8]
"""Values plus `LARGEST`, in [0, 64]."""


def counts(uniform: NDArray[np.uint8] | NDArray[np.uint32], out: Counts | None = None) -> Counts:
    """Turn uniform bytes or words into a value for each `BYTES` of them."""
    return np.bitwise_count(uniform.view(np.uint64), out=out)


def draw(count: int, *, rng: Randomness) -> Counts:
    """Draw fresh values, shape (count,), from a seed of `rng` expanded by AES."""
    return counts(stream(rng.bytes(KEY_BYTES), count * BYTES))
