"""What the manager of ∝MDL^d holds between messages: uploads that wait, and who has got which values."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import numpy as np
from numpy.typing import NDArray

from mdl.party import PartyId
from mdl.protocols import sets as active
from mdl.protocols.policies import QuotaDownload, StaleFirstDownload
from mdl.protocols.rows import rows
from mdl.protocols.seats import BlockIds
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
