"""The manager of ∝MDL^d [∝MDL, Algorithm 4]."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.errors import MdlError, PeerLeft, PeerTimeout, ProtocolError, leaf
from mdl.party import MANAGER, Message, Party, PartyId, broadcast
from mdl.protocols import sets as active
from mdl.protocols.aggregate import Aggregate
from mdl.protocols.convergence import Convergence
from mdl.protocols.gathering import each
from mdl.protocols.local import checkpoint, fitting, scored
from mdl.protocols.on_arrival import Arrivals, Raise, Raised, RaisedOwn, RaiseOwn
from mdl.protocols.opening import Answer
from mdl.protocols.outbox import Outbox
from mdl.protocols.policies import QuotaDownload, StaleFirstDownload
from mdl.protocols.presence import Presence
from mdl.protocols.rows import parts, rows
from mdl.protocols.seats import BlockIds, Full, Seats
from mdl.protocols.summing import Desk, Opened, open_sums
from mdl.protocols.uploads import Closed, Exclusive, Refreshes, Uploads, take_alike
from mdl.protocols.versions import closings
from mdl.schemes.elgamal import ElGamal
from mdl.system import Arrays, Learner, Outcome, Task
from mdl.systems.credentials import Credentials
from mdl.systems.dynamic.messages import (
    EpochDone,
    Finish,
    Join,
    Missed,
    Refresh,
    Upload,
    Values,
    Welcome,
    pack_ids,
    unpack_ids,
)
from mdl.systems.dynamic.settings import DynamicSettings
from mdl.vectors import Blocks, Flags, pack_flags

OPENINGS: Final = 2
"""Openings under way at once. What closes meanwhile is opened together, which costs less than bit by bit."""

HOPELESS: Final = 4
"""So many sums a block may be missed, on average, with none opened, before the run is given up."""


class _Over(Exception):
    """Ends the manager's task group; nothing is wrong."""


@dataclass(frozen=True)
class _Snapshot:
    """The global model as it was when an epoch was complete, and what must be kept to go on from there."""

    epoch: int
    parameters: NDArray[np.float32]
    state: Arrays


class Manager:
    """Manager M. It holds the global model in the clear, and nothing secret."""

    def __init__(self, system: DynamicSettings, party: Party, learner: Learner, task: Task) -> None:
        self._system, self._party, self._learner, self._task = system, party, learner, task
        self._scheme = system.build_scheme(task.workers)
        start = learner.parameters()
        self._blocks = Blocks(len(start), system.block)
        self._model = Aggregate(
            start,
            self._blocks,
            fixed_point=system.grid(task.workers),
            members=system.visibility_threshold(task.workers),
            learning_rate=learner.learning_rate,
        )
        self._seats = self._new_seats()
        self._progress = Convergence(task.stop)
        self._uploads = Uploads(self._blocks.count, self._scheme.body_bytes, self._scheme.hint_bytes)
        self._refreshes = Refreshes(task.workers, self._blocks.count)
        needed = max(system.visibility_threshold(task.workers), self._scheme.threshold)
        self._presence = Presence(party, task.workers, needed=needed, within=system.timeout_seconds)
        self._desk = Desk(party, self._presence.put)
        self._closed: list[Closed] = []
        self._some_closed = asyncio.Event()
        self._held = asyncio.Event()
        self._epoch = self._opened = self._missed = 0
        self._snapshots: asyncio.Queue[_Snapshot] = asyncio.Queue()
        self._last: asyncio.Future[_Snapshot] = asyncio.get_running_loop().create_future()
        if system.mode == "paper":
            assert isinstance(self._scheme, ElGamal)
            self._arrivals = Arrivals(self._scheme, Credentials.read(task.credentials).public_key)
            self._exchanges = Exclusive(self._blocks.count)

    async def run(self) -> Outcome:
        """Serve from the first epoch to the last; see `mdl.system.System.run`."""
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
        if self._epoch == self._task.epochs or self._progress.done:  # the run was broken off at its end
            return _Snapshot(self._epoch, self._model.parameters(), {})
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._expect(self._epoch + 1)
                self._presence.expect(self._tasks)
                openings = [self._open_sums() for _ in range(OPENINGS)]
                for work in (self._receive(), self._score(), self._release_held(), *openings):
                    self._tasks.create_task(work)
                # Tables for opening are built while the workers train; one call for each of two processes.
                for _ in range(2):
                    self._tasks.create_task(self._party.to_process(self._scheme.prepare))
                await self._last
                self._presence.relax()
                # While it waits the others go on, so that a slow worker's may never be empty again.
                last_words = {worker: outbox.flushed() for worker, outbox in self._presence.outboxes.items()}
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
        kept = fitting(await checkpoint(self._party, self._task), self._learner.parameters())
        self._model.restore(kept)
        self._seats = self._new_seats(kept)
        self._progress = Convergence.restored(self._task.stop, kept["progress"])
        self._epoch = self._task.resume

    # -------------------------------------------------------------------------------------- who is there

    async def _receive(self) -> None:
        """Take what the workers say, in the order in which it comes."""
        kinds = self._system.receives(MANAGER)
        with suppress(PeerLeft):  # all have left, and `Presence` says so
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
        outbox = self._presence.admit(worker)
        self._refreshes.forget(worker)
        self._desk.silent.discard(worker)
        seated = self._seats.seated(worker)
        for part in parts(self._blocks.count, 5):
            versions = self._seats.versions[part].astype("<u4").tobytes()
            outbox.put(Welcome(part.start, versions, pack_flags(seated[part])))

    # ---------------------------------------------------------------------------------------- contributions

    def _take_upload(self, worker: PartyId, upload: Upload) -> None:
        """Lines 2 and 3: a worker requests to contribute."""
        blocks = unpack_ids(upload.blocks, self._blocks.count, worker)
        if self._system.mode == "paper":
            life = self._presence.outboxes.get(worker)
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
        online = self._presence.flags
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
        online = self._presence.flags
        self._close(self._seats.release(online=online, now=asyncio.get_running_loop().time()))

    def _close(self, blocks: BlockIds) -> None:
        """Close the sets that are full, tell everybody, and have their sums opened."""
        for full in self._seats.close(blocks):
            told = self._announce(full)
            self._closed.append(Closed(full, self._uploads.take(full.blocks, full.sets), told))
            self._some_closed.set()

    def _announce(self, full: Full) -> Mapping[PartyId, Outbox]:
        told = dict(self._presence.outboxes)
        for closing in closings(full, self._task.workers):
            for outbox in told.values():
                outbox.put(closing)
        return told

    async def _open_sums(self) -> None:
        """Lines 10 to 13, in safe mode: have m workers answer for what is closed, the oldest first."""
        while True:
            while not self._closed:  # another of these may have been quicker
                self._some_closed.clear()
                await self._some_closed.wait()
            closed, self._closed = take_alike(self._closed)
            opened = await open_sums(
                self._desk,
                self._scheme,
                closed.uploads,
                [(mask, closed.full.blocks[places]) for mask, places in active.groups(closed.full.sets)],
                online=partial(self._told, closed),
                run=self._task.run,
                epoch=closed.full.version,
                within=self._system.timeout_seconds,
            )
            self._settle(closed.full, opened)

    def _told(self, closed: Closed) -> Sequence[PartyId]:
        """Who is there and was told of these sets: a worker that came back was not, and would refuse."""
        return [w for w, outbox in closed.told.items() if self._presence.outboxes.get(w) is outbox]

    # --------------------------------------------------------------------------------- as it is printed

    async def _arrive_as_printed(
        self, worker: PartyId, life: Outbox | None, blocks: BlockIds, upload: Upload
    ) -> None:
        """Lines 3 to 10 as corrected: the newcomer and the manager exchange z- and d-values.

        Only with the newcomer as it was when it uploaded: if it comes back, it has forgotten its nonces.
        """
        async with self._exchanges.of(blocks):
            if self._presence.outboxes.get(worker) is not life:
                return
            kept = self._seat(worker, blocks, upload.version)
            mine = blocks[kept]
            if not len(mine):
                return
            body = rows(upload.body, self._scheme.body_bytes)[kept].tobytes()
            hint = rows(upload.hint, self._scheme.hint_bytes)[kept].tobytes()

            async def ask(question: Raise | RaiseOwn) -> Message:
                if self._presence.outboxes.get(worker) is not life:
                    raise PeerLeft("a worker has forgotten what it uploaded", [worker])
                within = self._system.timeout_seconds
                return await self._desk.question(worker, question, question.request, within=within)

            try:
                await self._arrivals.join(self._party, ask, worker, mine, body, hint)
            except (PeerLeft, TimeoutError) as lost:
                self._seats.vacate(worker, mine)
                if isinstance(lost, TimeoutError):
                    self._presence.give_up(worker)  # it counts on these seats, and cannot be told
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
        self._give_up_if_hopeless()
        self._close(full.blocks)  # those whose next set is full, and had to wait for this

    def _hand_out(self, full: Full, done: BlockIds, lost: BlockIds) -> None:
        """Give new values to whom the policy gives them at once, and tell contributors what is missed."""
        policy = self._system.download.type
        place = np.searchsorted(full.blocks, done)
        missed = np.searchsorted(full.blocks, lost)
        for worker, outbox in self._presence.outboxes.items():
            mine = active.contains(full.sets, worker)
            if len(told := lost[mine[missed]]):
                outbox.put(Missed(full.version, pack_ids(told)))
            if policy in ("contribution", "all"):
                blocks = done if policy == "all" else done[mine[place]]
                for part in self._value_parts(blocks):
                    values = self._model.values(part).astype("<f4").tobytes()
                    outbox.put(Values(full.version, pack_ids(part), values))

    def _refresh(self, worker: PartyId) -> None:
        """Give a worker that is between two epochs what its quota allows, where the policy has one."""
        policy = self._system.download
        if isinstance(policy, QuotaDownload | StaleFirstDownload) and worker in self._presence.outboxes:
            chosen = self._refreshes.choose(worker, self._model.updates, policy)
            for part in self._value_parts(chosen):
                values = self._model.values(part).astype("<f4").tobytes()
                self._presence.outboxes[worker].put(Refresh(pack_ids(part), values))

    def _value_parts(self, blocks: BlockIds) -> Iterator[BlockIds]:
        return (blocks[part] for part in parts(len(blocks), 4 + 4 * self._system.block))

    def _note_epochs(self) -> None:
        """Keep the model of each epoch that is complete now, for `_score`."""
        while self._epoch < min(self._model.epochs, self._task.epochs):
            self._epoch += 1
            present = len(self._presence.outboxes)
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
            self._expect(self._epoch + 1)

    def _give_up_if_hopeless(self) -> None:
        """Epochs are counted by updates, so a run in which every sum is missed would never end."""
        if self._opened or self._missed < HOPELESS * self._blocks.count:
            return
        within = f"timeout_seconds = {self._system.timeout_seconds:g}"
        raise PeerTimeout(
            f"epoch {self._epoch + 1} could open nothing: too few answers came within {within}, "
            f"for {self._missed:,} sums one after the other",
            sorted(self._desk.silent),
        )

    def _expect(self, epoch: int) -> None:
        self._presence.errand = f"epoch {epoch} cannot be completed"

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
