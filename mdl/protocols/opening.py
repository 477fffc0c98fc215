"""Opening sums: closed sets, decryption shares, and the rules that keep a single gradient from being opened.

Whatever the scheme, the following holds here, once and for all:

1. a set is *closed* and announced to every worker before any share is given, and has at least m members;
2. a worker answers once per (epoch, block), and only for the announced set;
3. if it is in the set, the entry that stands for it is its own: it is never shown one, but uses the one it
kept;
4. no second sum of the same gradients is opened over another set, not even after a crash: the announced
sets are
   on disk before any share leaves, and a repeated epoch is held to them;
5. members are asked first; where one is gone, any other worker that is online helps out.

The other side of each rule is the manager's (`open_sums`), which follows the protocol by assumption; the
worker's (`Opener`) holds even where it does not, as far as a worker alone can tell (docs/security.md says
how far that is).
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from mdl.errors import InvalidShare, ProtocolError
from mdl.party import MANAGER, Message, Party, PartyId
from mdl.protocols import sets as active
from mdl.protocols.gathering import each, leaf
from mdl.protocols.pooled import Opening, combined, shares_of
from mdl.protocols.rows import parts, rows
from mdl.protocols.sets import Sets
from mdl.schemes.threshold import Context, KeyShare, ThresholdEncryption
from mdl.system import Journal
from mdl.vectors import Flags, Integers

WINDOW = 4
"""Requests under way to one opener: enough to keep it busy, too few to fill its mailbox."""


class Closed(Message, frozen=True):
    """Manager to workers: the active sets of the blocks from `first` on are closed, and these."""

    epoch: int
    first: int
    sets: bytes


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Blocks with one set and one choice of openers; hints (g^r) of all members but the receiver."""

    blocks: bytes
    members: tuple[int, ...]
    openers: tuple[int, ...]
    hints: tuple[bytes, ...]


class Open(Message, frozen=True):
    """Manager to an opener: answer for these groups (the auxiliary message of Algorithm 2, line 8)."""

    epoch: int
    request: int
    groups: tuple[Group, ...]


class Answer(Message, frozen=True):
    """Opener to manager: decryption shares d_i, one row a block, group by group (Algorithm 3, line 11)."""

    epoch: int
    request: int
    shares: tuple[bytes, ...]


# ---------------------------------------------------------------------------------------------- the
# worker's side


class Opener:
    """A worker's conscience: what it uploaded, which sets it was told, what it has answered for."""

    def __init__(
        self,
        scheme: ThresholdEncryption,
        key_share: KeyShare,
        *,
        run: bytes,
        visibility_threshold: int,
        workers: int,
        blocks: int,
        journal: Journal,
    ) -> None:
        self._scheme, self._key_share, self._run = scheme, key_share, run
        self._threshold, self._workers, self._blocks = visibility_threshold, workers, blocks
        self._journal = journal
        self._epoch = 0

    def begin(self, epoch: int) -> None:
        """Start an epoch: nothing uploaded, nothing closed, nothing answered."""
        assert epoch > self._epoch
        self._epoch = epoch
        self._sets: Sets = np.zeros(self._blocks, np.uint64)
        self._told = 0
        self._answered: Flags = np.zeros(self._blocks, np.bool_)
        self._row_of = np.full(self._blocks, -1, np.int64)
        self._hints = rows(b"", 0)

    def uploaded(self, blocks: NDArray[np.int64], hint: bytes) -> None:
        """Remember what was uploaded: these blocks, with one row of hint each.

        Raises:
            ProtocolError: something was uploaded in this epoch already.
        """
        if (self._row_of >= 0).any():
            raise _blame_manager("called to upload twice in one epoch")
        self._row_of[blocks] = np.arange(len(blocks))
        self._hints = rows(hint, self._scheme.hint_bytes)

    async def closed(self, party: Party, message: Closed) -> None:
        """Take note of closed sets (rules 1 and 4); once all are known, put them on disk.

        Raises:
            ProtocolError: a set that may not be opened.
        """
        told = self._read(message)
        self._sets[message.first : message.first + len(told)] = told
        self._told += len(told)
        if self._told == self._blocks:
            record = self._reconciled(await earlier_sets(party, self._journal, self._epoch, self._workers))
            await keep_sets(party, self._journal, self._epoch, record, self._workers)

    def _read(self, message: Closed) -> Sets:
        self._of_this_epoch(message.epoch)
        try:
            told = active.from_bytes(message.sets, self._workers)
        except ValueError as error:
            raise _blame_manager(f"closed sets that are none: {error}") from error
        if message.first != self._told or self._told + len(told) > self._blocks:
            raise _blame_manager("closed sets out of order, or told twice")
        if ((told != 0) & (active.sizes(told) < self._threshold)).any():
            raise _blame_manager(f"a closed set has fewer than m = {self._threshold} members")
        mine = active.contains(told, self._key_share.point)
        if (mine & (self._row_of[message.first : message.first + len(told)] < 0)).any():
            raise _blame_manager("a closed set counts this worker in where it uploaded nothing")
        return told

    def _reconciled(self, earlier: Sets | None) -> Sets:
        """What to keep on disk: a block closed in an earlier attempt at this epoch keeps that set."""
        if earlier is None:
            return self._sets
        both = (earlier != 0) & (self._sets != 0)
        if (earlier[both] != self._sets[both]).any():
            raise _blame_manager("a repeated epoch closes a block over another set than the first time")
        return np.where(self._sets != 0, self._sets, earlier)

    async def answer(self, party: Party, message: Open) -> Answer:
        """Make the decryption shares that `message` asks for (rules 2 and 3).

        Raises:
            ProtocolError: it asks for what may not be opened.
            InvalidShare: it shows elements that are none.
        """
        self._of_this_epoch(message.epoch)
        requests = [self._checked(group) for group in message.groups]
        shares = await party.to_process(shares_of, self._scheme, self._key_share, requests)
        return Answer(message.epoch, message.request, tuple(shares))

    def _checked(self, group: Group) -> tuple[list[bytes], Context]:
        if len(group.blocks) % 4:
            raise _blame_manager("asked to open a list of blocks that is none")
        blocks, me = np.frombuffer(group.blocks, "<u4").astype(np.int64), self._key_share.point
        if self._told < self._blocks:
            raise _blame_manager("asked for shares before all sets were closed")
        if len(blocks) == 0 or blocks[-1] >= self._blocks or (np.diff(blocks) <= 0).any():
            raise _blame_manager("asked to open blocks that are none, or one twice")
        mask = sum(1 << (member - 1) for member in group.members if 0 < member <= self._workers)
        if active.members(mask) != group.members or (self._sets[blocks] != np.uint64(mask)).any() or not mask:
            raise _blame_manager("asked to open another set than the closed one")
        if me not in group.openers or len(set(group.openers)) != self._scheme.threshold:
            raise _blame_manager(
                f"asked to open among {group.openers}, where {self._scheme.threshold} must answer"
            )
        if self._answered[blocks].any():
            raise _blame_manager("asked twice for the same epoch and block")
        self._answered[blocks] = True
        hints = list(group.hints)
        if me in group.members:
            hints.insert(group.members.index(me), self._hints[self._row_of[blocks]].tobytes())
        if any(len(hint) != len(blocks) * self._scheme.hint_bytes for hint in hints) or len(hints) != len(
            group.members
        ):
            raise _blame_manager("asked to open with hints that do not fit the blocks")
        return hints, Context(self._run, self._epoch, blocks.tolist(), group.members, group.openers)

    def _of_this_epoch(self, epoch: int) -> None:
        if epoch != self._epoch:
            raise _blame_manager(f"a message of epoch {epoch} in epoch {self._epoch}")


async def earlier_sets(party: Party, journal: Journal, epoch: int, workers: int) -> Sets | None:
    """Give the sets that an earlier attempt at this epoch closed, or None if there was none."""
    kept = await party.to_thread("record", journal.read, "sets", epoch)
    return active.from_bytes(kept["sets"].tobytes(), workers) if kept else None


async def keep_sets(party: Party, journal: Journal, epoch: int, closed: Sets, workers: int) -> None:
    """Put the closed sets of an epoch on disk."""
    rows_of_sets = np.frombuffer(active.to_bytes(closed, workers), np.uint8)
    await party.to_thread("record", journal.write, "sets", epoch, {"sets": rows_of_sets})


def _blame_manager(what: str) -> ProtocolError:
    return ProtocolError(f"refused to open: {what}", [MANAGER])


# --------------------------------------------------------------------------------------------- the
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
