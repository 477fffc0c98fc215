"""Active sets as data: for every block, which workers contributed to it."""

import numpy as np
from numpy.typing import NDArray

from mdl.party import PartyId
from mdl.vectors import Flags

WORKERS_LIMIT = 64
"""A set is a 64-bit mask: bit i−1 is worker i."""

Sets = NDArray[np.uint64]
"""One mask a block, shape (blocks,); 0 where the block is missed: its sum is not opened."""


def close(contributed: Flags, threshold: int) -> Sets:
    """Close the active sets: whoever contributed, where at least `threshold` did; nobody elsewhere.

    Args:
        contributed: shape (blocks, workers): whether worker i contributed, in column i−1.
        threshold: m. This is ρ-visibility: no smaller set is ever named, so none is ever opened.
    """
    bits = np.uint64(1) << np.arange(contributed.shape[1], dtype=np.uint64)
    masks = (contributed * bits).sum(axis=1, dtype=np.uint64)
    return np.where(contributed.sum(axis=1) >= threshold, masks, np.uint64(0))


def members(mask: int) -> tuple[PartyId, ...]:
    """The workers of one set, in ascending order."""
    return tuple(worker for worker in range(1, WORKERS_LIMIT + 1) if mask >> (worker - 1) & 1)


def sizes(sets: Sets) -> NDArray[np.uint8]:
    """How many members each set has: shape (blocks,)."""
    return np.bitwise_count(sets)


def contains(sets: Sets, worker: PartyId) -> Flags:
    """Where `worker` is a member: shape (blocks,)."""
    return np.asarray((sets >> np.uint64(worker - 1)) & np.uint64(1) == 1, np.bool_)


def counts(sets: Sets, workers: int) -> NDArray[np.int64]:
    """How many of the sets each worker is a member of: shape (workers,)."""
    return np.array([contains(sets, worker).sum() for worker in range(1, workers + 1)], np.int64)


def width(workers: int) -> int:
    """Bytes of a set on the wire."""
    return -(-workers // 8)


def to_bytes(sets: Sets, workers: int) -> bytes:
    """Write the sets as rows of `width` bytes, worker 1 in the lowest bit."""
    return sets.astype("<u8").view(np.uint8).reshape(-1, 8)[:, : width(workers)].tobytes()


def from_bytes(data: bytes, workers: int) -> Sets:
    """Read what `to_bytes` wrote.

    Raises:
        ValueError: no whole number of rows, or a member that is no worker of this run.
    """
    size = width(workers)
    if len(data) % size:
        raise ValueError(f"{len(data)} bytes are no whole number of sets of {size} bytes")
    wide = np.zeros((len(data) // size, 8), np.uint8)
    wide[:, :size] = np.frombuffer(data, np.uint8).reshape(-1, size)
    sets = wide.view("<u8").reshape(-1).astype(np.uint64)
    if workers < WORKERS_LIMIT and (sets >> np.uint64(workers)).any():
        raise ValueError(f"a set has a member beyond worker {workers}")
    return sets


def groups(sets: Sets) -> list[tuple[int, NDArray[np.int64]]]:
    """Sort the blocks by set: (mask, ids of its blocks, ascending); missed blocks are left out."""
    order = np.argsort(sets, kind="stable")
    masks, firsts = np.unique(sets[order], return_index=True)
    return [
        (int(mask), blocks) for mask, blocks in zip(masks, np.split(order, firsts[1:]), strict=True) if mask
    ]
