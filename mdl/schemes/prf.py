"""A pseudo-random function, and streams: AES-128 and HKDF of the `cryptography` package.

A key's function maps an input of 16 bytes to AES_K(input). Inputs are laid out once and used under many
keys, so a word costs little more than AES itself. As AES permutes, outputs of one key do not repeat: over q
inputs that is told from random with probability q^2 / 2^129 at most, 2^-49 for 2^40 inputs (16 TiB).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from numpy.typing import NDArray

from mdl.system import Randomness

KEY_BYTES = 16
INPUT_BYTES = 16
SALT_BYTES = 8
WORDS = 4
"""Words of 32 bits in an output."""

Words = NDArray[np.uint32]


def derive(key: bytes, info: bytes) -> bytes:
    """Derive another key (HKDF-Expand, RFC 5869): one for each `info`, independent of one another."""
    return HKDFExpand(SHA256(), KEY_BYTES, info).derive(key)


def new_salt(rng: Randomness) -> bytes:
    """Draw what sets one call's inputs apart from those of every other, in this life of a party or another.

    Two calls share a salt with probability 2^-64. Where they do, they share inputs only for the same epoch
    and block.
    """
    return rng.bytes(SALT_BYTES)


def inputs(salts: bytes, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Lay out inputs: salt (8 bytes), epoch (4), position (4), for the function of many keys.

    Args:
        salts: `SALT_BYTES` for each input.
        epoch: in [0, 2^32).
        positions: in [0, 2^32), shape (k,).

    Returns:
        Shape (k, INPUT_BYTES).

    Raises:
        ValueError: a number is too large; it would repeat an input.
    """
    count = len(positions)
    assert len(salts) == count * SALT_BYTES
    limit = 1 << 32
    if not 0 <= epoch < limit or (count and (positions.min() < 0 or positions.max() >= limit)):
        raise ValueError("an epoch or a position of 2^32 or more")
    laid_out = np.empty((count, INPUT_BYTES), np.uint8)
    laid_out.view("<u8")[:, 0] = np.frombuffer(salts, "<u8")
    laid_out.view("<u4")[:, 2] = epoch
    laid_out.view("<u4")[:, 3] = positions
    return laid_out


@dataclass(frozen=True, eq=False)
class Prf:
    """The function of one key. Making it costs as much as 1,000 words: keep it."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        encryptor = Cipher(algorithms.AES(self.key), modes.ECB()).encryptor()  # noqa: S305 - a PRF, no mode
        object.__setattr__(self, "_encryptor", encryptor)

    def words(self, inputs: NDArray[np.uint8], out: NDArray[np.uint8] | None = None) -> Words:
        """Give `WORDS` words for each input, shape (WORDS * k,).

        Args:
            inputs: shape (k, INPUT_BYTES), contiguous.
            out: a buffer of `buffer_bytes(k)`, to be used again and again; the result lies in it.
        """
        if out is None:
            out = np.empty(buffer_bytes(len(inputs)), np.uint8)
        written = self._encryptor.update_into(inputs.data, out.data)  # type: ignore[attr-defined]
        return out[:written].view("<u4")


def buffer_bytes(inputs: int) -> int:
    """Give the bytes of a buffer for so many inputs: the outputs, and the room that AES asks for."""
    return inputs * INPUT_BYTES + INPUT_BYTES - 1


def stream(seed: bytes, count: int) -> NDArray[np.uint8]:
    """Expand a fresh, secret seed of `KEY_BYTES` into `count` bytes (AES-128-CTR). A seed serves once."""
    return np.concatenate([np.empty(0, np.uint8), *stream_pieces(seed, count, max(count, 1))])


def stream_pieces(seed: bytes, count: int, size: int) -> Iterator[NDArray[np.uint8]]:
    """Give what `stream` gives in pieces of `size` bytes (the last may be shorter), which stay in the cache.

    Each lies where the last one lay: use it before the next.
    """
    zeros, out = np.zeros(size, np.uint8), np.empty(size + INPUT_BYTES - 1, np.uint8)
    encryptor = Cipher(algorithms.AES(seed), modes.CTR(bytes(INPUT_BYTES))).encryptor()
    for start in range(0, count, size):
        piece = min(size, count - start)
        encryptor.update_into(zeros[:piece].data, out.data)
        yield out[:piece]


def prfs(keys: Sequence[bytes]) -> list[Prf]:
    """Make the functions of many keys."""
    return [Prf(key) for key in keys]
