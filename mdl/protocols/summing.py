"""Opening sums, the manager's side: announce the closed sets, ask openers, replace the lost ones, combine.

The rules are in `mdl.protocols.opening`, and the worker holds its side of them there; the manager follows
the protocol by assumption.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdl.errors import InvalidShare, PeerLeft, leaf
from mdl.party import Message, Party, PartyId
from mdl.protocols import sets as active
from mdl.protocols.gathering import each
from mdl.protocols.opening import Answer, Closed, Group, Open
from mdl.protocols.pooled import Opening, combined
from mdl.protocols.rows import parts
from mdl.protocols.sets import Sets
from mdl.schemes.threshold import Context, ThresholdEncryption
from mdl.vectors import Integers

WINDOW: Final = 4
"""Requests under way to one opener: enough to keep it busy, too few to fill its mailbox."""

Send: TypeAlias = Callable[[PartyId, Message], Awaitable[None]]


@dataclass(frozen=True)
class Contribution:
    """What one worker uploaded for some blocks.

    Attributes:
        blocks: ids, ascending, shape (k,).
        body: shape (k, body_bytes).
        hint: shape (k, hint_bytes).
    """

    blocks: NDArray[np.int64]
    body: NDArray[np.uint8]
    hint: NDArray[np.uint8]

    def body_of(self, blocks: NDArray[np.int64]) -> bytes:
        """Give the bodies of some of these blocks."""
        return self.body[np.searchsorted(self.blocks, blocks)].tobytes()

    def hint_of(self, blocks: NDArray[np.int64]) -> bytes:
        """Give the hints of some of these blocks."""
        return self.hint[np.searchsorted(self.blocks, blocks)].tobytes()


@dataclass(frozen=True)
class Opened:
    """Sums that were opened.

    Attributes:
        members: the active set that all these blocks have.
        blocks: ids, ascending, shape (k,).
        sums: shape (k, block size).
    """

    members: tuple[PartyId, ...]
    blocks: NDArray[np.int64]
    sums: Integers


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


@dataclass(frozen=True)
class _Question:
    """One that waits for its answer, and how long it still may."""

    answered: asyncio.Future[Message]
    clock: asyncio.Timeout
    within: float


class Desk:
    """Puts requests to openers, many at once, and brings each answer to whoever asked for it.

    Whoever is asked much answers one request after the other. Any answer of a worker shows that it is at
    work, so from then on it has the whole time again for each of the others.

    Args:
        party: the manager.
        send: how a request leaves; by default straight over the link.
        numbers: of requests. One source for all desks of a run: an answer that comes too late then fits no
            other question.
    """

    def __init__(
        self, party: Party, send: Send | None = None, *, numbers: Iterator[int] | None = None
    ) -> None:
        self.party = party
        self.silent: set[PartyId] = set()
        self._send = send or party.send
        self._numbers = numbers or count(1)
        self._asked: dict[tuple[PartyId, int], _Question] = {}

    async def ask(
        self, opener: PartyId, epoch: int, groups: tuple[Group, ...], *, within: float
    ) -> Sequence[bytes]:
        """Have an opener answer for some groups; give its shares.

        Raises:
            PeerLeft: it is gone.
            TimeoutError: it was silent for `within` seconds. It counts as `silent` until an answer comes.
            InvalidShare: it answered with another number of shares.
        """
        message = Open(epoch, next(self._numbers), groups)
        reply = await self.question(opener, message, message.request, within=within)
        if not isinstance(reply, Answer) or len(reply.shares) != len(groups):
            raise InvalidShare("an answer with too few or too many decryption shares", [opener])
        return reply.shares

    async def question(self, worker: PartyId, message: Message, request: int, *, within: float) -> Message:
        """Put any question to a worker; give the answer to this request.

        Raises:
            PeerLeft: it is gone.
            TimeoutError: it was silent for `within` seconds. It counts as `silent` until an answer comes.
        """
        answered: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        gone: asyncio.Future[Any] = asyncio.ensure_future(self.party.departure(worker))
        try:
            async with asyncio.timeout(within) as clock:
                self._asked[worker, request] = _Question(answered, clock, within)
                await self._send(worker, message)
                await asyncio.wait((answered, gone), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            self.silent.add(worker)
            raise
        finally:
            gone.cancel()
            del self._asked[worker, request]
        if not answered.done():
            raise PeerLeft("an opener has left", [worker])
        return answered.result()

    def take(self, sender: PartyId, request: int, answer: Message) -> None:
        """Hand an answer to whoever waits for it; one that came too late is dropped."""
        self.silent.discard(sender)
        waiting = self._asked.get((sender, request))
        if waiting is not None and not waiting.answered.done():
            waiting.answered.set_result(answer)
        now = asyncio.get_running_loop().time()
        for (worker, _), question in self._asked.items():
            if worker == sender and not question.clock.expired():
                question.clock.reschedule(now + question.within)

    async def serve(self) -> None:
        """Take answers as they come, until cancelled; for a manager that awaits nothing else meanwhile."""
        with suppress(PeerLeft):  # everybody: whoever asked finds out for itself
            while True:
                envelope = await self.party.receive(Answer)
                self.take(envelope.sender, envelope.message.request, envelope.message)


async def announce(
    party: Party, closed: Sets, *, epoch: int, workers: int, to: Sequence[PartyId], within: float
) -> Sequence[PartyId]:
    """Tell the workers which sets are closed; give those that took it in time."""

    async def tell(worker: PartyId) -> None:
        for part in parts(len(closed), active.width(workers)):
            await party.send(worker, Closed(epoch, part.start, active.to_bytes(closed[part], workers)))

    return list(await each({worker: tell(worker) for worker in to}, within=within))


async def open_sums(
    desk: Desk,
    scheme: ThresholdEncryption,
    uploads: Mapping[PartyId, Contribution],
    groups: Sequence[tuple[int, NDArray[np.int64]]],
    *,
    online: Callable[[], Sequence[PartyId]],
    run: bytes,
    epoch: int,
    within: float,
) -> Sequence[Opened]:
    """Open the sums of closed blocks with the help of `scheme.threshold` workers a block.

    Args:
        desk: asks the openers. Somebody must give it the answers (`Desk.take`, `Desk.serve`).
        scheme: how sums are hidden.
        uploads: by worker: what the members of the groups uploaded.
        groups: active sets as masks, and the blocks of each (`mdl.protocols.sets.groups`).
        online: the workers that have been told of the closed sets and are there. It may shrink meanwhile.
        run: the run's identity.
        epoch: of the sets.
        within: an opener that is silent for so many seconds is replaced by another worker that is online;
            blocks for which none is left stay closed.

    Returns:
        What was opened; blocks that could not be are absent.

    Raises:
        ProtocolError: an answer, or an upload, is wrong.
    """
    requests = _Requests(desk, scheme, uploads, epoch=epoch)
    jobs = list(_jobs(scheme, groups, online(), desk.silent))
    done = [job for job in jobs if not job.missing]
    waiting = [job for job in jobs if job.missing]
    lost: set[PartyId] = set()
    while waiting:
        await requests.ask(waiting, within=within)
        done += [job for job in waiting if not job.missing]
        unanswered = [job for job in waiting if job.missing]
        lost |= {opener for job in unanswered for opener in job.missing}
        left = [worker for worker in online() if worker not in lost]
        replaced = (
            _with_helpers(job, _ranked(job.members, left, desk.silent, turn))
            for turn, job in enumerate(unanswered)
        )
        waiting = [job for job in replaced if job is not None]
    return await _combine_all(desk.party, scheme, uploads, done, run=run, epoch=epoch)


def _jobs(
    scheme: ThresholdEncryption,
    groups: Sequence[tuple[int, NDArray[np.int64]]],
    online: Sequence[PartyId],
    silent: set[PartyId],
) -> Iterator[_Job]:
    for turn, (mask, blocks) in enumerate(groups):
        members = active.members(mask)
        openers = _choose(members, online, silent, scheme.threshold, turn)
        if openers is not None:
            for part in parts(len(blocks), max(_asked_bytes(scheme, len(members)), scheme.body_bytes)):
                yield _Job(blocks[part], members, openers)


def _choose(
    members: Sequence[PartyId], online: Sequence[PartyId], silent: set[PartyId], count: int, turn: int
) -> tuple[PartyId, ...] | None:
    candidates = _ranked(members, online, silent, turn)
    return tuple(sorted(candidates[:count])) if len(candidates) >= count else None


def _ranked(
    members: Sequence[PartyId], online: Sequence[PartyId], silent: set[PartyId], turn: int
) -> list[PartyId]:
    """Members first, then others, the silent last; starting elsewhere every turn, so that all get a share."""
    ranked: list[PartyId] = []
    for quiet in (False, True):
        for inside in (True, False):
            alike = [w for w in online if (w in silent) == quiet and (w in members) == inside]
            ranked += _rotated(alike, turn)
    return ranked


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
        desk: Desk,
        scheme: ThresholdEncryption,
        uploads: Mapping[PartyId, Contribution],
        *,
        epoch: int,
    ) -> None:
        self._desk, self._scheme, self._uploads, self._epoch = desk, scheme, uploads, epoch

    async def ask(self, jobs: Sequence[_Job], *, within: float) -> None:
        """Put each job to each of its missing openers, and file the answers in the jobs."""
        by_opener: dict[PartyId, list[_Job]] = {}
        for job in jobs:
            for opener in job.missing:
                by_opener.setdefault(opener, []).append(job)
        await each({opener: self._ask_one(opener, asked, within) for opener, asked in by_opener.items()})

    async def _ask_one(self, opener: PartyId, jobs: Sequence[_Job], within: float) -> None:
        """Have one opener answer all its jobs; give up once it is silent for `within` seconds."""
        batches = _batches(jobs, lambda job: _asked_bytes(self._scheme, len(job.members)))

        async def work() -> None:
            for batch in batches:  # shared: each of the tasks takes the next one
                groups = tuple(self._group(job, opener) for job in batch)
                self._file(opener, batch, await self._desk.ask(opener, self._epoch, groups, within=within))

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(WINDOW):
                    tasks.create_task(work())
        except ExceptionGroup as group:
            raise leaf(group) from group

    def _group(self, job: _Job, opener: PartyId) -> Group:
        hints = tuple(
            self._scheme.shown(self._uploads[member].hint_of(job.blocks), opener)
            for member in job.members
            if member != opener
        )
        return Group(job.blocks.astype("<u4").tobytes(), job.members, job.openers, hints)

    def _file(self, opener: PartyId, jobs: Sequence[_Job], shares: Sequence[bytes]) -> None:
        for job, share in zip(jobs, shares, strict=True):
            if len(share) != len(job.blocks) * self._scheme.share_bytes:
                raise InvalidShare("a decryption share of the wrong size", [opener])
            job.answers[opener] = (job.openers, share)


def _asked_bytes(scheme: ThresholdEncryption, members: int) -> int:
    """Bytes of a block in the larger of a request, without its own number, and its answer."""
    return max(scheme.shown_bytes * members, scheme.share_bytes)


def _batches(jobs: Sequence[_Job], width: Callable[[_Job], int]) -> Iterator[list[_Job]]:
    """Put small jobs together, as many as fit a message; `width` gives the bytes of a job's block."""
    batch: list[_Job] = []
    size = 0
    for job in jobs:
        job_bytes = len(job.blocks) * (4 + width(job))
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
    *,
    run: bytes,
    epoch: int,
) -> Sequence[Opened]:
    opened: list[Opened] = []

    async def combine(batch: Sequence[_Job]) -> None:
        work = [_opening(job, uploads, run=run, epoch=epoch) for job in batch]
        sums = await party.to_process(combined, scheme, work)
        opened.extend(Opened(job.members, job.blocks, s) for job, s in zip(batch, sums, strict=True))

    try:
        async with asyncio.TaskGroup() as tasks:
            for batch in _batches(jobs, lambda job: scheme.body_bytes * len(job.members)):
                tasks.create_task(combine(batch))
    except ExceptionGroup as group:
        raise leaf(group) from group
    return opened


def _opening(job: _Job, uploads: Mapping[PartyId, Contribution], *, run: bytes, epoch: int) -> Opening:
    bodies = [uploads[member].body_of(job.blocks) for member in job.members]
    context = Context(run, epoch, job.blocks.tolist(), job.members, job.openers)
    return Opening(bodies, {opener: job.answers[opener] for opener in job.openers}, context)
