"""One of the two owners of SMuLe: it asks, answers, and learns from what it was told."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mdl.errors import ConfigError, MdlError, PeerLeft, PeerTimeout
from mdl.mpc.blind.arithmetic import FRACTION_BITS
from mdl.mpc.blind.both_ways import Own, brought
from mdl.mpc.blind.fitness import problems
from mdl.mpc.blind.plan import steps
from mdl.mpc.blind.translation import plan_of
from mdl.party import Party
from mdl.privacy import discrete
from mdl.protocols.local import Keeper
from mdl.schemes.randomness import SystemRandomness
from mdl.system import Learner, Opinions, Outcome, Pupil, Randomness, Task
from mdl.systems.mutual.messages import Announcement
from mdl.systems.mutual.opinions import Known, Turns
from mdl.systems.mutual.settings import MutualSettings
from mdl.systems.mutual.teaching import Teaching
from mdl.vectors import Floats

_OPINIONS: Final = "opinions"
"""The record of what the other one has said, after an epoch."""

_ANSWERED: Final = "answered"
"""The record of how many answers this party has given, written before it gives them; of epoch 0, as epochs
that are repeated count too."""


class Owner:
    """Worker 1 or 2. Its keys and noise come from `rng`."""

    def __init__(
        self,
        system: MutualSettings,
        party: Party,
        learner: Learner,
        task: Task,
        *,
        rng: Randomness = SystemRandomness(),
    ) -> None:
        assert isinstance(learner, Pupil)
        self._system, self._party, self._learner, self._task, self._rng = system, party, learner, task, rng
        self._keeper = Keeper(party, learner, task)
        self._teaching: Teaching | None = Teaching(system, party, task, rng)
        self._counts: Mapping[str, int] = {}

    async def run(self) -> Outcome:
        """Take part from the first epoch to the last; see `mdl.system.System.run`.

        Raises:
            ConfigError: the network cannot be computed blindly.
            MdlError: this party was lost to the run before.
        """
        task, learner = self._task, self._learner
        if task.rejoin:
            raise MdlError("the run goes on without whoever it has lost")
        self._local = await self._keeper.restored(learner.parameters())
        await self._prepare()
        for epoch in range(task.resume + 1, task.epochs + 1):
            await self._ask(epoch)
            await self._learn(epoch)
            kept = self._known.arrays()
            await self._party.to_thread("record", task.journal.write, _OPINIONS, epoch, kept)
            await self._keeper.epoch_done(epoch, self._local)
        await self._keeper.finish(task.epochs, self._local)
        return Outcome(task.epochs, "all epochs done", self._local)

    async def _prepare(self) -> None:
        """Take up what was known, and meet the other one."""
        learner, journal = self._learner, self._task.journal
        images, self._labels = await self._party.to_thread(
            "training", learner.numbered, np.arange(learner.examples)
        )
        shape = tuple(images.shape[1:])
        if found := problems(learner.network, shape, dealt=self._system.dealt):
            raise ConfigError([f"learning.model: {problem}" for problem in found])
        plan = plan_of(learner.network)
        classes = steps(plan, shape)[-1].output[0]
        self._turns = Turns(learner.examples, self._task.seed)
        kept = await self._party.to_thread("record", journal.newest, _OPINIONS, self._task.resume)
        self._known = Known.restored(kept, learner.examples, classes)
        count = await self._party.to_thread("record", self._count_answers)
        mine = Announcement(b"", learner.examples, shape, plan, count)
        assert self._teaching is not None
        await self._unless_alone(self._teaching.begin(mine))

    def _count_answers(self) -> int:
        """Say how many answers this party has given, in epochs that are now repeated too."""
        kept = self._task.journal.read(_ANSWERED, 0)
        return int(kept["count"]) if kept else 0

    async def _unless_alone(self, together: Coroutine[Any, Any, Floats | None]) -> Floats | None:
        """Do something with the other one. If that one is lost, this one goes on alone."""
        try:
            return await together
        except (PeerLeft, PeerTimeout):
            self._teaching = None
            return None

    async def _ask(self, epoch: int) -> None:
        """Ask about examples whose turn it is, and answer the other one's questions."""
        teaching = self._teaching
        if teaching is None:
            return
        mine, other = teaching.number, 1 - teaching.number
        numbers = self._turns.next(teaching.answered[other], teaching.due(epoch, mine))
        answers = teaching.due(epoch, other)
        if answers:
            counts = {"count": np.array(teaching.answered[mine] + answers)}
            await self._party.to_thread("record", self._task.journal.write, _ANSWERED, 0, counts)
        own = await self._party.to_thread("training", self._brought, numbers, answers)
        found = await self._unless_alone(teaching.teach(epoch, own))
        self._counts = {"asked": teaching.answered[other], "answered": teaching.answered[mine]}
        if found is not None:
            self._known.take(numbers, found)

    def _brought(self, numbers: NDArray[np.int64], answers: int) -> Own:
        """Give the questions, the network that answers, and the noise on its answers."""
        self._learner.load(self._local)
        images, _ = self._learner.numbered(numbers)
        noise = None
        if self._system.noise and answers:
            shape = answers, self._known.classes
            sigma = self._system.noise * 2.0**FRACTION_BITS
            noise = discrete.gaussian(sigma, answers * self._known.classes, rng=self._rng).reshape(shape)
        return brought(self._learner.network, images, noise)

    async def _learn(self, epoch: int) -> None:
        """Train an epoch, on labels and on the opinions that are worth it."""
        known = self._known.known
        share = self._right()
        used = self._known.agreeing(self._labels) if self._system.agreement else known
        if share is None or share < self._least_right:
            used = np.zeros_like(known)
        opinions = self._opinions(used)
        self._local, training = await self._party.to_thread("training", self._trained, epoch, opinions)
        if self._task.delay_seconds:
            await asyncio.sleep(self._task.delay_seconds[(epoch - 1) % len(self._task.delay_seconds)])
        self._party.record("trained", epoch, **training, **(self._told(used) if epoch > 1 else {}))

    @property
    def _least_right(self) -> float:
        return self._system.least_right(self._known.classes)

    def _right(self) -> float | None:
        """Give the part of the opinions that are right; None while there is none."""
        told = int(self._known.known.sum())
        return int(self._known.right(self._labels).sum()) / told if told else None

    def _told(self, used: NDArray[np.bool_]) -> Mapping[str, Any]:
        """Give what is recorded of the opinions, of which some are used; see `mdl.lessons`."""
        return {
            **self._counts,
            "opinions": int(self._known.known.sum()),
            "opinions_right": self._right(),
            "opinions_needed": self._least_right,
            "learnt_from": int(used.sum()),
        }

    def _opinions(self, used: NDArray[np.bool_]) -> Opinions:
        system = self._system
        labels = system.answers == "labels"
        return Opinions(self._known.scores, used, system.weight, system.temperature, labels)

    def _trained(self, epoch: int, opinions: Opinions) -> tuple[Floats, dict[str, float]]:
        self._learner.load(self._local)
        training = self._learner.learn(epoch, opinions)
        assert training.loss is not None
        return training.parameters, {"loss": training.loss, "examples": training.examples}
