"""Opening sums, the manager's side: announce the closed sets, ask openers, replace the lost ones, combine.

The rules are in `mdl.protocols.opening`, and the worker holds its side of them there; the manager follows
the protocol by assumption.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.errors import InvalidShare
from mdl.party import MANAGER, Party, PartyId
from mdl.protocols import sets as active
from mdl.protocols.gathering import each, leaf
from mdl.protocols.opening import Answer, Closed, Group, Open
from mdl.protocols.pooled import Opening, combined
from mdl.protocols.rows import parts
from mdl.protocols.sets import Sets
from mdl.schemes.threshold import Context, ThresholdEncryption
from mdl.vectors import Flags, Integers

WINDOW: Final = 4
"""Requests under way to one opener: enough to keep it busy, too few to fill its mailbox."""


# manager's side


@dataclass(frozen=True)
class Contribution:
    """One worker's complete upload of an epoch.

    Attributes:
        blocks: ids, ascending, shape (k,).
        body: shape (k, body_bytes).
        hint: shape (k, hint_bytes).
    """

    blocks: NDArray[np.int64]
    body: NDArray[np.uint8]
    hint: NDArray[np.uint8]

    @cached_property
    def _row_of(self) -> NDArray[np.int64]:
        places = np.full(self.blocks[-1] + 1 if len(self.blocks) else 0, -1, np.int64)
        places[self.blocks] = np.arange(len(self.blocks))
        return places

    def body_of(self, blocks: NDArray[np.int64]) -> bytes:
        """Give the bodies of these blocks."""
        return self.body[self._row_of[blocks]].tobytes()

    def hint_of(self, blocks: NDArray[np.int64]) -> bytes:
        """Give the hints of these blocks."""
        return self.hint[self._row_of[blocks]].tobytes()


@dataclass(frozen=True)
class _Job:
    """Blocks that are opened together, and the answers so far, each with the openers it was made for."""

    blocks: NDArray[np.int64]
    members: tuple[PartyId, ...]
    openers: tuple[PartyId, ...]
    answers: dict[PartyId, tuple[tuple[PartyId, ...], bytes]] = field(default_factory=dict)

    @property
    def missing(self) -> list[PartyId]:
        return [opener for opener in self.openers if opener not in self.answers]


async def announce(
    party: Party, closed: Sets, *, epoch: int, workers: int, to: Sequence[PartyId], within: float
) -> None:
    """Tell the workers which sets are closed; one that does not take it in time is passed over."""

    async def tell(worker: PartyId) -> None:
        for part in parts(len(closed), active.width(workers)):
            await party.send(worker, Closed(epoch, part.start, active.to_bytes(closed[part], workers)))

    await each({worker: tell(worker) for worker in to}, within=within)


async def open_sums(
    party: Party,
    scheme: ThresholdEncryption,
    uploads: Mapping[PartyId, Contribution],
    closed: Sets,
    *,
    run: bytes,
    epoch: int,
    block_size: int,
    within: float,
) -> tuple[Flags, Integers]:
    """Open the sum of every closed block with the help of `scheme.threshold` workers a block.

    An opener that leaves, or stays silent for `within` seconds, is replaced by another worker that is online;
    blocks for which none is left stay closed.

    Returns:
        Which blocks were opened, shape (blocks,), and their sums, shape (blocks, block size), zero elsewhere.

    Raises:
        ProtocolError: an answer, or an upload, is wrong.
    """
    online = [peer for peer in party.peers if peer != MANAGER]
    jobs = list(_jobs(scheme, closed, online, hint_bytes=scheme.hint_bytes))
    requests = _Requests(party, scheme, uploads, epoch=epoch)
    done = [job for job in jobs if not job.missing]
    waiting = [job for job in jobs if job.missing]
    silent: set[PartyId] = set()
    while waiting:
        await requests.ask(waiting, within=within)
        done += [job for job in waiting if not job.missing]
        unanswered = [job for job in waiting if job.missing]
        silent |= {opener for job in unanswered for opener in job.missing}
        helpers = [peer for peer in party.peers if peer != MANAGER and peer not in silent]
        waiting = [other for job in unanswered if (other := _with_helpers(job, helpers)) is not None]
    return await _combine_all(
        party, scheme, uploads, done, len(closed), run=run, epoch=epoch, block_size=block_size
    )


def _jobs(
    scheme: ThresholdEncryption, closed: Sets, online: Sequence[PartyId], *, hint_bytes: int
) -> Iterator[_Job]:
    for turn, (mask, blocks) in enumerate(active.groups(closed)):
        members = active.members(mask)
        openers = _choose(members, online, scheme.threshold, turn)
        if openers is not None:
            for part in parts(len(blocks), max(hint_bytes * len(members), scheme.body_bytes)):
                yield _Job(blocks[part], members, openers)


def _choose(
    members: Sequence[PartyId], online: Sequence[PartyId], count: int, turn: int
) -> tuple[PartyId, ...] | None:
    """Members first, then others; starting elsewhere every turn, so that the work is shared evenly."""
    inside = [worker for worker in online if worker in members]
    outside = [worker for worker in online if worker not in members]
    candidates = _rotated(inside, turn) + _rotated(outside, turn)
    return tuple(sorted(candidates[:count])) if len(candidates) >= count else None


def _rotated(workers: list[PartyId], turn: int) -> list[PartyId]:
    start = turn % len(workers) if workers else 0
    return workers[start:] + workers[:start]


def _with_helpers(job: _Job, helpers: Sequence[PartyId]) -> _Job | None:
    """The job with others in place of the openers that did not answer, or None if there are too few."""
    fresh = [helper for helper in helpers if helper not in job.answers]
    lacking = len(job.missing)
    if len(fresh) < lacking:
        return None
    return replace(job, openers=tuple(sorted([*job.answers, *fresh[:lacking]])))


class _Requests:
    """The conversation with all openers about an epoch's jobs."""

    def __init__(
        self,
        party: Party,
        scheme: ThresholdEncryption,
        uploads: Mapping[PartyId, Contribution],
        *,
        epoch: int,
    ) -> None:
        self._party, self._scheme, self._uploads, self._epoch = party, scheme, uploads, epoch
        self._count = 0

    async def ask(self, jobs: Sequence[_Job], *, within: float) -> None:
        """Put each job to each of its missing openers, and file the answers in the jobs."""
        by_opener: dict[PartyId, list[_Job]] = {}
        for job in jobs:
            for opener in job.missing:
                by_opener.setdefault(opener, []).append(job)
        await each({opener: self._ask_one(opener, asked, within) for opener, asked in by_opener.items()})

    async def _ask_one(self, opener: PartyId, jobs: Sequence[_Job], within: float) -> None:
        """Have one opener answer all its jobs; give up once it is silent for `within` seconds."""
        window = asyncio.Semaphore(WINDOW)
        asked: dict[int, Sequence[_Job]] = {}
        batches = list(_batches(jobs, self._scheme.hint_bytes))

        async def send_all() -> None:
            for batch in batches:
                await window.acquire()
                self._count += 1
                request, asked[self._count] = self._count, batch
                groups = tuple(self._group(job, opener) for job in batch)
                await self._party.send(opener, Open(self._epoch, request, groups))

        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(send_all())
                for _ in batches:
                    async with asyncio.timeout(within):
                        answer = await self._receive(opener, asked)
                    self._file(opener, asked.pop(answer.request), answer)
                    window.release()
        except ExceptionGroup as group:
            raise leaf(group) from group

    async def _receive(self, opener: PartyId, asked: Mapping[int, object]) -> Answer:
        while True:
            envelope = await self._party.receive(Answer, sender=opener)
            if envelope.message.request in asked and envelope.message.epoch == self._epoch:
                return envelope.message

    def _group(self, job: _Job, opener: PartyId) -> Group:
        hints = tuple(self._uploads[member].hint_of(job.blocks) for member in job.members if member != opener)
        return Group(job.blocks.astype("<u4").tobytes(), job.members, job.openers, hints)

    def _file(self, opener: PartyId, jobs: Sequence[_Job], answer: Answer) -> None:
        if len(answer.shares) != len(jobs):
            raise InvalidShare("an answer with too few or too many decryption shares", [opener])
        for job, share in zip(jobs, answer.shares, strict=True):
            if len(share) != len(job.blocks) * self._scheme.share_bytes:
                raise InvalidShare("a decryption share of the wrong size", [opener])
            job.answers[opener] = (job.openers, share)


def _batches(jobs: Sequence[_Job], hint_bytes: int) -> Iterator[list[_Job]]:
    """Put small jobs together, as many as fit a message."""
    batch: list[_Job] = []
    size = 0
    for job in jobs:
        job_bytes = len(job.blocks) * (4 + hint_bytes * len(job.members))
        if batch and size + job_bytes > 1 << 20:
            yield batch
            batch, size = [], 0
        batch.append(job)
        size += job_bytes
    if batch:
        yield batch


async def _combine_all(
    party: Party,
    scheme: ThresholdEncryption,
    uploads: Mapping[PartyId, Contribution],
    jobs: Sequence[_Job],
    blocks: int,
    *,
    run: bytes,
    epoch: int,
    block_size: int,
) -> tuple[Flags, Integers]:
    opened = np.zeros(blocks, np.bool_)
    sums = np.zeros((blocks, block_size), np.int64)

    async def combine(batch: Sequence[_Job]) -> None:
        work = [_opening(job, uploads, run=run, epoch=epoch) for job in batch]
        for job, result in zip(batch, await party.to_process(combined, scheme, work), strict=True):
            opened[job.blocks] = True
            sums[job.blocks] = result

    async with asyncio.TaskGroup() as tasks:
        for batch in _batches(jobs, scheme.body_bytes):
            tasks.create_task(combine(batch))
    return opened, sums


def _opening(job: _Job, uploads: Mapping[PartyId, Contribution], *, run: bytes, epoch: int) -> Opening:
    bodies = [uploads[member].body_of(job.blocks) for member in job.members]
    context = Context(run, epoch, job.blocks.tolist(), job.members, job.openers)
    return Opening(bodies, {opener: job.answers[opener] for opener in job.openers}, context)
