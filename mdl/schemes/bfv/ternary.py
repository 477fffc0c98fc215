"""Uniform polynomials with coefficients -1, 0 and 1, from secret randomness."""

from typing import Final

import numpy as np

from mdl.schemes.bfv.ring import Ternary
from mdl.schemes.prf import KEY_BYTES, stream
from mdl.system import Randomness

_USABLE: Final = 252
"""Of the 256 values of a byte as many as 84 times three: the others are drawn again."""


def draw(shape: tuple[int, ...], *, rng: Randomness) -> Ternary:
    """Draw coefficients: a seed of `rng`, expanded by AES."""
    count = int(np.prod(shape))
    drawn = np.empty(0, np.uint8)
    while drawn.size < count:
        fresh = stream(rng.bytes(KEY_BYTES), count - drawn.size + 64)
        drawn = np.concatenate([drawn, fresh[fresh < _USABLE]])
    return ((drawn[:count] % 3).astype(np.int8) - np.int8(1)).reshape(shape)
