"""A participant of SSDDL."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from mdl.errors import PeerLeft, ProtocolError
from mdl.party import MANAGER, Message, Party, PartyId
from mdl.protocols.local import Keeper, train_from
from mdl.protocols.pieces import receive_whole, send_whole
from mdl.schemes.forward_secure import Masks
from mdl.schemes.key_agreement import Agreement
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.vector_sharing import VectorSharing
from mdl.system import Learner, Outcome, Randomness, Task
from mdl.systems.secret_shared.credentials import Credentials
from mdl.systems.secret_shared.dealing import Dealing
from mdl.systems.secret_shared.groups import Groups, Members, too_close
from mdl.systems.secret_shared.messages import (
    Agree,
    Announcement,
    Announcements,
    Basis,
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

_SETS = "sets"
"""The record of whose updates this worker's of an epoch was to be summed with."""

_GROUPS = "groups"
"""The record of whom it dealt shares of its update of an epoch."""


class Worker:
    """Participant i. Its keys and shares come from `rng`."""

    def __init__(
        self,
        system: SecretSharedSettings,
        party: Party,
        learner: Learner,
        task: Task,
        *,
        rng: Randomness = SystemRandomness(),
    ) -> None:
        self._system, self._party, self._learner, self._task, self._rng = system, party, learner, task, rng
        self._keeper = Keeper(party, learner, task)
        credentials = Credentials.read(task.credentials)
        self._identity = credentials.identity(party.id)
        self._groups = Groups(credentials.groups, system.size(task.workers))
        self._sharing: VectorSharing = system.sharing(task.workers)
        self._local = learner.parameters()
        self._dealing = Dealing(party)
        self._masks: Masks | None = None
        self._generation = 0
        self._previous: Members = ()
        self._heard_until = -1  # the last epoch of which this worker knows how it ended
        self._epoch_done = task.resume
        self._pending: Message | None = None

    async def run(self) -> Outcome:
        """Take part from the first epoch to the last; see `mdl.system.System.run`."""
        self._local = await self._keeper.restored(self._local)
        try:
            reason = await self._epochs()
        except PeerLeft:
            # A worker that was too late finds the server gone. If it said why, all is well; if not, this
            # fails again.
            reason = (await self._party.receive(Finish, sender=MANAGER)).message.reason
        await self._keeper.finish(self._epoch_done, self._local)
        return Outcome(self._epoch_done, reason, self._local)

    async def _epochs(self) -> str:
        while True:
            match await self._next():
                case Agree() as agree:
                    await self._agree(agree)
                case Begin() as begin:
                    await self._epoch(begin)
                    self._epoch_done = begin.epoch
                    await self._keeper.epoch_done(begin.epoch, self._local)
                case Finish(reason):
                    return reason

    async def _next(self) -> Message:
        """Give what the server begins next; what this worker was too late for is dropped."""
        message, self._pending = self._pending, None
        if message is None:
            kinds = (Agree, Begin, Ended, Finish)
            message = (await self._party.receive(*kinds, sender=MANAGER)).message
        return message

    # -------------------------------------------------------------------------------------- Init

    async def _agree(self, wanted: Agree) -> None:
        """Agree on secrets with all who are there, anew.

        Raises:
            ProtocolError: the generation or its first epoch was before.
        """
        generation = wanted.generation
        due = self._epoch_done < wanted.epoch <= self._task.epochs
        if generation <= self._generation or not due:
            when = f"for epoch {wanted.epoch} after {self._epoch_done} of {self._task.epochs}"
            raise ProtocolError(
                f"secrets of generation {generation} after {self._generation}, {when}", [MANAGER]
            )
        self._generation, self._masks = generation, None
        bound_to = self._task.run + wanted.epoch.to_bytes(8, "big")
        agreement = Agreement(self._identity, bound_to, generation, rng=self._rng)
        await self._party.send(MANAGER, Announcement(generation, agreement.announcement))
        while True:
            kinds = (Announcements, Agree, Begin, Finish)
            message = (await self._party.receive(*kinds, sender=MANAGER)).message
            if not isinstance(message, Announcements):
                self._pending = message  # this worker was too late
                return
            if message.generation == generation:
                break
        secrets = await self._party.to_thread("cryptography", agreement.agree, dict(message.signed))
        self._masks = Masks(self._party.id, secrets, wanted.epoch)

    # -------------------------------------------------------------------------------------- an epoch

    async def _epoch(self, begin: Begin) -> None:
        epoch, group = begin.epoch, self._group(begin)
        self._forget_before(epoch)
        update = await self._update(epoch, group) if self._party.id in group else None
        ended = await self._end(epoch)
        if ended is not None:
            self._heard_until = epoch
            self._previous = ended.asked or self._previous
        self._forget_before(epoch + 1)
        if update is not None:
            count, (_, saturated) = len(self._local), update
            mine = ended is not None and not ended.missed and self._party.id in ended.asked
            updated = count if mine else 0
            self._party.record("updated", epoch, updated=updated, missed=count - updated, saturated=saturated)

    def _forget_before(self, epoch: int) -> None:
        """Move on from masks that were not needed: whoever takes them later could lift those of others."""
        if self._masks is not None:
            self._masks.skip_to(epoch)

    def _group(self, begin: Begin) -> Members:
        """Choose the group oneself, of those that the server says are there (SelectGroup).

        Raises:
            ProtocolError: the server does not say what it said before, or the group is too small.
        """
        epoch = begin.epoch
        if not self._epoch_done < epoch <= self._task.epochs:
            done, last = self._epoch_done, self._task.epochs
            raise ProtocolError(f"epoch {epoch} begins after epoch {done} of {last} was done", [MANAGER])
        if self._heard_until == epoch - 1 and begin.previous != self._previous:
            raise ProtocolError(f"the set before epoch {epoch} is not what it was", [MANAGER])
        self._previous = begin.previous
        group = self._groups.choose(epoch, begin.present, begin.previous)
        if len(group) < self._system.minimum_group:
            raise ProtocolError(f"epoch {epoch} begins with a group of {len(group)}", [MANAGER])
        return group

    async def _update(self, epoch: int, group: Members) -> tuple[Integers, int] | None:
        """Train, and have the update summed with the others'; None if it did not come to that."""
        if not self._system.shares and not await self._may_be_summed(epoch, group):
            return None
        entries = len(self._local)
        found = await receive_whole(
            self._party, Global, Ended, Begin, Agree, Finish, sender=MANAGER, epoch=epoch, entries=entries
        )
        if not isinstance(found, bytes):
            self._pending = found
            return None
        start = np.frombuffer(found, "<f4")
        self._local = await train_from(self._party, self._learner, start, self._task, epoch)  # LocalTrain
        values, saturated = self._system.fixed_point.encode(self._local.astype(np.float64) - start)
        basis = hashlib.sha256(found).digest()
        await (self._share if self._system.shares else self._mask)(epoch, group, values, basis)
        return values, saturated

    # -------------------------------------------------------------------------------------- masks

    async def _mask(self, epoch: int, group: Members, values: Integers, basis: bytes) -> None:
        """Upload the update under masks that cancel over the group; or as it is, in the plain mode.

        They cancel if all were handed the same model: from updates of different ones a server could read one.
        """
        words = values.astype(np.uint32)  # modulo 2^32
        if self._system.mode == "prng":
            if self._masks is None:
                raise ProtocolError(f"epoch {epoch} begins before secrets were agreed on", [MANAGER])
            words += await self._party.to_thread(
                "cryptography", self._masks.mask, epoch, group, len(words), context=basis
            )
        await send_whole(self._party, MANAGER, Upload, epoch, words.tobytes())

    # -------------------------------------------------------------------------------------- shares

    async def _share(self, epoch: int, group: Members, values: Integers, basis: bytes) -> None:
        """Hand shares to all members, take theirs (ParaShare), and answer for their sum once."""
        if not await self._kept(_GROUPS, epoch, group):
            await self._party.send(MANAGER, Declined(epoch, lasting=False))
            return
        shares = await self._party.to_process(self._sharing.share, values, group, rng=self._rng)
        dealt = asyncio.ensure_future(
            self._dealing.exchange(
                Basis(epoch, basis), shares, len(self._local), self._system.timeout_seconds
            )
        )
        given_up = asyncio.ensure_future(self._from_server(epoch))
        try:
            await asyncio.wait((dealt, given_up), return_when=asyncio.FIRST_COMPLETED)
            if given_up.done():
                self._pending = given_up.result()
                return
            held = dealt.result()
        finally:
            dealt.cancel()
            given_up.cancel()
        await self._party.send(MANAGER, Held(epoch, tuple(sorted(held))))
        message = await self._from_server(epoch, Open)
        if isinstance(message, Open):
            await self._answer(message, held)
        else:
            self._pending = message

    async def _answer(self, request: Open, held: Mapping[PartyId, bytes]) -> None:
        """Send the server one's share of a sum, if it may have it.

        Raises:
            ProtocolError: it may not, whatever happened: too few updates are in the sum, or one that was not
                shared here.
        """
        epoch, dealers = request.epoch, request.dealers
        allowed = len(set(dealers)) == len(dealers) >= self._system.minimum_group
        if not allowed or not set(dealers) <= set(held):
            raise ProtocolError(f"epoch {epoch}: a sum over {list(dealers)} must not be opened", [MANAGER])
        if not await self._may_be_summed(epoch, dealers):
            return
        total = await self._party.to_process(
            self._sharing.add, {dealer: held[dealer] for dealer in dealers}, len(self._local)
        )
        await send_whole(self._party, MANAGER, Upload, epoch, total)

    # -------------------------------------------------------------------------------------- one sum

    async def _may_be_summed(self, epoch: int, dealers: Sequence[PartyId]) -> bool:
        """Put on disk that this epoch's update is summed over a set, and say True; decline if it may not be.

        Not if it differs by a single worker from the last one that this worker was in: what the server says
        of the set before is not relied upon.
        """
        earlier = await self._party.to_thread("record", self._task.journal.newest, _SETS, epoch - 1)
        lasting = earlier is not None and too_close(dealers, earlier["members"].tolist())
        if not lasting and await self._kept(_SETS, epoch, dealers):
            return True
        await self._party.send(MANAGER, Declined(epoch, lasting))
        return False

    async def _kept(self, name: str, epoch: int, members: Sequence[PartyId]) -> bool:
        """Put a set of an epoch on disk; tell whether it is the one that is there, if one is.

        An epoch that is repeated, after a crash, gives the same update again: over another set, the
        difference of the two sums would show more than either.
        """
        journal, wanted = self._task.journal, np.array(sorted(members), np.int64)
        kept = await self._party.to_thread("record", journal.read, name, epoch)
        if kept is not None:
            return bool(np.array_equal(kept["members"], wanted))
        await self._party.to_thread("record", journal.write, name, epoch, {"members": wanted})
        return True

    # -------------------------------------------------------------------------------------- the end

    async def _end(self, epoch: int) -> Ended | None:
        """Hear how an epoch ended; None if the server has gone on without saying."""
        if self._pending is None:
            self._pending = await self._from_server(epoch)
        if isinstance(self._pending, Ended):
            ended, self._pending = self._pending, None
            return ended
        return None

    async def _from_server(self, epoch: int, *kinds: type[Open]) -> Message:
        """Wait for a message of these kinds, or for one that ends the epoch; older ones are dropped."""
        while True:
            message = (await self._party.receive(*kinds, Ended, Begin, Agree, Finish, sender=MANAGER)).message
            if not isinstance(message, Open | Ended) or message.epoch == epoch:
                return message
