"""The cloud server of SSDDL: it chooses nobody, and sees sums."""

from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdl.errors import MdlError, NotEnoughShares, PeerTimeout, ProtocolError, TooFewWorkers
from mdl.party import Message, Party, PartyId, broadcast
from mdl.protocols.attendance import attendance
from mdl.protocols.convergence import Convergence
from mdl.protocols.gathering import each, gather
from mdl.protocols.local import checkpoint, fitting, scored
from mdl.protocols.pieces import receive_whole, send_whole
from mdl.schemes.vector_sharing import Additive, VectorSharing
from mdl.system import Learner, Outcome, Task
from mdl.systems.secret_shared.credentials import Credentials
from mdl.systems.secret_shared.groups import Groups, Members, too_close
from mdl.systems.secret_shared.messages import (
    Agree,
    Announcement,
    Announcements,
    Begin,
    Declined,
    Ended,
    Finish,
    Global,
    Held,
    Open,
    Upload,
)
from mdl.systems.secret_shared.settings import SecretSharedSettings
from mdl.vectors import Integers


class _Declined(ProtocolError):
    """A member takes no part in an epoch that it was in before, with others."""


@dataclass(frozen=True)
class _Summed:
    """What came of an epoch.

    Attributes:
        asked: whose updates were to be summed.
        total: the sum, shape (t,); None if it could not be read.
        silent: who did not answer.
    """

    asked: Members
    total: Integers | None
    silent: Collection[PartyId]


class Server:
    """The server S. It holds the global model in the clear, and nothing secret."""

    def __init__(self, system: SecretSharedSettings, party: Party, learner: Learner, task: Task) -> None:
        self._system, self._party, self._learner, self._task = system, party, learner, task
        self._groups = Groups(Credentials.read(task.credentials).groups, system.size(task.workers))
        self._global: NDArray[np.float64] = learner.parameters().astype(np.float64)
        self._progress = Convergence(task.stop)
        self._generations = count(1)
        self._previous: Members = ()
        self._aside: set[PartyId] = set()  # who would decline, until others come or go
        self._declined: set[PartyId] = set()  # in the epoch before
        self._epoch_done = task.resume
        self._within = system.timeout_seconds

    async def run(self) -> Outcome:
        """Lead all epochs; see `mdl.system.System.run`."""
        if self._task.resume:
            await self._restore()
        reason = "the manager was stopped"
        try:
            while self._goes_on:
                # Who comes back takes part once all have agreed on secrets anew.
                async with attendance(self._party) as self._crew:
                    await self._epochs(await self._agree())
            reason = self._progress.reason or "all epochs done"
        except MdlError as error:
            reason = f"the manager gave up: {error}"
            raise
        finally:
            await broadcast(self._party, self._party.peers, Finish(reason), within=self._within)
        return Outcome(self._epoch_done, reason, self._global.astype(np.float32))

    @property
    def _goes_on(self) -> bool:
        return self._epoch_done < self._task.epochs and not self._progress.done

    async def _epochs(self, agreed: Members) -> None:
        """Lead epochs until all are done or somebody has come back.

        Who would decline the next epoch as well sits out until others come or go.
        """
        there: Collection[PartyId] = ()
        while self._goes_on and set(self._party.peers) == set(self._crew.peers):
            if there != self._crew.peers:
                there, self._aside = self._crew.peers, set()
            present = tuple(worker for worker in agreed if worker in there and worker not in self._aside)
            await self._epoch(self._epoch_done + 1, present)
            self._epoch_done += 1

    async def _restore(self) -> None:
        kept = fitting(await checkpoint(self._party, self._task), self._global)
        self._global = kept["parameters"]
        self._progress = Convergence.restored(self._task.stop, kept["progress"])
        self._previous = tuple(kept["previous"].tolist())

    async def _agree(self) -> Members:
        """Have the workers agree on secrets for pairs (Init); give those that can take part."""
        present = self._crew.peers
        if self._system.mode != "prng":
            return tuple(present)
        generation = next(self._generations)
        await self._tell(present, Agree(generation, self._epoch_done + 1))
        announced = await gather(
            self._crew,
            Announcement,
            present,
            wanted=lambda message: message.generation == generation,
            stale=(Declined, Held, Upload),
            within=self._within,
        )
        signed = tuple((worker, announced[worker].signed) for worker in sorted(announced))
        return await self._tell(list(announced), Announcements(generation, signed))

    async def _epoch(self, epoch: int, present: Members) -> None:
        group = self._groups.choose(epoch, present, self._previous)  # SelectGroup
        least = self._system.least(self._task.workers)
        if len(group) < least:
            why = (
                f"a group needs {least}"
                if len(present) < least
                else f"a group of {least} of them would differ by one worker from that of the epoch before, "
                "whose update would show in the difference"
            )
            remain = f"{len(present)} of {self._task.workers} workers can take part"
            raise TooFewWorkers(f"epoch {epoch} cannot begin: {remain}, and {why}")
        told = await self._tell(present, Begin(epoch, present, self._previous))
        values = self._global.astype("<f4").tobytes()
        handed = {
            worker: send_whole(self._crew, worker, Global, epoch, values)
            for worker in group
            if worker in told
        }
        members = tuple(await each(handed, within=self._within))
        summing = self._shared if self._system.shares else self._masked
        summed = await summing(epoch, group, members)
        self._previous = summed.asked or self._previous
        missed = summed.total is None
        await self._tell(told, Ended(epoch, summed.asked, missed))
        if summed.total is not None:  # ParaUpdate
            means = self._system.fixed_point.decode_mean(summed.total, len(summed.asked))
            self._global = self._global + means
        elif silent := [worker for worker in summed.silent if worker in self._crew.peers]:
            within = f"timeout_seconds = {self._within:g}"
            raise PeerTimeout(f"epoch {epoch} could not be summed: no answer within {within}", silent)
        await self._conclude(epoch, present, missed=missed)

    async def _masked(self, epoch: int, group: Members, members: Members) -> "_Summed":
        """Add the updates of the whole group: without one, the others' masks do not cancel."""
        answers = await self._uploads(epoch, members)
        total = await self._opened(Additive(), answers, group, group)
        return _Summed(group, total, set(group) - set(answers))

    async def _shared(self, epoch: int, group: Members, members: Members) -> "_Summed":
        """Ask for the sum of the updates of which all who can be asked hold a share."""
        sharing = self._system.sharing(self._task.workers)
        try:
            answers = await self._holders(epoch, members)
        except _Declined as declined:
            self._note_declined(declined.culprits)
            return _Summed((), None, ())
        dealers = set(group).intersection(*(answer.dealers for answer in answers.values()))
        asked = self._groups.without_one(epoch, dealers) if too_close(dealers, self._previous) else dealers
        if len(answers) < sharing.needed(len(group)) or len(asked) < self._system.minimum_group:
            return _Summed((), None, set(group) - set(answers))
        openers = await self._tell(list(answers), Open(epoch, tuple(sorted(asked))))
        uploads = await self._uploads(epoch, openers)
        total = await self._opened(sharing, uploads, group, tuple(sorted(asked)))
        return _Summed(tuple(sorted(asked)), total, set(openers) - set(uploads))

    async def _holders(self, epoch: int, members: Members) -> dict[PartyId, Held]:
        """Hear whose shares each member holds. They wait for one another before they say so.

        Raises:
            _Declined: one of them deals none, so that the others would wait in vain.
        """

        async def one(worker: PartyId) -> Held:
            while True:
                message = (await self._crew.receive(Held, Declined, Upload, sender=worker)).message
                if isinstance(message, Declined) and message.epoch == epoch:
                    raise _Declined(f"epoch {epoch}", [worker])
                if isinstance(message, Held) and message.epoch == epoch:
                    return message

        return await each({worker: one(worker) for worker in members}, within=2 * self._within)

    async def _uploads(self, epoch: int, members: Members) -> dict[PartyId, bytes | Declined]:
        def whole(worker: PartyId) -> Coroutine[Any, Any, bytes | Declined]:
            entries = len(self._global)
            return receive_whole(self._crew, Upload, Declined, sender=worker, epoch=epoch, entries=entries)

        answers = await each({worker: whole(worker) for worker in members}, within=self._within)
        declined = {worker: answer for worker, answer in answers.items() if isinstance(answer, Declined)}
        self._aside.update(worker for worker, answer in declined.items() if answer.lasting)
        self._note_declined(declined)
        return answers

    def _note_declined(self, workers: Collection[PartyId]) -> None:
        """Set aside who declines twice in a row: for an epoch that is repeated nobody does so but once."""
        self._aside |= self._declined & set(workers)
        self._declined = set(workers)

    async def _opened(
        self,
        sharing: VectorSharing,
        answers: Mapping[PartyId, bytes | Declined],
        group: Members,
        asked: Members,
    ) -> Integers | None:
        """Read the sum; None if too few have answered."""
        sums = {worker: answer for worker, answer in answers.items() if isinstance(answer, bytes)}
        bound = self._system.fixed_point.bound(len(asked))
        try:
            return await self._party.to_process(
                sharing.open, sums, len(self._global), members=len(group), bound=bound
            )
        except NotEnoughShares:
            return None

    async def _tell(self, workers: Sequence[PartyId], message: Message) -> Members:
        """Send to all at once; give those that took it in time."""
        sent = {worker: self._crew.send(worker, message) for worker in workers}
        return tuple(sorted(await each(sent, within=self._within)))

    async def _conclude(self, epoch: int, present: Members, *, missed: bool) -> None:
        count = len(self._global)
        opened = 0 if missed else count
        self._party.record("epoch", epoch, opened=opened, missed=count - opened, present=len(present))
        parameters = self._global.astype(np.float32)
        self._progress.note(await scored(self._party, self._learner, parameters, epoch=epoch, model="global"))
        state = {
            "parameters": self._global,
            "progress": self._progress.state(),
            "previous": np.array(self._previous, np.int64),
        }
        await self._party.to_thread("record", self._task.journal.write, "model", epoch, state)
