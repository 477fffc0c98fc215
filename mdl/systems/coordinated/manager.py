"""The manager of ∝MDL^c [∝MDL, Algorithm 2]."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from mdl.errors import MdlError, PeerTimeout, ProtocolError, TooFewWorkers
from mdl.party import MANAGER, Party, PartyId, broadcast
from mdl.protocols import sets as active
from mdl.protocols.attendance import attendance
from mdl.protocols.convergence import Convergence
from mdl.protocols.gathering import each, gather
from mdl.protocols.local import checkpoint, fitting, scored
from mdl.protocols.opening import Answer, earlier_sets, keep_sets
from mdl.protocols.rows import parts, rows
from mdl.protocols.summing import Contribution, Desk, announce, open_sums
from mdl.system import Learner, Outcome, Task
from mdl.systems.coordinated.messages import (
    CallbackDownload,
    CallbackUpload,
    Download,
    EpochBegins,
    Finish,
    Register,
    Upload,
    flags_from,
)
from mdl.systems.coordinated.settings import CoordinatedSettings
from mdl.vectors import Blocks, Flags, Integers, pack_flags


class Manager:
    """Manager M. It holds the global model in the clear, and nothing secret."""

    def __init__(self, system: CoordinatedSettings, party: Party, learner: Learner, task: Task) -> None:
        self._system, self._party, self._learner, self._task = system, party, learner, task
        self._threshold = system.visibility_threshold(task.workers)
        self._scheme = system.build_scheme(task.workers)
        start = learner.parameters()  # line 1
        self._blocks = Blocks(len(start), system.block)
        self._global: NDArray[np.float64] = start.astype(np.float64)
        self._accepted = np.zeros(task.workers, np.int64)
        self._progress = Convergence(task.stop)
        self._requests = count(1)

    async def run(self) -> Outcome:
        """Lead all epochs; see `mdl.system.System.run`."""
        if self._task.resume:
            await self._restore()
        # Tables for opening are built while the workers train; one call for each of two pool processes.
        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):
                tasks.create_task(self._party.to_process(self._scheme.prepare))
            return await self._epochs()

    async def _epochs(self) -> Outcome:
        epoch, reason = self._task.resume, "the manager was stopped"
        try:
            while epoch < self._task.epochs and not self._progress.done:  # line 2
                # Who comes back in the middle of an epoch takes part from the next one on.
                async with attendance(self._party) as self._crew:
                    await self._epoch(epoch + 1)
                epoch += 1
            reason = self._progress.reason or "all epochs done"
        except MdlError as error:
            reason = f"the manager gave up: {error}"
            raise
        finally:
            await broadcast(
                self._party, self._party.peers, Finish(reason), within=self._system.timeout_seconds
            )
        return Outcome(epoch, reason, self._global.astype(np.float32))

    async def _restore(self) -> None:
        kept = fitting(await checkpoint(self._party, self._task), self._global)
        self._global = kept["parameters"]
        self._accepted = kept["accepted"]
        self._progress = Convergence.restored(self._task.stop, kept["progress"])

    async def _epoch(self, epoch: int) -> None:
        present = self._present(f"epoch {epoch} cannot begin")
        told = await self._begin(epoch, present)
        called = self._callable(await self._register(epoch, told))
        gather_up = self._close_then_collect if self._scheme.members_first else self._collect_then_close
        uploads, closed, openers = await gather_up(epoch, called, told)
        opened, sums = await self._open(epoch, uploads, closed, openers)
        if not opened.any():
            self._present(f"epoch {epoch} could open nothing")
            if len(uploads) < self._threshold <= len(self._crew.peers):
                late = sorted(set(self._crew.peers) - set(uploads))
                within = f"timeout_seconds = {self._system.timeout_seconds:g}"
                raise PeerTimeout(
                    f"epoch {epoch} could open nothing: too few uploads came within {within}", late
                )
        self._update(opened, sums, closed)  # lines 10 and 11
        await self._hand_out(epoch, opened, closed, told)  # lines 12 and 13
        self._count(epoch, closed[opened])
        await self._conclude(epoch, opened, present)

    async def _collect_then_close(
        self, epoch: int, called: Mapping[PartyId, Flags], told: Sequence[PartyId]
    ) -> tuple[Mapping[PartyId, Contribution], active.Sets, Sequence[PartyId]]:
        """Sets close over what has come; give the uploads, the sets, and who may be asked to open them."""
        uploads = await self._collect(epoch, called)
        closed = await self._close(epoch, self._contributed(uploads))
        # Who has not taken the sets in time has no word of them, and would refuse to open any.
        return uploads, closed, await self._announce(epoch, closed, told)

    async def _close_then_collect(
        self, epoch: int, called: Mapping[PartyId, Flags], told: Sequence[PartyId]
    ) -> tuple[Mapping[PartyId, Contribution], active.Sets, Sequence[PartyId]]:
        """Sets close over what was registered, and are kept where every member then uploads."""
        closed = await self._close(epoch, called)
        ready = await self._announce(epoch, closed, [worker for worker in told if worker in called])
        # A set that was recorded otherwise, in an earlier attempt at this epoch, is missed: nobody is in it.
        members = {worker: called[worker] & active.contains(closed, worker) for worker in ready}
        uploads = await self._collect(epoch, members)
        return uploads, self._delivered(closed, uploads), ready

    def _present(self, otherwise: str) -> Sequence[PartyId]:
        """Give the workers that are there, if they are enough to open anything.

        Raises:
            TooFewWorkers: they are not; says what follows from it.
        """
        present = [peer for peer in self._party.peers if peer != MANAGER]
        needed = max(self._threshold, self._scheme.threshold)
        if len(present) < needed:
            raise TooFewWorkers(
                f"{otherwise}: {len(present)} of {self._task.workers} workers remain, m = {needed} are needed"
            )
        return present

    async def _begin(self, epoch: int, present: Sequence[PartyId]) -> Sequence[PartyId]:
        """Tell those present that the epoch begins; give those that took it in time. It is theirs alone."""
        here = np.array([sum(1 << (worker - 1) for worker in present)], np.uint64)
        begins = EpochBegins(epoch, active.to_bytes(here, self._task.workers))
        told = {worker: self._crew.send(worker, begins) for worker in present}
        return list(await each(told, within=self._system.timeout_seconds))

    async def _register(self, epoch: int, told: Sequence[PartyId]) -> dict[PartyId, Flags]:
        """Lines 3 and 4, with the barrier of §IV-B b: all register before anyone is called back."""
        messages = await gather(
            self._crew,
            Register,
            told,
            wanted=lambda message: message.epoch == epoch,
            stale=(Upload, Answer),
            within=self._system.timeout_seconds,
        )
        count = self._blocks.count
        return {worker: flags_from(message.blocks, count, worker) for worker, message in messages.items()}

    def _callable(self, registered: Mapping[PartyId, Flags]) -> dict[PartyId, Flags]:
        """Line 5: only blocks that at least m workers registered for are called for."""
        enough = sum(registered.values(), np.zeros(self._blocks.count, np.int64)) >= self._threshold
        return {worker: flags & enough for worker, flags in registered.items()}

    async def _collect(self, epoch: int, called: Mapping[PartyId, Flags]) -> dict[PartyId, Contribution]:
        """Lines 5 and 6: call the workers back, take their uploads; late and lost ones are left out."""

        async def call(worker: PartyId, flags: Flags) -> Contribution:
            async with asyncio.timeout(self._system.timeout_seconds):
                await self._crew.send(worker, CallbackUpload(epoch, pack_flags(flags)))
            return await self._receive_upload(epoch, worker, np.flatnonzero(flags))

        return await each({worker: call(worker, flags) for worker, flags in called.items()})

    async def _receive_upload(self, epoch: int, worker: PartyId, blocks: NDArray[np.int64]) -> Contribution:
        bodies, hints, count = [], [], 0
        while count < len(blocks):
            async with asyncio.timeout(self._system.timeout_seconds):
                message = (await self._crew.receive(Upload, sender=worker)).message
            if message.epoch != epoch:
                continue  # of an epoch this worker was too late for
            try:
                body = rows(message.body, self._scheme.body_bytes)
                hint = rows(message.hint, self._scheme.hint_bytes)
            except ValueError as error:
                raise ProtocolError(f"an upload that does not fit: {error}", [worker]) from error
            fits = 0 < len(body) <= len(blocks) - count and len(hint) in (len(body), 0)
            if message.first != count or not fits or len(message.hint) != len(body) * self._scheme.hint_bytes:
                raise ProtocolError("an upload that does not fit what was called for", [worker])
            count += len(body)
            bodies.append(body)
            hints.append(hint)
        empty = np.zeros((0, 0), np.uint8)
        return Contribution(blocks, np.concatenate(bodies or [empty]), np.concatenate(hints or [empty]))

    def _contributed(self, uploads: Mapping[PartyId, Contribution]) -> dict[PartyId, Flags]:
        """Say which blocks each worker has uploaded."""
        flags = {worker: np.zeros(self._blocks.count, np.bool_) for worker in uploads}
        for worker, upload in uploads.items():
            flags[worker][upload.blocks] = True
        return flags

    def _delivered(self, closed: active.Sets, uploads: Mapping[PartyId, Contribution]) -> active.Sets:
        """Keep the sets whose members have all uploaded: without one of them the others' masks stay."""
        came = np.uint64(sum(1 << (worker - 1) for worker in uploads))
        return np.where(closed & ~came == 0, closed, np.uint64(0))

    async def _close(self, epoch: int, contributed: Mapping[PartyId, Flags]) -> active.Sets:
        """Close the active sets over what has come, or will, and put them on disk."""
        by_worker = np.zeros((self._blocks.count, self._task.workers), np.bool_)
        for worker, flags in contributed.items():
            by_worker[:, worker - 1] = flags
        closed = active.close(by_worker, self._threshold)
        party, journal, workers = self._party, self._task.journal, self._task.workers
        before = await earlier_sets(party, journal, epoch, workers)
        record = closed
        if before is not None:
            # A repeated epoch: the same gradients come again, to be opened over the same sets or not at all.
            closed = np.where((before == 0) | (before == closed), closed, np.uint64(0))
            record = np.where(closed != 0, closed, before)
        await keep_sets(party, journal, epoch, record, workers)
        return closed

    async def _announce(self, epoch: int, closed: active.Sets, told: Sequence[PartyId]) -> Sequence[PartyId]:
        """Tell everybody the sets before anything is opened; give those that took them in time."""
        return await announce(
            self._crew,
            closed,
            epoch=epoch,
            workers=self._task.workers,
            to=told,
            within=self._system.timeout_seconds,
        )

    async def _open(
        self,
        epoch: int,
        uploads: Mapping[PartyId, Contribution],
        closed: active.Sets,
        openers: Sequence[PartyId],
    ) -> tuple[Flags, Integers]:
        """Lines 7 to 9: have the sums opened; give which were, (blocks,), and the sums, (blocks, size)."""
        desk = Desk(self._crew, numbers=self._requests)
        answers = asyncio.ensure_future(desk.serve())
        try:
            results = await open_sums(
                desk,
                self._scheme,
                uploads,
                active.groups(closed),
                online=lambda: [worker for worker in openers if worker in self._crew.peers],
                run=self._task.run,
                epoch=epoch,
                within=self._system.timeout_seconds,
            )
        finally:
            answers.cancel()
        opened = np.zeros(self._blocks.count, np.bool_)
        sums = np.zeros((self._blocks.count, self._system.block), np.int64)
        for result in results:
            opened[result.blocks], sums[result.blocks] = True, result.sums
        return opened, sums

    def _update(self, opened: Flags, sums: Integers, closed: active.Sets) -> None:
        """w^g ← w^g − λ·(1/|A_w|)·Σ∇, for the blocks that were opened."""
        contributors = active.sizes(closed)[:, None]
        means = self._system.grid(self._task.workers).decode_mean(sums, np.maximum(contributors, 1))
        steps = np.where(opened[:, None], self._learner.learning_rate * means, 0.0)
        self._global = self._global - self._blocks.join(steps)

    async def _hand_out(
        self, epoch: int, opened: Flags, closed: active.Sets, told: Sequence[PartyId]
    ) -> None:
        """Contribution-based download: a worker gets what it contributed to, and hears what is missed."""
        values = self._blocks.split(self._global).astype("<f4")

        async def hand(worker: PartyId) -> None:
            updated = opened & active.contains(closed, worker)
            await self._crew.send(worker, CallbackDownload(epoch, pack_flags(updated)))
            mine = values[updated]
            for part in parts(len(mine), 4 * self._system.block):
                await self._crew.send(worker, Download(epoch, part.start, mine[part].tobytes()))

        await each({worker: hand(worker) for worker in told}, within=self._system.timeout_seconds)

    def _count(self, epoch: int, opened: active.Sets) -> None:
        """Count each worker's contributions to what was opened."""
        for worker in range(1, self._task.workers + 1):
            self._accepted[worker - 1] += active.contains(opened, worker).sum()
            self._party.record("accepted", epoch, worker=worker, count=int(self._accepted[worker - 1]))

    async def _conclude(self, epoch: int, opened: Flags, present: Sequence[PartyId]) -> None:
        missed = int((~opened).sum())
        self._party.record("epoch", epoch, opened=int(opened.sum()), missed=missed, present=len(present))
        parameters = self._global.astype(np.float32)
        metrics = await scored(self._party, self._learner, parameters, epoch=epoch, model="global")
        self._progress.note(metrics)
        state = {
            "parameters": self._global,
            "progress": self._progress.state(),
            "accepted": self._accepted,
        }
        await self._party.to_thread("record", self._task.journal.write, "model", epoch, state)
