"""Vectors on the wire: rows of fixed width, in messages of bounded size."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

MESSAGE_LIMIT_BYTES = 1 << 20
"""A message carries no more bytes of vector, so that none holds up its link for long; or else one row."""

ROW_LIMIT_BYTES = 24 << 20
"""No row is longer: it fits a frame."""

CALL_LIMIT_BYTES = 1 << 24
"""No call of a scheme makes more bytes than this. Schemes with tables serve many rows by each."""


def parts(count: int, width: int) -> Iterator[slice]:
    """Cut `count` rows of `width` bytes into slices that fit a message."""
    return _slices(count, width, MESSAGE_LIMIT_BYTES)


def calls(count: int, width: int) -> Iterator[slice]:
    """Cut `count` rows, of which a scheme makes `width` bytes each, into slices for one call each."""
    return _slices(count, width, CALL_LIMIT_BYTES)


def _slices(count: int, width: int, limit: int) -> Iterator[slice]:
    """Cut rows into slices of at most `limit` bytes, or one row."""
    step = max(1, limit // max(1, width))
    return (slice(first, min(first + step, count)) for first in range(0, count, step))


def rows(data: bytes, width: int) -> NDArray[np.uint8]:
    """See bytes as rows: shape (len/width, width), read-only. Zero width gives no rows to see: shape (0, 0).

    Raises:
        ValueError: the bytes are no whole number of rows.
    """
    if width == 0:
        if data:
            raise ValueError(f"{len(data)} bytes where none belong")
        return np.zeros((0, 0), np.uint8)
    if len(data) % width:
        raise ValueError(f"{len(data)} bytes are no whole number of rows of {width}")
    return np.frombuffer(data, np.uint8).reshape(-1, width)
