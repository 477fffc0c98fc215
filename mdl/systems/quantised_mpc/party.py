"""A party of secure quantised training: it shares its examples, and trains on what all have shared."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import numpy as np

from mdl.errors import ConfigError, ProtocolError
from mdl.mpc.engines import begun
from mdl.mpc.networks import problems, secretly
from mdl.mpc.optimisers import chosen
from mdl.mpc.session import Session
from mdl.mpc.tally import Cost
from mdl.party import Party, PartyId
from mdl.protocols.local import checkpoint
from mdl.schemes.randomness import SystemRandomness
from mdl.system import Arrays, Learner, OpenLearner, Outcome, Randomness, Task
from mdl.systems.meeting import meet
from mdl.systems.quantised_mpc.messages import Announcement
from mdl.systems.quantised_mpc.settings import QuantisedMpcSettings
from mdl.vectors import Floats

_MODEL: Final = "model"
"""The record of this party's shares after an epoch; of the last one, of the parameters and accuracy too."""

_START: Final = "start"
"""In a record: the identity of the start that has written it. Shares of another start fit no others."""

_TESTED_AT_ONCE: Final = 500

_TELLS_SECONDS: Final = 5.0
"""How often a holder tells how far the epoch is."""


class MpcParty:
    """A holder of shares, or the dealer. Its keys come from `rng`."""

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
        self._accuracy: float | None = None

    async def run(self) -> Outcome:
        """Take part from the first step to the last; see `mdl.system.System.run`.

        Raises:
            ConfigError: the network has a layer that cannot be computed in secret.
            MdlError: there is no checkpoint to go on from, or it is not of this network.
        """
        if found := problems(self._learner.network, self._shape()):
            raise ConfigError(found)
        tested = sum(len(labels) for _, labels in self._learner.test_batches(_TESTED_AT_ONCE))
        session = await self._begin(tested)
        for epoch in range(self._task.resume + 1, self._task.epochs + 1):
            await self._epoch(session, epoch)
        if self._accuracy is None:  # the run was broken off after its last epoch
            await self._score(session, self._task.epochs)
        return Outcome(self._task.epochs, "all epochs done", await self._opened(session))

    async def answer(self, asker: PartyId, images: Floats | None) -> Floats | None:
        """Classify images of one worker; see `mdl.system.Answering`."""
        session = await self._begin(0 if images is None else len(images))
        number = self._order.index(asker)
        found = []
        for first in range(0, self._tested[number], _TESTED_AT_ONCE):
            rows = min(_TESTED_AT_ONCE, self._tested[number] - first)
            part = None if images is None else images[first : first + rows]
            scores = await session.scores(number, rows, part)
            if scores is not None:
                found.append(scores)
        if images is None:
            return None
        self._party.record("answered", self._task.resume, examples=len(images))
        return np.concatenate(found).astype(np.float32)

    async def _opened(self, session: Session) -> Floats:
        """Open the parameters to whom the experiment says; nothing, shape (0,), for the others."""
        opening = self._system.opening
        if opening == "none":
            return np.zeros(0, np.float32)
        receiver = None if opening == "all" else self._order.index(opening)
        found = await session.opened(receiver)
        await session.settle(self._learner.network, receiver)
        if found is None:
            return np.zeros(0, np.float32)
        parameters = found.astype(np.float32)
        opened = {"parameters": parameters, "accuracy": np.array(self._accuracy)}
        await self._keep(self._task.epochs, {**session.state(), **opened})
        return parameters

    # -------------------------------------------------------------------------------------- Init

    async def _begin(self, tested: int) -> Session:
        """Agree on secrets with the others, and translate the network; with so many images to be scored."""
        task, recipe = self._task, self._learner.recipe
        self._own_tested = tested
        kept = await self._kept()
        start = bytes(kept.get(_START, np.zeros(0, np.uint8)))
        met = await meet(
            self._party,
            task,
            lambda signed: Announcement(signed, self._learner.examples, tested, start),
            within=self._system.timeout_seconds,
            rng=self._rng,
        )
        announced, self._order, self._links = met.announced, met.order, met.links
        if other := [peer for peer, each in announced.items() if each.start != start]:
            raise ProtocolError("checkpoints are not of the same start of the run", other)
        self._told: Mapping[str, Cost] = {}
        number, workers = self._order.index(self._party.id), range(1, task.workers + 1)
        _check_counts({worker: announced[worker] for worker in workers})
        engine = await self._links.drive(
            begun(self._system.security, number, task.workers, self._system.rounding, self._rng)
        )
        optimiser = chosen(
            recipe.optimiser,
            rate=self._learner.learning_rate,
            batch=recipe.batch,
            momentum=recipe.momentum,
        )
        network = await self._party.to_thread("training", secretly, engine, self._learner.network)
        self._tested = [announced[worker].tested for worker in workers]
        examples = [announced[worker].examples for worker in workers]
        shape = self._shape()
        session = Session(
            self._links, engine, network, optimiser, recipe, examples, shape, reveals_loss=self._system.loss
        )
        if kept:
            await session.restore(kept)
        return session

    def _shape(self) -> tuple[int, ...]:
        """Give the shape of an example."""
        return tuple(next(self._learner.test_batches(1))[0].shape[1:])

    async def _kept(self) -> Arrays:
        """Read the record to go on from; none, if the run begins."""
        return await checkpoint(self._party, self._task) if self._task.resume else {}

    # -------------------------------------------------------------------------------------- training

    async def _epoch(self, session: Session, epoch: int) -> None:
        batches = self._learner.batches(epoch, session.own_rows, session.steps) if session.own_rows else None
        clock = asyncio.get_running_loop().time
        seen, told = 0, clock()
        for number in range(1, session.steps + 1):
            batch = await self._party.to_thread("training", next, batches) if batches else None
            await session.step(batch)
            seen += session.own_rows
            if session.number == 0 and clock() - told >= _TELLS_SECONDS:
                self._party.record("step", epoch, step=number, steps=session.steps)
                told = clock()
        if self._system.loss:
            loss = await session.mean_loss()
            self._party.record("trained", epoch, examples=seen, **({} if loss is None else {"loss": loss}))
        else:
            self._party.record("trained", epoch, examples=seen)
        self._tell_costs(epoch, session.steps)
        if self._task.delay_seconds:
            await asyncio.sleep(self._task.delay_seconds[(epoch - 1) % len(self._task.delay_seconds)])
        await session.verify()
        await self._keep(epoch, session.state())
        every = self._task.evaluate_every
        if epoch == self._task.epochs or (every and epoch % every == 0):
            await self._score(session, epoch)
        self._party.record("done", epoch)

    def _tell_costs(self, epoch: int, steps: int) -> None:
        """Record what each phase has cost since this was told last, in so many steps; 0 if it was no step."""
        costs = self._links.costs
        for phase, cost in costs.items():
            since = cost - self._told.get(phase, Cost())
            if since.rounds:
                self._party.record("cost", epoch, phase=phase, steps=steps, **asdict(since))
        self._told = costs

    async def _score(self, session: Session, epoch: int) -> None:
        """Count right answers in secret; all learn how many there are.

        On the test set that all have; or, if each has its own, on all of these, whose rows are shared.
        """
        if self._learner.recipe.common_test:
            tested = self._own_tested
            for common in self._learner.test_batches(_TESTED_AT_ONCE):
                await session.answer(None, len(common[1]), common)
        else:
            tested = sum(self._tested)
            for owner, count in enumerate(self._tested):
                own = self._learner.test_batches(_TESTED_AT_ONCE) if owner == session.number else None
                for first in range(0, count, _TESTED_AT_ONCE):
                    batch = next(own) if own else None
                    await session.answer(owner, min(_TESTED_AT_ONCE, count - first), batch)
        self._accuracy = await session.right_answers() / tested
        if session.number == 0:  # all holders have the same
            self._party.record("evaluated", epoch, model="global", accuracy=self._accuracy)
        self._tell_costs(epoch, 0)

    async def _keep(self, epoch: int, arrays: Arrays) -> None:
        record = {**arrays, _START: np.frombuffer(self._task.run, np.uint8)}
        await self._party.to_thread("record", self._task.journal.write, _MODEL, epoch, record)


def _check_counts(announced: Mapping[PartyId, Announcement]) -> None:
    """Make sure that with what workers have announced there is something to train on, and to score.

    Raises:
        ProtocolError: there is not.
    """
    if without := [worker for worker, each in announced.items() if not each.examples]:
        raise ProtocolError("announced no examples to train on", without)
    if not any(each.tested for each in announced.values()):
        raise ProtocolError("nobody has announced an example to test with, or to ask about")
