"""∝MDL^c: the manager shepherds the workers through an epoch, everybody's gradient stays hidden.

Zhang, Ji, Wang, Wang, "Private, yet Practical, Multiparty Deep Learning", §IV. Algorithm 1 (the trusted
authority) is `deal`, Algorithm 2 `_Manager`, Algorithm 3 `_Worker`; comments give their lines. Departures
from the print, each with its reason, are in docs/systems/coordinated.md; the rules of opening are in
`mdl.protocols.opening`.
"""

import asyncio
import builtins
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Annotated, Literal, Self

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray
from pydantic import model_validator

from mdl.errors import MdlError, PeerLeft, PeerTimeout, ProtocolError, TooFewWorkers
from mdl.party import MANAGER, Message, Party, PartyId, broadcast
from mdl.protocols import selection as select
from mdl.protocols import sets as active
from mdl.protocols.attendance import attendance
from mdl.protocols.convergence import Convergence
from mdl.protocols.gathering import each, gather
from mdl.protocols.local import Keeper, fitting, scored, train_from
from mdl.protocols.opening import Answer, Closed, Open, Opener, earlier_sets, keep_sets
from mdl.protocols.pooled import encrypted
from mdl.protocols.rows import parts, rows
from mdl.protocols.summing import Contribution, Desk, announce, open_sums
from mdl.schemes.threshold import Context, KeyShare
from mdl.system import Learner, Outcome, Task
from mdl.systems.credentials import Credentials
from mdl.systems.explanations import explain_coordinated
from mdl.systems.visibility import VisibilitySettings
from mdl.vectors import Blocks, Flags, Integers, pack_flags, unpack_flags

# -------------------------------------------------------------------------------------------------------
# messages


class EpochBegins(Message, frozen=True):
    """Manager to all: an epoch begins, with these workers present (as `mdl.protocols.sets` writes them)."""

    epoch: int
    present: bytes


class Register(Message, frozen=True):
    """Worker to manager: the blocks of R_i, as a bitmap (event *register*)."""

    epoch: int
    blocks: bytes


class CallbackUpload(Message, frozen=True):
    """Manager to worker: upload these blocks of R_i; each has at least m registered (event *callback*)."""

    epoch: int
    blocks: bytes


class Upload(Message, frozen=True):
    """Worker to manager: c_i and g^{r_i} of the called blocks, from row `first` on (event *upload*)."""

    epoch: int
    first: int
    body: bytes
    hint: bytes


class CallbackDownload(Message, frozen=True):
    """Manager to worker: these blocks of R_i are updated, the others *missed* (event *callback*)."""

    epoch: int
    updated: bytes


class Download(Message, frozen=True):
    """Manager to worker: w^g of the updated blocks, from row `first` on, float32 (event *download*)."""

    epoch: int
    first: int
    values: bytes


class Finish(Message, frozen=True):
    """Manager to all: there is no further epoch."""

    reason: str


# ---------------------------------------------------------------------------------------------------------
# system


class Coordinated(VisibilitySettings):
    """The `[system]` table for `type = "coordinated"`: the keys of `VisibilitySettings`, and these.

    Attributes:
        spare: balanced selection gives each block so many workers more than it needs.
        timeout_seconds: how long the manager waits for a worker in each step, training included.
    """

    type: Literal["coordinated"] = "coordinated"
    spare: Annotated[int, Ge(0)] = 0
    timeout_seconds: Annotated[float, Gt(0)] = 300.0

    @model_validator(mode="after")
    def _selectable(self) -> Self:
        if self.spare and self.selection != "balanced":
            raise ValueError('spare goes with selection = "balanced" alone')
        if self.selection == "magnitude":
            raise ValueError(
                'selection = "magnitude" is for type = "dynamic": here blocks are registered before training'
            )
        return self

    def contributors(self, workers: int) -> int:
        """Give the number of workers that balanced selection puts on a block, the spare ones included."""
        return min(workers, super().contributors(workers) + self.spare)

    @property
    def own_pace(self) -> bool:
        """An epoch is everybody's."""
        return False

    def explain(self, workers: int, parameters: int) -> Sequence[str]:
        """See `System`."""
        return explain_coordinated(self, workers=workers, parameters=parameters)

    def receives(self, party: PartyId) -> Sequence[builtins.type[Message]]:
        """See `System`. No message carries a plain value up; see docs/security.md."""
        if party == MANAGER:
            return (Register, Upload, Answer)
        return (EpochBegins, CallbackUpload, Closed, Open, CallbackDownload, Download, Finish)

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        """Play the manager's part, or a worker's."""
        if party.id == MANAGER:
            return await _Manager(self, party, learner, task).run()
        return await _Worker(self, party, learner, task).run()


# --------------------------------------------------------------------------------------------- worker:
# Algorithm 3


class _Worker:
    """Worker A_i."""

    def __init__(self, system: Coordinated, party: Party, learner: Learner, task: Task) -> None:
        self._system, self._party, self._learner, self._task = system, party, learner, task
        self._keeper = Keeper(party, learner, task)
        self._threshold = system.visibility_threshold(task.workers)
        self._scheme = system.build_scheme(task.workers)
        credentials = Credentials.read(task.credentials)
        self._public_key = credentials.public_key
        self._key_share = KeyShare(party.id, credentials.secret)
        self._local = learner.parameters()  # line 1: the same start at all parties
        self._epoch_done = task.resume
        self._pending: EpochBegins | Finish | None = None
        self._abstains = False
        self._blocks = Blocks(len(self._local), system.block)
        self._opener = Opener(
            self._scheme,
            self._key_share,
            run=task.run,
            visibility_threshold=self._threshold,
            workers=task.workers,
            blocks=self._blocks.count,
            journal=task.journal,
        )

    async def run(self) -> Outcome:
        await self._party.to_process(self._scheme.check_key_share, self._public_key, self._key_share)
        self._local = await self._keeper.restored(self._local)
        # From an older model than the others' it would compute a gradient that may have been opened before,
        # in another epoch over another set. It trains for one epoch without taking part, and goes on from
        # there. So does a worker that comes back: what it uploaded between its last checkpoint and its end
        # may have been opened since, over a set that it was not told of.
        self._abstains = await self._keeper.is_behind()
        try:
            reason = await self._epochs()
        except PeerLeft:
            # A worker that was too late finds the manager gone. If it said why, all is well; if not, this
            # fails again.
            reason = (await self._party.receive(Finish, sender=MANAGER)).message.reason
        await self._keeper.finish(self._epoch_done, self._local)
        return Outcome(self._epoch_done, reason, self._local)

    async def _epochs(self) -> str:
        """Take part in every epoch that the manager begins; give its reason to finish."""
        while True:  # line 2
            message, self._pending = self._pending or await self._next(), None
            match message:
                case EpochBegins() as begins:
                    await self._epoch(begins)
                    self._epoch_done = begins.epoch
                    await self._keeper.epoch_done(begins.epoch, self._local)
                case Finish(reason):
                    return reason

    async def _next(self) -> EpochBegins | Finish:
        message = (await self._party.receive(EpochBegins, Finish, sender=MANAGER)).message
        assert isinstance(message, EpochBegins | Finish)
        return message

    async def _epoch(self, begins: EpochBegins) -> None:
        epoch = begins.epoch
        if epoch <= self._epoch_done:
            raise ProtocolError(f"epoch {epoch} begins after epoch {self._epoch_done} was done", [MANAGER])
        self._opener.begin(epoch)
        chosen = self._choose(epoch, begins.present)
        await self._party.send(MANAGER, Register(epoch, pack_flags(chosen)))  # line 3
        trained = await train_from(self._party, self._learner, self._local, self._task, epoch)  # line 4
        gradient = (self._local.astype(np.float64) - trained) / self._learner.learning_rate
        encoded, saturated = self._system.fixed_point.encode(gradient)
        # Line 5: what is not updated globally keeps its local step, be it outside R_i or missed.
        self._local = trained
        while True:  # lines 6-14
            match await self._event(epoch):
                case EpochBegins() as next_begins:
                    # The manager gave up on telling this worker how the epoch ended: all is missed.
                    self._pending = next_begins
                    self._note(epoch, chosen, np.zeros_like(chosen), saturated)
                    return
                case CallbackUpload() as callback:
                    await self._upload(epoch, self._flags(callback.blocks) & chosen, encoded)
                case Closed() as closed:
                    await self._opener.closed(self._party, closed)
                case Open() as request:
                    await self._party.send(MANAGER, await self._opener.answer(self._party, request))
                case CallbackDownload() as callback:
                    updated = await self._download(epoch, self._flags(callback.updated))
                    self._note(epoch, chosen, updated, saturated)
                    return

    def _note(self, epoch: int, chosen: Flags, updated: Flags, saturated: int) -> None:
        missed = int((chosen & ~updated).sum())
        self._party.record("updated", epoch, updated=int(updated.sum()), missed=missed, saturated=saturated)

    async def _event(self, epoch: int) -> CallbackUpload | Closed | Open | CallbackDownload | EpochBegins:
        kinds = (CallbackUpload, Closed, Open, CallbackDownload, EpochBegins)
        while True:
            message = (await self._party.receive(*kinds, sender=MANAGER)).message
            assert isinstance(message, kinds)
            if message.epoch == epoch or isinstance(message, EpochBegins):
                return message
            if message.epoch > epoch:
                raise ProtocolError(f"a message of epoch {message.epoch} in epoch {epoch}", [MANAGER])
            # Of an epoch that this worker was not told of, or that it was too late for: dropped.

    def _choose(self, epoch: int, present: bytes) -> Flags:
        system, task, blocks = self._system, self._task, self._blocks.count
        if self._abstains:
            self._abstains = False
            return np.zeros(blocks, np.bool_)
        if system.selection == "random":
            take = system.blocks_each(task.workers, blocks)
            return select.random(task.seed, epoch, worker=self._party.id, blocks=blocks, take=take)
        here = active.members(int(active.from_bytes(present, task.workers)[0]))
        each = system.contributors(task.workers)
        flags = select.balanced(task.seed, epoch, present=here, blocks=blocks, each=each)
        return flags[:, here.index(self._party.id)]

    async def _upload(self, epoch: int, called: Flags, encoded: Integers) -> None:
        """Lines 8 and 9: encrypt what was called for, hand it in part by part."""
        blocks = np.flatnonzero(called)
        plaintext = self._blocks.split(encoded)[blocks]
        hints = []
        for part in parts(len(blocks), self._scheme.body_bytes + self._scheme.hint_bytes):
            context = Context(self._task.run, epoch, blocks[part].tolist())
            ciphertext = await self._party.to_process(
                encrypted,
                self._scheme,
                self._public_key,
                self._key_share,
                plaintext[part].astype(np.int64),
                context,
            )
            await self._party.send(MANAGER, Upload(epoch, part.start, ciphertext.body, ciphertext.hint))
            hints.append(ciphertext.hint)
        self._opener.uploaded(blocks, b"".join(hints))

    async def _download(self, epoch: int, updated: Flags) -> Flags:
        """Lines 12-14: put the global values of the updated blocks in the place of the local ones."""
        width = 4 * self._system.block
        missing = int(updated.sum())
        received = []
        while missing:
            message = (await self._party.receive(Download, EpochBegins, Finish, sender=MANAGER)).message
            if isinstance(message, EpochBegins | Finish):
                # The manager gave up on handing out to this worker, which was too slow to take it: all is
                # missed.
                self._pending = message
                return np.zeros_like(updated)
            assert isinstance(message, Download)
            if message.epoch < epoch:
                continue
            values = rows(message.values, width)
            if message.epoch != epoch or not 0 < len(values) <= missing:
                raise ProtocolError("a download that does not fit what was announced", [MANAGER])
            missing -= len(values)
            received.append(values)
        if received:
            blocks = self._blocks.split(self._local).copy()
            blocks[updated] = np.concatenate(received).view("<f4")
            self._local = self._blocks.join(blocks).astype(np.float32)
        return updated

    def _flags(self, bitmap: bytes) -> Flags:
        return flags_from(bitmap, self._blocks.count, MANAGER)


def flags_from(bitmap: bytes, count: int, sender: PartyId) -> Flags:
    """Read a peer's bitmap.

    Raises:
        ProtocolError: it is none for so many blocks.
    """
    try:
        return unpack_flags(bitmap, count)
    except ValueError as error:
        raise ProtocolError(str(error), [sender]) from error


# -------------------------------------------------------------------------------------------- manager:
# Algorithm 2


class _Manager:
    """Manager M. It holds the global model in the clear, and nothing secret."""

    def __init__(self, system: Coordinated, party: Party, learner: Learner, task: Task) -> None:
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
        kept = await self._party.to_thread("record", self._task.journal.read, "model", self._task.resume)
        if kept is None:
            raise MdlError(f"there is no checkpoint of epoch {self._task.resume}")
        self._global = fitting(kept, self._global)["parameters"]
        self._accepted = kept["accepted"]
        self._progress = Convergence.restored(self._task.stop, kept["progress"])

    async def _epoch(self, epoch: int) -> None:
        present = self._present(f"epoch {epoch} cannot begin")
        told = await self._begin(epoch, present)
        registered = await self._register(epoch, told)
        uploads = await self._collect(epoch, self._callable(registered))
        closed = await self._close(epoch, uploads)
        # Who has not taken the sets in time has no word of them, and would refuse to open any.
        openers = await self._announce(epoch, closed, told)
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

    async def _close(self, epoch: int, uploads: Mapping[PartyId, Contribution]) -> active.Sets:
        """Close the active sets over what has come, and put them on disk."""
        contributed = np.zeros((self._blocks.count, self._task.workers), np.bool_)
        for worker, upload in uploads.items():
            contributed[upload.blocks, worker - 1] = True
        closed = active.close(contributed, self._threshold)
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
        means = self._system.fixed_point.decode_mean(sums, np.maximum(contributors, 1))
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
