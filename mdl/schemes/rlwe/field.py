"""Z_p with p = 65521, the largest prime below 2^16, in which keys are shared: two bytes a coefficient."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.errors import InvalidShare
from mdl.party import PartyId
from mdl.schemes.prf import KEY_BYTES, stream
from mdl.system import Randomness

P: Final = 65521
BYTES: Final = 2
"""Bytes of an element."""

Elements = NDArray[np.uint16]
"""Values in [0, p)."""


def reduce(values: NDArray[np.integer] | NDArray[np.floating]) -> Elements:
    """Reduce integers modulo p; doubles hold them exactly up to 2^53."""
    return np.remainder(values.astype(np.int64, copy=False), P).astype(np.uint16)


def centred(elements: Elements) -> NDArray[np.int32]:
    """Read each element as the integer of its class that is nearest to zero."""
    values = elements.astype(np.int32)
    values -= P * (values > P // 2)
    return values


def scaled(elements: Elements, factor: int) -> Elements:
    """Multiply by an element."""
    return reduce(elements.astype(np.int64) * factor)


def uniform(count: int, *, rng: Randomness) -> Elements:
    """Draw `count` elements uniformly, from seeds of `rng` expanded by AES."""
    drawn = np.empty(0, np.uint16)
    while len(drawn) < count:
        # 15 of 65536 words are no elements. A thousandth and a few more are nearly always enough.
        words = stream(rng.bytes(KEY_BYTES), BYTES * (count + count // 1000 + 16)).view("<u2")
        drawn = np.concatenate([drawn, words[words < P]])
    return drawn[:count]


def pack(elements: Elements) -> bytes:
    """Write elements as little-endian words."""
    return elements.astype("<u2", copy=False).tobytes()


def unpack(packed: bytes, width: int, rows: int, culprits: Sequence[PartyId]) -> Elements:
    """Read so many rows of `width` elements.

    Raises:
        InvalidShare: a wrong length, or a word that is no element; `culprits` are to blame.
    """
    if len(packed) != rows * width * BYTES:
        raise InvalidShare(f"{len(packed)} bytes are not {rows} rows of {width} elements", culprits)
    elements = np.frombuffer(packed, "<u2").reshape(rows, width)
    if elements.size and elements.max() >= P:
        raise InvalidShare(f"a word that is no element of Z_{P}", culprits)
    return elements
