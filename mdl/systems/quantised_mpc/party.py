"""A party of secure quantised training: it shares its examples, and trains on what all have shared."""

import asyncio
from typing import Final

import msgspec
import numpy as np

from mdl.errors import ConfigError, PeerTimeout
from mdl.mpc.links import Links, Seal
from mdl.mpc.networks import problems, secretly
from mdl.mpc.optimisers import chosen
from mdl.mpc.session import Session, begun
from mdl.party import Party, PartyId
from mdl.protocols.gathering import each
from mdl.schemes.key_agreement import Agreement, Identity
from mdl.schemes.randomness import SystemRandomness
from mdl.system import Arrays, Learner, OpenLearner, Outcome, Randomness, Task
from mdl.systems.quantised_mpc.messages import Announcement
from mdl.systems.quantised_mpc.settings import QuantisedMpcSettings

_MODEL: Final = "model"
"""The record of this party's shares after an epoch; of the last one, of the parameters too."""

_TESTED_AT_ONCE: Final = 500


class MpcParty:
    """One of the three. Its keys come from `rng`."""

    def __init__(
        self,
        system: QuantisedMpcSettings,
        party: Party,
        learner: Learner,
        task: Task,
        *,
        rng: Randomness = SystemRandomness(),
    ) -> None:
        assert isinstance(learner, OpenLearner)
        self._system, self._party, self._learner, self._task, self._rng = system, party, learner, task, rng

    async def run(self) -> Outcome:
        """Take part from the first step to the last; see `mdl.system.System.run`.

        Raises:
            ConfigError: the network has a layer that cannot be computed in secret.
        """
        if found := problems(self._learner.network):
            raise ConfigError(found)
        session = await self._begin()
        for epoch in range(self._task.resume + 1, self._task.epochs + 1):
            await self._epoch(session, epoch)
        parameters = (await session.opened()).astype(np.float32)
        await session.settle(self._learner.network)
        await self._keep(self._task.epochs, {**session.state(), "parameters": parameters})
        return Outcome(self._task.epochs, "all epochs done", parameters)

    # -------------------------------------------------------------------------------------- Init

    async def _begin(self) -> Session:
        """Agree on secrets with the others, and translate the network."""
        task, recipe = self._task, self._learner.recipe
        identity = msgspec.msgpack.decode(task.credentials, type=Identity)
        agreement = Agreement(identity, task.run, 1, rng=self._rng)
        tested = sum(len(labels) for _, labels in self._learner.test_batches(_TESTED_AT_ONCE))
        mine = Announcement(agreement.announcement, self._learner.examples, tested)
        announced = {self._party.id: mine, **await self._announced(mine)}
        secrets = await self._party.to_thread(
            "cryptography", agreement.agree, {peer: each.signed for peer, each in announced.items()}
        )
        own, order = self._party.id, tuple(sorted(announced))
        seals = {peer: Seal(secret, own, peer) for peer, secret in secrets.items()}
        links = Links(self._party, order, seals, self._system.timeout_seconds)
        engine = await links.drive(begun(order.index(own), self._system.rounding, self._rng))
        optimiser = chosen(recipe, self._learner.learning_rate)
        network = await self._party.to_thread("training", secretly, engine, self._learner.network)
        self._tested = [announced[party].tested for party in order]
        examples = [announced[party].examples for party in order]
        shape = next(self._learner.test_batches(1))[0].shape[1:]
        session = Session(links, engine, network, optimiser, recipe, examples, shape)
        if task.resume:
            kept = await self._party.to_thread("record", task.journal.read, _MODEL, task.resume)
            assert kept is not None, "a run is resumed where all parties have a record"
            session.restore(kept)
        return session

    async def _announced(self, mine: Announcement) -> dict[PartyId, Announcement]:
        """Tell all others what one has, and hear the same of them."""
        peers, within = list(self._party.peers), self._system.timeout_seconds

        async def swap(peer: PartyId) -> Announcement:
            await self._party.send(peer, mine)
            return (await self._party.receive(Announcement, sender=peer)).message

        found = await each({peer: swap(peer) for peer in peers}, within=within)
        if silent := [peer for peer in peers if peer not in found]:
            raise PeerTimeout(f"no announcement within timeout_seconds = {within:g}", silent)
        return found

    # -------------------------------------------------------------------------------------- training

    async def _epoch(self, session: Session, epoch: int) -> None:
        batches = self._learner.batches(epoch, session.own_rows, session.steps)
        seen = 0
        for _ in range(session.steps):
            images, labels = await self._party.to_thread("training", next, batches)
            await session.step(images, labels)
            seen += len(labels)
        self._party.record("trained", epoch, examples=seen)
        if self._task.delay_seconds:
            await asyncio.sleep(self._task.delay_seconds[(epoch - 1) % len(self._task.delay_seconds)])
        await self._keep(epoch, session.state())
        every = self._task.evaluate_every
        if epoch == self._task.epochs or (every and epoch % every == 0):
            await self._score(session, epoch)
        self._party.record("done", epoch)

    async def _score(self, session: Session, epoch: int) -> None:
        """Count right answers in secret; all learn how many there are.

        On the test set that all have; or, if each has its own, on all of these, whose rows are shared.
        """
        if self._learner.recipe.common_test:
            tested = self._tested[0]
            for common in self._learner.test_batches(_TESTED_AT_ONCE):
                await session.answer(None, len(common[1]), common)
        else:
            tested = sum(self._tested)
            for owner, count in enumerate(self._tested):
                own = self._learner.test_batches(_TESTED_AT_ONCE) if owner == session.number else None
                for first in range(0, count, _TESTED_AT_ONCE):
                    batch = next(own) if own else None
                    await session.answer(owner, min(_TESTED_AT_ONCE, count - first), batch)
        right = await session.right_answers()
        if self._party.id == min(self._system.roster(self._task.workers)):  # all have the same
            self._party.record("evaluated", epoch, model="global", accuracy=right / tested)

    async def _keep(self, epoch: int, arrays: Arrays) -> None:
        await self._party.to_thread("record", self._task.journal.write, _MODEL, epoch, arrays)
