"""The manager's book of ∝MDL^d: who has a seat in which active set, and which version of a block collects.

Synchronous, no I/O, and no loop over blocks: a future or a task per parameter would cost more than the
parameter does. Times are the caller's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdl.errors import ProtocolError
from mdl.party import PartyId
from mdl.protocols import sets as active
from mdl.protocols.policies import Admission
from mdl.protocols.sets import Sets
from mdl.vectors import Flags

BlockIds = NDArray[np.int64]


@dataclass(frozen=True)
class Full:
    """Sets that have just closed, all of one version.

    Attributes:
        version: of the blocks; versions count from 1.
        blocks: ids, ascending, shape (k,).
        sets: their active sets, shape (k,), each with exactly m members.
    """

    version: int
    blocks: BlockIds
    sets: Sets


class Seats:
    """For every block: the version that collects, and who has a seat in its set [∝MDL, Algorithm 4].

    A set has exactly m seats, so it closes at the m-th contribution: the print neither closes nor empties it.
    While a version is being opened the next one collects; a set that is full waits while `window` versions of
    its block are being opened.

    Args:
        blocks: how many there are.
        workers: n.
        threshold: m.
        window: how many versions of a block may be under way at once, at most 63.
        admission: who may take which seat.
        versions: the versions that collect, by block; all the first, if not given.

    Attributes:
        versions: the version that collects, by block, shape (blocks,).
        accepted: contributions in closed sets, by worker, shape (n,).
    """

    def __init__(
        self,
        blocks: int,
        workers: int,
        *,
        threshold: int,
        window: int,
        admission: Admission,
        versions: NDArray[np.int64] | None = None,
        accepted: NDArray[np.int64] | None = None,
    ) -> None:
        self._blocks, self._threshold, self._window = blocks, threshold, window
        self._admission, self._open_seats = admission, admission.open_seats(threshold)
        self.versions = np.ones(blocks, np.int64) if versions is None else versions.copy()
        self.accepted = np.zeros(workers, np.int64) if accepted is None else accepted.copy()
        self._granted = self.accepted.copy()
        self._seated = np.zeros(blocks, np.uint64)
        self._taken = np.zeros(blocks, np.uint8)
        self._ahead = np.zeros(blocks, np.uint8)  # of those taken, by workers that are not behind
        self._held = np.zeros(blocks, np.uint64)
        # Bit i: the version closed i + 1 versions ago is still under way.
        self._opening = np.zeros(blocks, np.uint64)
        self._since = np.full(blocks, np.inf)

    def arrive(
        self, worker: PartyId, blocks: BlockIds, versions: NDArray[np.int64], *, online: Flags, now: float
    ) -> Flags:
        """Give a worker seats in these blocks' sets, as far as there are any for it.

        Args:
            worker: who comes.
            blocks: ids, each once, shape (k,).
            versions: for which version of each, shape (k,).
            online: which workers are there, shape (n,).
            now: seconds, on any clock that does not go back.

        Returns:
            Shape (k,): whether the contribution is kept: it has a seat, or is held for one. The others came
            too late, and hear so when they are told of the sets that closed without them.

        Raises:
            ProtocolError: the worker is in a set already, or is ahead of the versions that collect.
        """
        collecting = self.versions[blocks]
        if (versions > collecting).any():
            raise ProtocolError("a contribution to a version that does not collect yet", [worker])
        timely: Flags = versions == collecting
        here = blocks[timely]
        if (active.contains(self._seated[here] | self._held[here], worker)).any():
            raise ProtocolError("a second contribution to the same version of a block", [worker])
        behind = self._admission.is_behind(self._granted, online, worker, self._blocks)
        self._since[here] = np.minimum(self._since[here], now)
        seat = self._free(here, behind=behind)
        self._seat(worker, here[seat], behind=behind)
        # A set may be full and wait for its turn to close: should a seat come free again, it is theirs.
        self._held[here[~seat]] |= _bit(worker)
        return timely

    def release(self, *, online: Flags, now: float) -> BlockIds:
        """Give free seats to those held: where patience has run out, or where they are no longer ahead.

        Returns:
            The blocks whose sets have grown.
        """
        waiting = np.flatnonzero((self._held != 0) & (self._taken < self._threshold))
        before = self._taken[waiting]
        overdue = now - self._since[waiting] >= (self._admission.patience_seconds or 0.0)
        for worker in np.argsort(self._granted, kind="stable") + 1:  # who has least comes first
            behind = self._admission.is_behind(self._granted, online, int(worker), self._blocks)
            mine = active.contains(self._held[waiting], int(worker))
            there = waiting[mine & (overdue | behind) & (self._taken[waiting] < self._threshold)]
            self._held[there] &= ~_bit(int(worker))
            self._seat(int(worker), there, behind=True)
        return waiting[self._taken[waiting] > before]

    def close(self, blocks: BlockIds) -> Iterator[Full]:
        """Close those of these blocks' sets that are full and whose turn it is; the next versions collect.

        Returns:
            What was closed, by version.
        """
        waits = (self._opening[blocks] >> np.uint64(self._window - 1)) & np.uint64(1) == 1
        ready = blocks[(self._taken[blocks] == self._threshold) & ~waits]
        if not len(ready):
            return iter(())
        versions, sets = self.versions[ready], self._seated[ready]
        self.accepted += active.counts(sets, len(self.accepted))
        self.versions[ready] += 1
        self._opening[ready] = (self._opening[ready] << np.uint64(1)) | np.uint64(1)
        self._empty(ready)
        return (
            Full(int(version), ready[versions == version], sets[versions == version])
            for version in np.unique(versions)
        )

    def settled(self, version: int, blocks: BlockIds) -> None:
        """Note that a version of these blocks is no longer under way: it was opened, or is missed."""
        ago = (self.versions[blocks] - 1 - version).astype(np.uint64)
        assert (self._opening[blocks] >> ago & np.uint64(1)).all()
        self._opening[blocks] &= ~(np.uint64(1) << ago)

    @property
    def any_held(self) -> bool:
        """Whether somebody is held for a seat."""
        return bool(self._held.any())

    def seated(self, worker: PartyId) -> Flags:
        """Where a worker has a seat in the set that collects, or is held for one: shape (blocks,)."""
        return active.contains(self._seated | self._held, worker)

    def evict(self, worker: PartyId) -> None:
        """Take back all seats that a worker has in sets that still collect: it has forgotten them."""
        self.vacate(worker, np.flatnonzero(self.seated(worker)))

    def vacate(self, worker: PartyId, blocks: BlockIds) -> None:
        """Take back a worker's seats in some sets that still collect."""
        seated = blocks[active.contains(self._seated[blocks], worker)]
        self._seated[seated] &= ~_bit(worker)
        self._taken[seated] -= 1
        # Whether it sat there as one that was behind is not remembered; a kept seat too many does no harm.
        self._ahead[seated] = np.minimum(self._ahead[seated], self._taken[seated])
        self._held[blocks] &= ~_bit(worker)
        self._granted[worker - 1] -= len(seated)
        self._since[blocks[(self._seated[blocks] | self._held[blocks]) == 0]] = np.inf

    def _free(self, blocks: BlockIds, *, behind: bool) -> Flags:
        room = self._taken[blocks] < self._threshold
        if behind or self._open_seats == self._threshold:
            return room
        return room & (self._ahead[blocks] < self._open_seats)

    def _seat(self, worker: PartyId, blocks: BlockIds, *, behind: bool) -> None:
        self._seated[blocks] |= _bit(worker)
        self._taken[blocks] += 1
        if not behind:
            self._ahead[blocks] += 1
        self._granted[worker - 1] += len(blocks)

    def _empty(self, blocks: BlockIds) -> None:
        self._seated[blocks] = self._held[blocks] = 0
        self._taken[blocks] = self._ahead[blocks] = 0
        self._since[blocks] = np.inf


def _bit(worker: PartyId) -> np.uint64:
    return np.uint64(1) << np.uint64(worker - 1)


def flags_of(workers: Sequence[PartyId], count: int) -> Flags:
    """Give flags, shape (count,), that are set for these workers."""
    flags = np.zeros(count, np.bool_)
    flags[[worker - 1 for worker in workers]] = True
    return flags
