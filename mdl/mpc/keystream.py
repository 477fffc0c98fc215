"""Pseudo-random words that the holders of a key draw in the same order, without a message."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray
from torch import Tensor

from mdl.mpc.ring import shaped

KEY_BYTES: Final = 16
_BLOCK_BYTES: Final = 16
_ZEROS: Final = memoryview(bytes(1 << 20))

_AHEAD_BYTES: Final = 1 << 17
"""What is made at once, for short draws."""


class Keystream:
    """AES-128 in counter mode. Whoever has the key draws the same; what was drawn never comes again.

    Args:
        key: `KEY_BYTES`, fresh for every start of a run.

    Attributes:
        drawn_bytes: how much was drawn. Holders who differ in it have not run the same program.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(algorithms.AES(key), modes.CTR(bytes(_BLOCK_BYTES))).encryptor()
        self._ahead = np.empty(0, np.uint8)
        self._used = _AHEAD_BYTES
        self.drawn_bytes = 0

    def branch(self) -> "Keystream":
        """Draw a key, and begin a stream of its own with it."""
        return Keystream(self.draw(torch.Size([KEY_BYTES]), torch.uint8).numpy().tobytes())

    def draw(self, shape: torch.Size, dtype: torch.dtype = torch.int64) -> Tensor:
        """Draw uniform words of an integer type."""
        count = shape.numel()
        if not count:
            return torch.empty(shape, dtype=dtype)
        buffer, first = self._drawn(count * dtype.itemsize)
        # An array is a buffer.
        words = torch.frombuffer(buffer, dtype=dtype, count=count, offset=first)
        return shaped(words, shape)

    def draw_array(self, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Draw the same as an array."""
        size_bytes = math.prod(shape) * dtype.itemsize
        if not size_bytes:
            return np.empty(shape, dtype)
        buffer, first = self._drawn(size_bytes)
        return np.ndarray(shape, dtype, buffer, first)

    def _drawn(self, size_bytes: int) -> tuple[NDArray[np.uint8], int]:
        """Give a buffer, and where in it the next bytes of the stream are."""
        # Whole blocks; of which bytes a draw is depends on its length, and those of all draws before it.
        whole = -(-size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES
        self.drawn_bytes += whole
        if 2 * whole > _AHEAD_BYTES:
            return self._made(whole), 0
        if self._used + whole > _AHEAD_BYTES:
            # What is left of it is never used.
            self._ahead, self._used = self._made(_AHEAD_BYTES), 0
        first = self._used
        self._used += whole
        return self._ahead, first

    def _made(self, size_bytes: int) -> NDArray[np.uint8]:
        found = np.empty(size_bytes + _BLOCK_BYTES, np.uint8)  # the cipher asks for room to spare
        for first in range(0, size_bytes, len(_ZEROS)):
            self._cipher.update_into(_ZEROS[: size_bytes - first], found[first:])  # type: ignore[arg-type]
        return found
