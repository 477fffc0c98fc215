"""What the manager of ∝MDL^d holds between messages: uploads that wait, and who has got which values."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdl.party import PartyId
from mdl.protocols import sets as active
from mdl.protocols.outbox import Outbox
from mdl.protocols.policies import QuotaDownload, StaleFirstDownload
from mdl.protocols.rows import rows
from mdl.protocols.seats import BlockIds, Full
from mdl.protocols.sets import Sets
from mdl.protocols.summing import Contribution
from mdl.vectors import Flags


class Uploads:
    """Rows of ciphertext whose sets still collect: one a worker and block.

    Args:
        blocks: how many there are.
        body_bytes: of a row's body.
        hint_bytes: of a row's hint.
    """

    def __init__(self, blocks: int, body_bytes: int, hint_bytes: int) -> None:
        self._blocks, self._body_bytes, self._hint_bytes = blocks, body_bytes, hint_bytes
        # Memory of a row is touched, hence used, only once it has held something.
        self._rows: dict[PartyId, NDArray[np.uint8]] = {}

    def put(self, worker: PartyId, blocks: BlockIds, body: bytes, hint: bytes, kept: Flags) -> None:
        """Keep some of the rows of an upload, in the place of earlier ones of the same worker and blocks.

        Raises:
            ValueError: not as many rows of body and of hint as there are blocks.
        """
        bodies, hints = rows(body, self._body_bytes), rows(hint, self._hint_bytes)
        if (
            len(bodies) != len(blocks)
            or len(hints) not in (len(blocks), 0)
            or bool(len(hints)) != bool(self._hint_bytes)
        ):
            raise ValueError(f"{len(bodies)} bodies and {len(hints)} hints for {len(blocks)} blocks")
        if worker not in self._rows:
            self._rows[worker] = np.empty((self._blocks, self._body_bytes + self._hint_bytes), np.uint8)
        mine = self._rows[worker]
        mine[blocks[kept], : self._body_bytes] = bodies[kept]
        if self._hint_bytes:
            mine[blocks[kept], self._body_bytes :] = hints[kept]

    def take(self, blocks: BlockIds, sets: Sets) -> Mapping[PartyId, Contribution]:
        """Copy out what the members of sets that close now contributed to them."""
        taken = {}
        for worker, mine in self._rows.items():
            theirs = blocks[active.contains(sets, worker)]
            if len(theirs):
                found = mine[theirs]
                taken[worker] = Contribution(
                    theirs, found[:, : self._body_bytes], found[:, self._body_bytes :]
                )
        return taken


@dataclass(frozen=True, eq=False)
class Closed:
    """Sets that are closed and wait to be opened.

    Attributes:
        full: which.
        uploads: what their members uploaded.
        told: the workers that were told of them, each with the outbox that it was told by.
    """

    full: Full
    uploads: Mapping[PartyId, Contribution]
    told: Mapping[PartyId, Outbox]


def take_alike(waiting: Sequence[Closed]) -> tuple[Closed, list[Closed]]:
    """Put the first together with all others of its version that the same workers were told of.

    Returns:
        What can be opened together, and the rest.
    """
    first = waiting[0]
    alike = [c for c in waiting if c.full.version == first.full.version and c.told == first.told]
    rest = [c for c in waiting if c not in alike]
    return _together(alike) if len(alike) > 1 else first, rest


def _together(alike: Sequence[Closed]) -> Closed:
    blocks = np.concatenate([closed.full.blocks for closed in alike])
    order = np.argsort(blocks)
    sets = np.concatenate([closed.full.sets for closed in alike])
    members = {worker for closed in alike for worker in closed.uploads}
    uploads = {
        worker: _merged([closed.uploads[worker] for closed in alike if worker in closed.uploads])
        for worker in sorted(members)
    }
    return Closed(Full(alike[0].full.version, blocks[order], sets[order]), uploads, alike[0].told)


def _merged(uploads: Sequence[Contribution]) -> Contribution:
    blocks = np.concatenate([upload.blocks for upload in uploads])
    order = np.argsort(blocks)
    bodies = np.concatenate([upload.body for upload in uploads])
    hints = np.concatenate([upload.hint for upload in uploads])
    return Contribution(blocks[order], bodies[order], hints[order])


class Refreshes:
    """Who has got which values, where values are handed out by quota.

    Args:
        workers: n.
        blocks: how many there are.
    """

    def __init__(self, workers: int, blocks: int) -> None:
        self._seen = np.zeros((workers, blocks), np.int64)
        self._when = np.zeros((workers, blocks), np.int64)
        self._turns = 0

    def forget(self, worker: PartyId) -> None:
        """A worker has come (again): what it holds is not known."""
        self._seen[worker - 1] = self._when[worker - 1] = 0

    def choose(
        self, worker: PartyId, updates: NDArray[np.int64], policy: QuotaDownload | StaleFirstDownload
    ) -> BlockIds:
        """Choose what a worker gets now, and note that it has it.

        Args:
            worker: who.
            updates: how many times each block has been updated, shape (blocks,).
            policy: how many, and which first.

        Returns:
            Ids, ascending; only blocks that have been updated since the worker got them.
        """
        behind = updates - self._seen[worker - 1]
        candidates = np.flatnonzero(behind)
        first = -behind if isinstance(policy, QuotaDownload) else self._when[worker - 1]
        order = np.argsort(first[candidates], kind="stable")
        # Where only rounding keeps share · blocks from being an integer, it is taken for one.
        chosen = np.sort(candidates[order[: math.ceil(policy.share * len(updates) - 1e-9)]])
        self._turns += 1
        self._seen[worker - 1, chosen] = updates[chosen]
        self._when[worker - 1, chosen] = self._turns
        return chosen


class Exclusive:
    """Lets one at a time work on a block; others wait until all of theirs are free, so nobody deadlocks."""

    def __init__(self, blocks: int) -> None:
        self._busy = np.zeros(blocks, np.bool_)
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def of(self, blocks: BlockIds) -> AsyncIterator[None]:
        """Have these blocks for oneself."""
        while self._busy[blocks].any():
            await self._freed.wait()
        self._busy[blocks] = True
        try:
            yield
        finally:
            self._busy[blocks] = False
            # Nothing is awaited here: a cancellation could keep the others from being woken.
            self._freed.set()
            self._freed = asyncio.Event()
