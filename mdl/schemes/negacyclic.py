"""What makes cyclic convolutions negacyclic: products modulo x^N + 1 by an ordinary transform."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=8)
def twist(degree: int) -> NDArray[np.complex128]:
    """Give w_j = exp(iπj/N), shape (N,), N = `degree` a power of two: read-only.

    The transform of w∘a times that of w∘b is that of w∘c, c the product of a and b modulo x^N + 1.
    """
    assert degree >= 2
    assert degree & (degree - 1) == 0
    found: NDArray[np.complex128] = np.exp(1j * np.pi / degree * np.arange(degree))
    found.setflags(write=False)
    return found
