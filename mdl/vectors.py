"""Vectors of parameters, and their division into blocks."""

import hashlib
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64] | NDArray[np.float32]
"""Plain real values: parameters, gradients. Never leaves a party that hides something."""

Integers: TypeAlias = NDArray[np.int64]
"""Encoded (fixed-point) values."""

Flags: TypeAlias = NDArray[np.bool_]

S = TypeVar("S", bound=np.generic)


@dataclass(frozen=True)
class Blocks:
    """``parameters`` consecutive parameters in blocks of ``size`` (1 is the paper's case).

    All parameters of a block share one active set. The last block is padded with zeros to its full size, so
    that every block has one shape on the wire.
    """

    parameters: int
    size: int

    def __post_init__(self) -> None:
        assert self.parameters > 0
        assert self.size > 0

    @property
    def count(self) -> int:
        """Number of blocks."""
        return -(-self.parameters // self.size)

    def split(self, vector: NDArray[S]) -> NDArray[S]:
        """Reshape a vector of shape (parameters,) to (count, size), zeros at the end."""
        assert vector.shape == (self.parameters,)
        padding = self.count * self.size - self.parameters
        return np.pad(vector, (0, padding)).reshape(self.count, self.size)

    def join(self, blocks: NDArray[S]) -> NDArray[S]:
        """Undo `split`: shape (count, size) to (parameters,)."""
        assert blocks.shape == (self.count, self.size)
        return blocks.reshape(-1)[: self.parameters]

    def spread(self, flags: Flags) -> Flags:
        """Say of each parameter what is said of its block: shape (count,) to (parameters,)."""
        assert flags.shape == (self.count,)
        return np.repeat(flags, self.size)[: self.parameters]


def pack_flags(flags: Flags) -> bytes:
    """Write flags as a bitmap of ceil(len/8) bytes."""
    return np.packbits(flags).tobytes()


def unpack_flags(bitmap: bytes, count: int) -> Flags:
    """Read `count` flags from a bitmap.

    Raises:
        ValueError: the bitmap's length or its padding is not that of `count` flags.
    """
    if len(bitmap) != -(-count // 8):
        raise ValueError(f"a bitmap of {count} flags has {-(-count // 8)} bytes, not {len(bitmap)}")
    bits = np.unpackbits(np.frombuffer(bitmap, np.uint8))
    if bits[count:].any():
        raise ValueError("a bitmap with bits beyond its end")
    return bits[:count].astype(np.bool_)


def fingerprint(parameters: Floats) -> str:
    """Give the SHA-256 of the parameters as little-endian float32: equal if and only if every weight is."""
    return hashlib.sha256(parameters.astype("<f4").tobytes()).hexdigest()
