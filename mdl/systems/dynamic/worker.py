"""A worker of ∝MDL^d [∝MDL, Algorithm 5]."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mdl.errors import PeerLeft, ProtocolError, leaf
from mdl.party import MANAGER, Message, Party
from mdl.protocols import selection as select
from mdl.protocols import sets as active
from mdl.protocols.contribution import count_release
from mdl.protocols.local import Keeper, train_from
from mdl.protocols.on_arrival import ArrivalWorker, Raise, RaiseOwn
from mdl.protocols.opening import Open
from mdl.protocols.pooled import encrypted
from mdl.protocols.rows import parts, rows
from mdl.protocols.seats import BlockIds
from mdl.protocols.versions import Closing, Offers, VersionOpener
from mdl.schemes.elgamal import ElGamal
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.threshold import Context, KeyShare
from mdl.system import Learner, Outcome, Randomness, Task
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
from mdl.vectors import Blocks, Flags, Floats, Integers, unpack_flags


class Worker:
    """Worker A_i: one coroutine trains and contributes, another hears the manager and answers meanwhile.

    Its noise, if it adds any, comes from `rng`.
    """

    def __init__(
        self,
        system: DynamicSettings,
        party: Party,
        learner: Learner,
        task: Task,
        *,
        rng: Randomness = SystemRandomness(),
    ) -> None:
        self._system, self._party, self._learner, self._task = system, party, learner, task
        self._keeper = Keeper(party, learner, task)
        self._scheme = system.build_scheme(task.workers)
        credentials = Credentials.read(task.credentials)
        self._public_key = credentials.public_key
        self._key_share = KeyShare(party.id, credentials.secret)
        self._local = learner.parameters()  # the same start at all parties
        self._blocks = Blocks(len(self._local), system.block)
        self._encoder = system.encoder(task.workers, self._blocks, rng=rng)
        self._epoch = task.resume
        self._offers = Offers(self._blocks.count, system.block, max_staleness=system.max_staleness)
        self._accepted = np.zeros(task.workers, np.int64)
        self._news = asyncio.Event()
        self._latecomers = asyncio.Event()
        self._new_values = np.zeros((self._blocks.count, system.block), np.float32)
        self._has_new: Flags = np.zeros(self._blocks.count, np.bool_)
        self._received = self._lost = 0

    async def run(self) -> Outcome:
        """Take part from the first epoch to the last; see `mdl.system.System.run`."""
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
            try:
                found = np.frombuffer(message.versions, "<u4").astype(np.int64)
                seats = unpack_flags(message.seated, len(found))
            except ValueError as error:
                raise ProtocolError(f"a welcome that is none: {error}", [MANAGER]) from error
            if message.first != self._blocks.count - missing or not 0 < len(found) <= missing:
                raise ProtocolError("a welcome that does not fit the model", [MANAGER])
            versions.append(found)
            seated.append(seats)
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
        # What the global model has no new value for keeps its local step.
        self._local, self._epoch = trained, epoch
        self._take_over_values()
        # On disk before anything of this epoch leaves: whoever comes back from here never computes, hence
        # never offers, the same gradient again.
        await self._keeper.epoch_done(epoch, self._local)
        facts = await self._offer(gradient, bases)
        await self._party.send(MANAGER, EpochDone(epoch))
        self._party.record("updated", epoch, updated=self._received, missed=self._lost, **facts)
        self._received = self._lost = 0

    async def _offer(self, gradient: Floats, bases: NDArray[np.int64]) -> Mapping[str, int]:
        """Offer as many blocks as one's share is, of those in which one has no seat yet (line 2).

        Noise is drawn for them here, once: what comes too late and is offered again is carried as it is.
        """
        chosen = self._choose(gradient, self._offers.free & self._offers.fresh(self._opener.versions, bases))
        contribution = await self._encoder.contribution(self._party, gradient, chosen)
        await count_release(self._party, self._task, self._epoch, contribution)
        # Sets may have closed meanwhile.
        blocks = np.flatnonzero(chosen & self._offers.fresh(self._opener.versions, bases))
        values = contribution.values[blocks]
        self._offers.put(blocks, values, bases[blocks])
        await self._upload(blocks, values)
        return contribution.facts

    def _choose(self, gradient: Floats, among: Flags) -> Flags:
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
            sizes = np.abs(self._blocks.split(gradient)).sum(axis=1)
            return select.largest(sizes, among=among, take=take)
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
            (ciphertext,) = await self._party.to_process(
                encrypted, self._scheme, self._public_key, self._key_share, [values], [context]
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
        await self._party.send(MANAGER, Upload(version, pack_ids(blocks), body, hint))

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
        if len(values) != 4 * len(blocks) * self._system.block:
            raise ProtocolError("a download that does not fit its blocks", [MANAGER])
        found = np.frombuffer(values, "<f4")
        self._new_values[blocks] = found.reshape(len(blocks), -1)
        self._has_new[blocks] = True
        self._received += len(blocks)

    def _ids(self, packed: bytes) -> BlockIds:
        return unpack_ids(packed, self._blocks.count, MANAGER)
