"""∝MDL^d: contributions are taken first come, first served; a slow or lost worker holds up nobody.

Zhang, Ji, Wang, Wang, "Private, yet Practical, Multiparty Deep Learning", §V. Algorithm 4 is `_Manager`,
Algorithm 5 `_Worker`; comments give their lines. In ``mode = "safe"`` a block's active set closes at its m-th
contribution, and only then m workers answer for it, once. ``mode = "paper"`` gives shares on arrival, as
printed, and leaks (`mdl.protocols.on_arrival`). Both give the same sums. Departures from the print, each with
its reason, are in docs/systems/dynamic.md.
"""

import asyncio
import builtins
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from mdl.errors import MdlError, PeerLeft, ProtocolError, TooFewWorkers
from mdl.party import MANAGER, Message, Party, PartyId, broadcast
from mdl.protocols import selection as select
from mdl.protocols import sets as active
from mdl.protocols.aggregate import Aggregate
from mdl.protocols.convergence import Convergence
from mdl.protocols.gathering import each, leaf
from mdl.protocols.local import Keeper, fitting, scored, train_from
from mdl.protocols.on_arrival import Arrivals, ArrivalWorker, Raise, Raised, RaisedOwn, RaiseOwn
from mdl.protocols.opening import Answer, Open
from mdl.protocols.outbox import Outbox
from mdl.protocols.policies import (
    Admission,
    ContributionDownload,
    Download,
    FirstCome,
    QuotaDownload,
    StaleFirstDownload,
)
from mdl.protocols.pooled import encrypted
from mdl.protocols.rows import parts, rows
from mdl.protocols.seats import BlockIds, Full, Seats, flags_of
from mdl.protocols.selection import Selection
from mdl.protocols.summing import Contribution, Desk, Opened, open_sums
from mdl.protocols.uploads import Exclusive, Refreshes, Uploads
from mdl.protocols.versions import Closing, Offers, VersionOpener, closings
from mdl.schemes.elgamal import ElGamal
from mdl.schemes.threshold import Context, KeyShare
from mdl.system import Arrays, Learner, Outcome, Randomness, Task, star
from mdl.systems.credentials import Credentials, deal_threshold
from mdl.systems.explanations import explain_dynamic
from mdl.systems.visibility import VisibilitySettings
from mdl.vectors import Blocks, Flags, Integers, pack_flags, unpack_flags

OPENINGS = 4
"""Openings the manager has under way at once: enough to keep openers and its pool busy."""

# ---------------------------------------------------------------------------------------------------------
# messages


class Join(Message, frozen=True):
    """Worker to manager: here I am, for the first time or again, with so many epochs behind me."""

    epoch: int


class Welcome(Message, frozen=True):
    """Manager to worker: the versions that collect, uint32 each, from block `first` on of so many blocks.

    `seated` is a bitmap: in which of these the worker still has a seat, from before it left.
    """

    first: int
    versions: bytes
    seated: bytes


class Upload(Message, frozen=True):
    """Worker to manager: c_i and g^{r_i} for this version of these blocks (Algorithm 5, line 3)."""

    version: int
    blocks: bytes
    body: bytes
    hint: bytes


class EpochDone(Message, frozen=True):
    """Worker to manager: I have trained this epoch of mine, and uploaded what I offer of it."""

    epoch: int


class Values(Message, frozen=True):
    """Manager to worker: w^g of blocks of which this version was opened, float32 (*download*)."""

    version: int
    blocks: bytes
    values: bytes


class Missed(Message, frozen=True):
    """Manager to contributors: this version of these blocks could not be opened. It is lost."""

    version: int
    blocks: bytes


class Refresh(Message, frozen=True):
    """Manager to worker: present values of w^g that it had not got, float32, where the policy says so."""

    blocks: bytes
    values: bytes


class Finish(Message, frozen=True):
    """Manager to all: it is over."""

    reason: str


# ---------------------------------------------------------------------------------------------------------
# system


class Dynamic(VisibilitySettings):
    """The `[system]` table for `type = "dynamic"`: the keys of `VisibilitySettings`, and these.

    Attributes:
        mode: ``"safe"``; or ``"paper"`` for the printed protocol, which leaks and needs `insecure = true`.
        selection: as in `VisibilitySettings`; drawn by each worker of the blocks in which it has no seat yet.
        window: versions of a block that may be decrypted at once while the next one collects.
        max_staleness: a contribution is dropped once more versions of its block than this have closed since
            its gradient began to be computed.
        download: who gets which new values.
        admission: who gets which of the m seats.
        timeout_seconds: how long the manager waits for a worker to answer, or to take a message. Workers
            answer while they train.
    """

    type: Literal["dynamic"] = "dynamic"
    mode: Literal["safe", "paper"] = "safe"
    selection: Selection = "random"
    window: Annotated[int, Ge(1), Le(16)] = 2
    max_staleness: Annotated[int, Ge(0)] = 4
    download: Download = ContributionDownload()
    admission: Admission = FirstCome()
    timeout_seconds: Annotated[float, Gt(0)] = 60.0

    @property
    def needs_pool(self) -> bool:
        """All but the plain oracle do."""
        return self.scheme.type != "plain"

    @property
    def own_pace(self) -> bool:
        """Every worker counts its own epochs."""
        return True

    @property
    def tolerates_loss(self) -> bool:
        """The run goes on as long as m workers remain."""
        return True

    def largest_set(self, workers: int) -> int:
        """Give m: sets close at the m-th contribution."""
        return self.visibility_threshold(workers)

    def problems(self, workers: int) -> Sequence[str]:
        """See `System`."""
        found = list(super().problems(workers))
        found += self.admission.problems(self.visibility_threshold(workers))
        if self.mode == "paper":
            found += self._printed_problems()
        return found

    def _printed_problems(self) -> list[str]:
        found = []
        if not self.insecure:
            found.append(
                'system.mode: "paper" gives shares on arrival: the manager and one worker outside a set read '
                "the gradient of the last that joined it; say system.insecure = true to study it"
            )
        if self.scheme.type != "elgamal":
            found.append('system.mode: "paper" is about ElGamal: set system.scheme.type = "elgamal"')
        if self.admission.type != "first-come":
            found.append('system.mode: "paper" knows admission.type = "first-come" alone')
        if self.opening_threshold is not None:
            found.append(
                'system.opening_threshold: in mode = "paper" the m contributors open, and nobody else'
            )
        return found

    def explain(self, workers: int, parameters: int) -> Sequence[str]:
        """See `System`."""
        return explain_dynamic(
            self,
            workers=workers,
            parameters=parameters,
            printed=self.mode == "paper",
            download=self.download.type,
            admission=self.admission.type,
        )

    def terms(self, workers: int) -> Mapping[str, str]:
        """See `System`."""
        return self.agreed(workers)

    def roster(self, workers: int) -> Sequence[PartyId]:
        """The manager and the workers."""
        return range(workers + 1)

    def links(self, workers: int) -> Sequence[tuple[PartyId, PartyId]]:
        """A star."""
        return star(workers)

    def receives(self, party: PartyId) -> Sequence[builtins.type[Message]]:
        """See `System`. No message carries a plain value up; see docs/security.md."""
        printed = self.mode == "paper"
        if party == MANAGER:
            return (Join, Upload, EpochDone, *((Raised, RaisedOwn) if printed else (Answer,)))
        asked = (Raise, RaiseOwn) if printed else (Open,)
        return (Welcome, Closing, *asked, Values, Missed, Refresh, Finish)

    def deal(self, workers: int, *, rng: Randomness) -> Mapping[PartyId, bytes]:
        """Be the trusted authority (Algorithm 1): the public key to all, a share to each worker."""
        return deal_threshold(self.build_scheme(workers), self.roster(workers), rng=rng)

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        """Play the manager's part, or a worker's."""
        if party.id == MANAGER:
            return await _Manager(self, party, learner, task).run()
        return await _Worker(self, party, learner, task).run()


# ---------------------------------------------------------------------------------------------------------
# worker: Algorithm 5


class _Worker:
    """Worker A_i: one coroutine trains and contributes, another hears the manager and answers meanwhile."""

    def __init__(self, system: Dynamic, party: Party, learner: Learner, task: Task) -> None:
        self._system, self._party, self._learner, self._task = system, party, learner, task
        self._keeper = Keeper(party, learner, task)
        self._scheme = system.build_scheme(task.workers)
        credentials = Credentials.read(task.credentials)
        self._public_key = credentials.public_key
        self._key_share = KeyShare(party.id, credentials.secret)
        self._local = learner.parameters()  # the same start at all parties
        self._blocks = Blocks(len(self._local), system.block)
        self._epoch = task.resume
        self._offers = Offers(self._blocks.count, system.block, max_staleness=system.max_staleness)
        self._accepted = np.zeros(task.workers, np.int64)
        self._news = asyncio.Event()
        self._latecomers = asyncio.Event()
        self._new_values = np.zeros((self._blocks.count, system.block), np.float32)
        self._has_new: Flags = np.zeros(self._blocks.count, np.bool_)
        self._received = self._lost = 0

    async def run(self) -> Outcome:
        await self._party.to_process(self._scheme.check_key_share, self._public_key, self._key_share)
        self._local = await self._keeper.restored(self._local)
        reason = await self._take_part()
        await self._keeper.finish(self._epoch, self._local)
        return Outcome(self._epoch, reason, self._local)

    async def _take_part(self) -> str:
        """Train, contribute and answer until the manager says that it is over; give its reason."""
        try:
            await self._party.send(MANAGER, Join(self._epoch))
            await self._welcomed()
            async with asyncio.TaskGroup() as tasks:
                own = [tasks.create_task(self._train()), tasks.create_task(self._offer_again())]
                reason = await self._listen(tasks)
                for task in own:
                    task.cancel()
        except PeerLeft:
            # The manager is gone. If it said why, all is well; if not, this fails again.
            reason = (await self._party.receive(Finish, sender=MANAGER)).message.reason
        except ExceptionGroup as group:
            raise leaf(group) from group
        self._take_over_values()
        return reason

    async def _welcomed(self) -> None:
        versions, seated = [], []
        missing = self._blocks.count
        while missing:
            message = (await self._party.receive(Welcome, sender=MANAGER)).message
            found = np.frombuffer(message.versions, "<u4").astype(np.int64)
            if message.first != self._blocks.count - missing or not 0 < len(found) <= missing:
                raise ProtocolError("a welcome that does not fit the model", [MANAGER])
            versions.append(found)
            seated.append(unpack_flags(message.seated, len(found)))
            missing -= len(found)
        self._opener = VersionOpener(
            self._scheme,
            self._key_share,
            run=self._task.run,
            visibility_threshold=self._system.visibility_threshold(self._task.workers),
            workers=self._task.workers,
            window=self._system.window,
            versions=np.concatenate(versions),
        )
        before = np.flatnonzero(np.concatenate(seated))
        self._opener.uploaded_before(before)
        self._offers.put_before(before)
        if self._system.mode == "paper":
            assert isinstance(self._scheme, ElGamal)
            self._arrival = ArrivalWorker(self._scheme, self._public_key, self._key_share)

    # ------------------------------------------------------------------------------------------ contributing

    async def _train(self) -> None:
        """Train epoch after epoch at one's own pace, and offer what comes of each."""
        try:
            while True:  # line 1
                await self._one_epoch()
                await self._wait_for_values()
        except PeerLeft:
            return  # `_listen` finds out why

    async def _one_epoch(self) -> None:
        epoch = self._epoch + 1
        bases = self._opener.versions.copy()
        trained = await train_from(self._party, self._learner, self._local, self._task, epoch)
        gradient = (self._local.astype(np.float64) - trained) / self._learner.learning_rate
        encoded, saturated = self._system.fixed_point.encode(gradient)
        # What the global model has no new value for keeps its local step.
        self._local, self._epoch = trained, epoch
        self._take_over_values()
        # On disk before anything of this epoch leaves: whoever comes back from here never computes, hence
        # never offers, the same gradient again.
        await self._keeper.epoch_done(epoch, self._local)
        await self._offer(self._blocks.split(encoded), bases)
        await self._party.send(MANAGER, EpochDone(epoch))
        self._party.record("updated", epoch, updated=self._received, missed=self._lost, saturated=saturated)
        self._received = self._lost = 0

    async def _offer(self, values: Integers, bases: NDArray[np.int64]) -> None:
        """Offer as many blocks as one's share is, of those in which one has no seat yet (line 2)."""
        among = self._offers.free & self._offers.fresh(self._opener.versions, bases)
        blocks = np.flatnonzero(self._choose(values, among))
        self._offers.put(blocks, values[blocks], bases[blocks])
        await self._upload(blocks, values[blocks])

    def _choose(self, values: Integers, among: Flags) -> Flags:
        system, task, count = self._system, self._task, self._blocks.count
        if system.selection == "balanced":
            everybody = range(1, task.workers + 1)
            each_block = system.contributors(task.workers)
            assigned = select.balanced(
                task.seed, self._epoch, present=everybody, blocks=count, each=each_block
            )
            return assigned[:, self._party.id - 1] & among
        stretch = system.admission.stretch(self._accepted, self._party.id)
        # At least one: as long as every worker that is there offers something, some set fills.
        take = min(count, max(1, int(stretch * system.blocks_each(task.workers, count))))
        if system.selection == "magnitude":
            return select.largest(np.abs(values).sum(axis=1).astype(np.float64), among=among, take=take)
        return select.drawn(task.seed, self._epoch, worker=self._party.id, among=among, take=take)

    async def _upload(self, blocks: BlockIds, values: Integers) -> None:
        """Encrypt and hand in part by part (line 3), each block for the version that collects now."""
        versions = self._opener.versions[blocks]
        width = self._scheme.body_bytes + self._scheme.hint_bytes
        for version in np.unique(versions).tolist():
            mine = np.flatnonzero(versions == version)
            for part in parts(len(mine), width):
                await self._upload_part(version, blocks[mine[part]], values[mine[part]])

    async def _upload_part(self, version: int, blocks: BlockIds, values: Integers) -> None:
        context = Context(self._task.run, version, blocks.tolist())
        if self._system.mode == "paper":
            ciphertext = await self._arrival.encrypt(
                self._party, values, context, np.full(len(blocks), version)
            )
        else:
            ciphertext = await self._party.to_process(
                encrypted, self._scheme, self._public_key, values, context
            )
        # What has closed meanwhile is late, and `_offer_again` sees to it.
        still = self._opener.versions[blocks] == version
        blocks = blocks[still]
        if not len(blocks):
            return
        body = rows(ciphertext.body, self._scheme.body_bytes)[still].tobytes()
        hints = rows(ciphertext.hint, self._scheme.hint_bytes)
        hint = hints[still].tobytes() if len(hints) else b""
        self._opener.uploaded(blocks, version, hint)
        await self._party.send(MANAGER, Upload(version, _pack(blocks), body, hint))

    async def _offer_again(self) -> None:
        """Contribute what came too late for one version to the next."""
        try:
            while True:
                await self._latecomers.wait()
                self._latecomers.clear()
                blocks, values = self._offers.take_late(self._opener.versions)
                await self._upload(blocks, values)
                self._news.set()
        except PeerLeft:
            return  # `_listen` finds out why

    async def _wait_for_values(self) -> None:
        """Wait for the values of sets that have closed with this worker in them: they are sure to come.

        It does not wait for a set that may not fill, except where it has nothing else to do: a seat in every
        block. (Then all others that are there have one too or will, so some set fills.)
        """
        pushed = self._system.download.type in ("contribution", "all")
        while (pushed and self._opener.awaits_values) or not self._offers.free.any():
            self._news.clear()
            await self._news.wait()
        self._take_over_values()

    def _take_over_values(self) -> None:
        """Put the global values that have come in the place of the local ones, between two epochs."""
        if self._has_new.any():
            local = self._blocks.split(self._local).copy()
            local[self._has_new] = self._new_values[self._has_new]
            self._local = self._blocks.join(local).astype(np.float32)
            self._has_new[:] = False

    # --------------------------------------------------------------------------------------------- listening

    async def _listen(self, tasks: asyncio.TaskGroup) -> str:
        """Take what the manager says, at any time, until it says that it is over."""
        kinds = [kind for kind in self._system.receives(self._party.id) if kind is not Welcome]
        while True:
            match (await self._party.receive(*kinds, sender=MANAGER)).message:
                case Closing() as closing:
                    self._closed(closing)
                case Open() as question:
                    requests = self._opener.accept(question)
                    answer = partial(self._opener.give, self._party, question, requests)
                    tasks.create_task(self._answer(answer))
                case (Raise() | RaiseOwn()) as question:
                    nonces = self._arrival.accept(question)
                    reply = partial(self._arrival.give, self._party, question, nonces)
                    tasks.create_task(self._answer(reply))
                case Values(version, blocks, values):
                    self._receive_values(self._ids(blocks), values)
                    self._opener.settled(version, self._ids(blocks))
                case Refresh(blocks, values):
                    self._receive_values(self._ids(blocks), values)
                case Missed(version, blocks):
                    self._lost += len(self._ids(blocks))
                    self._opener.settled(version, self._ids(blocks))
                case Finish(reason):
                    return reason
            self._news.set()

    def _closed(self, closing: Closing) -> None:
        blocks, mine, told = self._opener.closed(closing)
        self._offers.closed(blocks, mine)
        self._accepted += active.counts(told, self._task.workers)
        if self._system.mode == "paper":
            self._arrival.forget(blocks.tolist(), closing.version)
        self._latecomers.set()

    async def _answer(self, answer: Callable[[], Awaitable[Message]]) -> None:
        with suppress(PeerLeft):  # `_listen` finds out why
            await self._party.send(MANAGER, await answer())

    def _receive_values(self, blocks: BlockIds, values: bytes) -> None:
        found = np.frombuffer(values, "<f4")
        if len(found) != len(blocks) * self._system.block:
            raise ProtocolError("a download that does not fit its blocks", [MANAGER])
        self._new_values[blocks] = found.reshape(len(blocks), -1)
        self._has_new[blocks] = True
        self._received += len(blocks)

    def _ids(self, packed: bytes) -> BlockIds:
        return _unpack(packed, self._blocks.count, MANAGER)


def _pack(blocks: BlockIds) -> bytes:
    return blocks.astype("<u4").tobytes()


def _unpack(packed: bytes, count: int, sender: PartyId) -> BlockIds:
    """Read a list of blocks.

    Raises:
        ProtocolError: it is none.
    """
    if len(packed) % 4 or not packed:
        raise ProtocolError("a list of blocks that is none", [sender])
    blocks = np.frombuffer(packed, "<u4").astype(np.int64)
    if blocks[-1] >= count or (np.diff(blocks) <= 0).any():
        raise ProtocolError("a list of blocks that is none, or names one twice", [sender])
    return blocks


# ---------------------------------------------------------------------------------------------------------
# manager: Algorithm 4


class _Over(Exception):
    """Ends the manager's task group; nothing is wrong."""


@dataclass(frozen=True)
class _Snapshot:
    """The global model as it was when an epoch was complete, and what must be kept to go on from there."""

    epoch: int
    parameters: NDArray[np.float32]
    state: Arrays


class _Manager:
    """Manager M. It holds the global model in the clear, and nothing secret."""

    def __init__(self, system: Dynamic, party: Party, learner: Learner, task: Task) -> None:
        self._system, self._party, self._learner, self._task = system, party, learner, task
        self._scheme = system.build_scheme(task.workers)
        start = learner.parameters()
        self._blocks = Blocks(len(start), system.block)
        self._model = Aggregate(
            start,
            self._blocks,
            fixed_point=system.fixed_point,
            members=system.visibility_threshold(task.workers),
            learning_rate=learner.learning_rate,
        )
        self._seats = self._new_seats()
        self._progress = Convergence(task.stop)
        self._uploads = Uploads(self._blocks.count, self._scheme.body_bytes, self._scheme.hint_bytes)
        self._refreshes = Refreshes(task.workers, self._blocks.count)
        self._outboxes: dict[PartyId, Outbox] = {}
        self._given_up: set[PartyId] = set()  # they have a link, and took nothing for too long
        self._desk = Desk(party, self._put)
        self._openings = asyncio.Semaphore(OPENINGS)
        self._held = asyncio.Event()
        self._epoch = self._opened = self._missed = 0
        self._snapshots: asyncio.Queue[_Snapshot] = asyncio.Queue()
        self._last: asyncio.Future[_Snapshot] = asyncio.get_running_loop().create_future()
        if system.mode == "paper":
            assert isinstance(self._scheme, ElGamal)
            self._arrivals = Arrivals(self._scheme, Credentials.read(task.credentials).public_key)
            self._exchanges = Exclusive(self._blocks.count)

    async def run(self) -> Outcome:
        await self._restore()
        reason = "the manager was stopped"
        try:
            last = await self._serve()
            reason = self._progress.reason or "all epochs done"
        except MdlError as error:
            reason = f"the manager gave up: {error}"
            raise
        finally:
            within = self._system.timeout_seconds
            await broadcast(self._party, self._party.peers, Finish(reason), within=within)
        return Outcome(last.epoch, reason, last.parameters)

    async def _serve(self) -> _Snapshot:
        """Serve until the last epoch is scored."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._check_enough()  # who has left by now, before it joined, is missed by nobody below
                expected = [worker for worker in self._party.peers if worker != MANAGER]
                first = map(self._miss, expected)
                for work in (self._receive(), self._score(), self._release_held(), *first):
                    self._tasks.create_task(work)
                # Tables for opening are built while the workers train; one call for each of two processes.
                for _ in range(2):
                    self._tasks.create_task(self._party.to_process(self._scheme.prepare))
                await self._last
                # While it waits the others go on, so that a slow worker's may never be empty again.
                last_words = {worker: outbox.flushed() for worker, outbox in self._outboxes.items()}
                await each(last_words, within=self._system.timeout_seconds)
                raise _Over  # noqa: TRY301 - the manual's way to end a task group
        except* _Over:
            pass
        except* Exception as group:
            raise leaf(group) from group
        return self._last.result()

    def _new_seats(self, kept: Arrays | None = None) -> Seats:
        system, workers = self._system, self._task.workers
        return Seats(
            self._blocks.count,
            workers,
            threshold=system.visibility_threshold(workers),
            window=system.window,
            admission=system.admission,
            versions=kept["versions"] if kept else None,
            accepted=kept["accepted"] if kept else None,
        )

    async def _restore(self) -> None:
        if not self._task.resume:
            return
        kept = await self._party.to_thread("record", self._task.journal.read, "model", self._task.resume)
        if kept is None:
            raise MdlError(f"there is no checkpoint of epoch {self._task.resume}")
        fitting(kept, self._learner.parameters())
        self._model.restore(kept)
        self._seats = self._new_seats(kept)
        self._progress = Convergence.restored(self._task.stop, kept["progress"])
        self._epoch = self._task.resume

    # -------------------------------------------------------------------------------------- who is there

    async def _receive(self) -> None:
        """Take what the workers say, in the order in which it comes."""
        kinds = self._system.receives(MANAGER)
        with suppress(PeerLeft):  # all have left, and `_check_enough` says so
            while True:
                envelope = await self._party.receive(*kinds)
                worker = envelope.sender
                match envelope.message:
                    case Join():
                        self._join(worker)
                    case Upload() as upload:
                        self._take_upload(worker, upload)
                    case EpochDone():
                        self._refresh(worker)
                    case (Answer() | Raised() | RaisedOwn()) as reply:
                        self._desk.take(worker, reply.request, reply)

    def _join(self, worker: PartyId) -> None:
        """Let a worker in: for the first time, or again after it was gone."""
        if self._system.mode == "safe":
            # It has forgotten what it contributed, and its seats are free for what it contributes anew.
            self._seats.evict(worker)
            self._release()
        if worker in self._outboxes:
            # It joined, left and is back before the first Join was read; that one's welcome is for nobody.
            self._outboxes[worker].close()
        outbox = Outbox(self._party, worker, within=self._system.timeout_seconds)
        self._outboxes[worker] = outbox
        self._refreshes.forget(worker)
        self._desk.silent.discard(worker)
        seated = self._seats.seated(worker)
        for part in parts(self._blocks.count, 5):
            versions = self._seats.versions[part].astype("<u4").tobytes()
            outbox.put(Welcome(part.start, versions, pack_flags(seated[part])))
        self._tasks.create_task(self._watch(worker, outbox))

    async def _watch(self, worker: PartyId, outbox: Outbox) -> None:
        """Send a worker what is put for it, until it leaves; or until it is given up, which is the same."""
        sending = asyncio.ensure_future(outbox.run())
        gone = asyncio.ensure_future(self._party.departure(worker))
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            if self._outboxes.get(worker) is outbox:
                del self._outboxes[worker]
                if not gone.done():
                    await sending
                    self._given_up.add(worker)
                    self._check_enough()
                    await gone
                    self._given_up.discard(worker)
        finally:
            sending.cancel()
            gone.cancel()
            outbox.close()
        self._check_enough()

    async def _miss(self, worker: PartyId) -> None:
        """Notice when one that is expected leaves, though it may never have joined."""
        await self._party.departure(worker)
        self._check_enough()

    def _check_enough(self) -> None:
        """Make sure that enough workers remain to open anything.

        Raises:
            TooFewWorkers: they are not.
        """
        present = len([peer for peer in self._party.peers if peer not in (MANAGER, *self._given_up)])
        needed = max(self._system.visibility_threshold(self._task.workers), self._scheme.threshold)
        if present < needed and not self._last.done():
            raise TooFewWorkers(
                f"epoch {self._epoch + 1} cannot be completed: {present} of {self._task.workers} workers "
                f"remain, m = {needed} are needed"
            )

    async def _put(self, worker: PartyId, message: Message) -> None:
        """Have a message sent after all that was put for the worker before."""
        if worker not in self._outboxes:
            raise PeerLeft("cannot send to a worker that is not there", [worker])
        self._outboxes[worker].put(message)

    # ---------------------------------------------------------------------------------------- contributions

    def _take_upload(self, worker: PartyId, upload: Upload) -> None:
        """Lines 2 and 3: a worker requests to contribute."""
        blocks = _unpack(upload.blocks, self._blocks.count, worker)
        if self._system.mode == "paper":
            life = self._outboxes.get(worker)
            self._tasks.create_task(self._arrive_as_printed(worker, life, blocks, upload))
            return
        kept = self._seat(worker, blocks, upload.version)
        try:
            self._uploads.put(worker, blocks, upload.body, upload.hint, kept)
        except ValueError as error:
            raise ProtocolError(f"an upload that does not fit: {error}", [worker]) from error
        if self._seats.any_held:
            self._held.set()
        self._close(blocks)

    def _seat(self, worker: PartyId, blocks: BlockIds, version: int) -> Flags:
        online = flags_of(sorted(self._outboxes), self._task.workers)
        now = asyncio.get_running_loop().time()
        return self._seats.arrive(worker, blocks, np.full(len(blocks), version), online=online, now=now)

    async def _release_held(self) -> None:
        """Give kept seats to those held for one, when patience has run out."""
        patience = self._system.admission.patience_seconds
        if patience is None:
            return
        while True:
            await self._held.wait()
            self._held.clear()
            while self._seats.any_held:
                await asyncio.sleep(patience / 8)
                self._release()

    def _release(self) -> None:
        """Give free seats to those held for one, where the policy has no reason to keep them longer."""
        online = flags_of(sorted(self._outboxes), self._task.workers)
        self._close(self._seats.release(online=online, now=asyncio.get_running_loop().time()))

    def _close(self, blocks: BlockIds) -> None:
        """Close the sets that are full, tell everybody, and have their sums opened."""
        for full in self._seats.close(blocks):
            told = self._announce(full)
            uploads = self._uploads.take(full.blocks, full.sets)
            self._tasks.create_task(self._open(full, uploads, told))

    def _announce(self, full: Full) -> Mapping[PartyId, Outbox]:
        told = dict(self._outboxes)
        for closing in closings(full, self._task.workers):
            for outbox in told.values():
                outbox.put(closing)
        return told

    async def _open(
        self, full: Full, uploads: Mapping[PartyId, Contribution], told: Mapping[PartyId, Outbox]
    ) -> None:
        """Lines 10 to 13, in safe mode: have m workers answer for a closed set."""
        async with self._openings:
            opened = await open_sums(
                self._desk,
                self._scheme,
                uploads,
                [(mask, full.blocks[places]) for mask, places in active.groups(full.sets)],
                # A worker that came back has not been told of this set, and would refuse.
                online=lambda: [w for w, outbox in told.items() if self._outboxes.get(w) is outbox],
                run=self._task.run,
                epoch=full.version,
                within=self._system.timeout_seconds,
            )
        self._settle(full, opened)

    # --------------------------------------------------------------------------------- as it is printed

    async def _arrive_as_printed(
        self, worker: PartyId, life: Outbox | None, blocks: BlockIds, upload: Upload
    ) -> None:
        """Lines 3 to 10 as corrected: the newcomer and the manager exchange z- and d-values.

        Only with the newcomer as it was when it uploaded: if it comes back, it has forgotten its nonces.
        """
        async with self._exchanges.of(blocks):
            if self._outboxes.get(worker) is not life:
                return
            kept = self._seat(worker, blocks, upload.version)
            mine = blocks[kept]
            if not len(mine):
                return
            body = rows(upload.body, self._scheme.body_bytes)[kept].tobytes()
            hint = rows(upload.hint, self._scheme.hint_bytes)[kept].tobytes()

            async def ask(question: Raise | RaiseOwn) -> Message:
                if self._outboxes.get(worker) is not life:
                    raise PeerLeft("a worker has forgotten what it uploaded", [worker])
                within = self._system.timeout_seconds
                return await self._desk.question(worker, question, question.request, within=within)

            try:
                await self._arrivals.join(self._party, ask, worker, mine, body, hint)
            except (PeerLeft, TimeoutError):
                self._seats.vacate(worker, mine)
                return
            for full in self._seats.close(mine):
                self._announce(full)
                sums = await self._arrivals.open(self._party, full.blocks)
                groups = active.groups(full.sets)
                self._settle(
                    full,
                    [Opened(active.members(mask), full.blocks[at], sums[at]) for mask, at in groups],
                )

    # ---------------------------------------------------------------------------------------- what is opened

    def _settle(self, full: Full, opened: Sequence[Opened]) -> None:
        """Apply what was opened, once, and hand it out (line 13)."""
        self._seats.settled(full.version, full.blocks)
        if self._last.done() or self._epoch == self._task.epochs:
            return  # too late to count
        for result in opened:
            self._model.apply(result.blocks, result.sums)
        done = np.concatenate([full.blocks[:0], *(result.blocks for result in opened)])
        lost = np.setdiff1d(full.blocks, done)
        self._opened += len(done)
        self._missed += len(lost)
        self._hand_out(full, np.sort(done), lost)
        self._note_epochs()
        self._close(full.blocks)  # those whose next set is full, and had to wait for this

    def _hand_out(self, full: Full, done: BlockIds, lost: BlockIds) -> None:
        """Give new values to whom the policy gives them at once, and tell contributors what is missed."""
        policy = self._system.download.type
        place = np.searchsorted(full.blocks, done)
        missed = np.searchsorted(full.blocks, lost)
        for worker, outbox in self._outboxes.items():
            mine = active.contains(full.sets, worker)
            if len(told := lost[mine[missed]]):
                outbox.put(Missed(full.version, _pack(told)))
            if policy in ("contribution", "all"):
                blocks = done if policy == "all" else done[mine[place]]
                for part in self._value_parts(blocks):
                    values = self._model.values(part).astype("<f4").tobytes()
                    outbox.put(Values(full.version, _pack(part), values))

    def _refresh(self, worker: PartyId) -> None:
        """Give a worker that is between two epochs what its quota allows, where the policy has one."""
        policy = self._system.download
        if isinstance(policy, QuotaDownload | StaleFirstDownload) and worker in self._outboxes:
            chosen = self._refreshes.choose(worker, self._model.updates, policy)
            for part in self._value_parts(chosen):
                values = self._model.values(part).astype("<f4").tobytes()
                self._outboxes[worker].put(Refresh(_pack(part), values))

    def _value_parts(self, blocks: BlockIds) -> Iterator[BlockIds]:
        return (blocks[part] for part in parts(len(blocks), 4 + 4 * self._system.block))

    def _note_epochs(self) -> None:
        """Keep the model of each epoch that is complete now, for `_score`."""
        while self._epoch < min(self._model.epochs, self._task.epochs):
            self._epoch += 1
            present = len(self._outboxes)
            self._party.record(
                "epoch", self._epoch, opened=self._opened, missed=self._missed, present=present
            )
            for worker, count in enumerate(self._seats.accepted.tolist(), 1):
                self._party.record("accepted", self._epoch, worker=worker, count=count)
            self._opened = self._missed = 0
            state = {
                **self._model.state(),
                "versions": self._seats.versions.copy(),
                "accepted": self._seats.accepted.copy(),
            }
            self._snapshots.put_nowait(_Snapshot(self._epoch, self._model.parameters(), state))

    async def _score(self) -> None:
        """Score and keep the global model of every epoch, and find out which is the last."""
        while not self._last.done():
            snapshot = await self._snapshots.get()
            metrics = await scored(
                self._party, self._learner, snapshot.parameters, epoch=snapshot.epoch, model="global"
            )
            self._progress.note(metrics)
            state = {
                **snapshot.state,
                "parameters": snapshot.parameters,
                "progress": self._progress.state(),
            }
            await self._party.to_thread("record", self._task.journal.write, "model", snapshot.epoch, state)
            if snapshot.epoch == self._task.epochs or self._progress.done:
                self._last.set_result(snapshot)
