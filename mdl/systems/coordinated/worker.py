"""A worker of ∝MDL^c [∝MDL, Algorithm 3]."""

from collections.abc import AsyncIterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mdl.errors import PeerLeft, ProtocolError
from mdl.party import MANAGER, Party
from mdl.protocols import selection as select
from mdl.protocols import sets as active
from mdl.protocols.contribution import Contribution, count_release
from mdl.protocols.local import Keeper, train_from
from mdl.protocols.opening import Closed, Open, Opener
from mdl.protocols.pooled import encrypted
from mdl.protocols.rows import calls, parts, rows
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.threshold import Ciphertext, Context, KeyShare
from mdl.system import Learner, Outcome, Randomness, Task
from mdl.systems.coordinated.messages import (
    CallbackDownload,
    CallbackUpload,
    Download,
    EpochBegins,
    Finish,
    Register,
    Upload,
    flags_from,
    present_from,
)
from mdl.systems.coordinated.settings import CoordinatedSettings
from mdl.systems.credentials import Credentials
from mdl.vectors import Blocks, Flags, Integers, pack_flags


class Worker:
    """Worker A_i. Its noise, if it adds any, comes from `rng`."""

    def __init__(
        self,
        system: CoordinatedSettings,
        party: Party,
        learner: Learner,
        task: Task,
        *,
        rng: Randomness = SystemRandomness(),
    ) -> None:
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
        self._encoder = system.encoder(task.workers, self._blocks, rng=rng)
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
        """Take part from the first epoch to the last; see `mdl.system.System.run`."""
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
        if self._scheme.members_first:
            self._opener.uploaded(np.flatnonzero(chosen), b"")  # as good as uploaded: the sets close over it
        trained = await train_from(self._party, self._learner, self._local, self._task, epoch)  # line 4
        gradient = (self._local.astype(np.float64) - trained) / self._learner.learning_rate
        contribution = await self._encoder.contribution(self._party, gradient, chosen)
        await count_release(self._party, self._task, epoch, contribution)
        # Line 5: what is not updated globally keeps its local step, be it outside R_i or missed.
        self._local = trained
        while True:  # lines 6-14
            match await self._event(epoch):
                case EpochBegins() as next_begins:
                    # The manager gave up on telling this worker how the epoch ended: all is missed.
                    self._pending = next_begins
                    self._note(epoch, chosen, np.zeros_like(chosen), contribution)
                    return
                case CallbackUpload() as callback:
                    await self._upload(epoch, self._flags(callback.blocks) & chosen, contribution.values)
                case Closed() as closed:
                    await self._opener.closed(self._party, closed)
                case Open() as request:
                    await self._party.send(MANAGER, await self._opener.answer(self._party, request))
                case CallbackDownload() as callback:
                    updated = await self._download(epoch, self._flags(callback.updated))
                    self._note(epoch, chosen, updated, contribution)
                    return

    def _note(self, epoch: int, chosen: Flags, updated: Flags, contribution: Contribution) -> None:
        missed = int((chosen & ~updated).sum())
        self._party.record("updated", epoch, updated=int(updated.sum()), missed=missed, **contribution.facts)

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
        here = present_from(present, task.workers, MANAGER)
        if self._party.id not in here:
            raise ProtocolError(f"epoch {epoch} begins here without worker {self._party.id}", [MANAGER])
        each = system.contributors(task.workers)
        flags = select.balanced(task.seed, epoch, present=here, blocks=blocks, each=each)
        return flags[:, here.index(self._party.id)]

    async def _upload(self, epoch: int, called: Flags, values: Integers) -> None:
        """Lines 8 and 9: encrypt what was called for, hand it in part by part."""
        blocks = np.flatnonzero(called)
        plaintext = values[blocks]
        sealed = self._for_members if self._scheme.members_first else self._for_whoever_comes
        hints = []
        async for first, ciphertext in sealed(epoch, blocks, plaintext):
            bodies, hint = rows(ciphertext.body, self._scheme.body_bytes), ciphertext.hint
            width = self._scheme.hint_bytes
            for part in parts(len(bodies), self._scheme.body_bytes + width):
                shown = hint[part.start * width : part.stop * width]
                upload = Upload(epoch, first + part.start, bodies[part].tobytes(), shown)
                await self._party.send(MANAGER, upload)
            hints.append(hint)
        if not self._scheme.members_first:
            self._opener.uploaded(blocks, b"".join(hints))

    async def _for_whoever_comes(
        self, epoch: int, blocks: NDArray[np.int64], plaintext: Integers
    ) -> AsyncIterator[tuple[int, Ciphertext]]:
        """Encrypt call by call, whatever the sets will be; give the first row of each call, and the rows."""
        width = self._scheme.body_bytes + self._scheme.hint_bytes
        for part in calls(len(blocks), width):
            context = Context(self._task.run, epoch, blocks[part].tolist())
            (ciphertext,) = await self._encrypted([plaintext[part]], [context])
            yield part.start, ciphertext

    async def _for_members(
        self, epoch: int, blocks: NDArray[np.int64], plaintext: Integers
    ) -> AsyncIterator[tuple[int, Ciphertext]]:
        """Encrypt for the sets that have closed, set by set; give all rows at once, if there are any."""
        if not len(blocks):
            return
        groups = active.groups(self._opener.agreed(epoch, blocks))
        contexts = [
            Context(self._task.run, epoch, blocks[at].tolist(), members=active.members(mask))
            for mask, at in groups
        ]
        bodies = np.empty((len(blocks), self._scheme.body_bytes), np.uint8)
        made = await self._encrypted([plaintext[at] for _, at in groups], contexts)
        for (_, at), ciphertext in zip(groups, made, strict=True):
            bodies[at] = rows(ciphertext.body, self._scheme.body_bytes)
        yield 0, Ciphertext(bodies.tobytes(), b"")

    async def _encrypted(
        self, plaintexts: Sequence[Integers], contexts: Sequence[Context]
    ) -> Sequence[Ciphertext]:
        return await self._party.to_process(
            encrypted, self._scheme, self._public_key, self._key_share, plaintexts, contexts
        )

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
            try:
                values = rows(message.values, width)
            except ValueError as error:
                raise ProtocolError(f"a download that does not fit: {error}", [MANAGER]) from error
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
