"""What one worker can tell from the other one's answers: who was trained on, and the network itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np

from mdl.audit.fitting import teaching
from mdl.audit.holdings import rows_of_workers
from mdl.audit.membership import models
from mdl.audit.membership.models import Model
from mdl.audit.membership.study import Finding, drawn, told_apart
from mdl.audit.opinions.extraction import accuracy, agreement, aims, taught
from mdl.audit.opinions.telling import KINDS, told
from mdl.config import Experiment
from mdl.learning.dataset import Dataset
from mdl.learning.partition import Rows, limited
from mdl.learning.seeds import Purpose
from mdl.mpc.blind.telling import Answers
from mdl.party import PartyId
from mdl.schemes.randomness import SystemRandomness
from mdl.systems import Mutual
from mdl.vectors import Floats

QUESTIONS: Final = (100, 400, 1600, 4000)
"""How many answers a student learns from, unless other numbers are asked for."""


@dataclass(frozen=True, eq=False)
class Case:
    """What is attacked.

    Attributes:
        experiment: two workers that teach each other.
        dataset: what they have parts of.
        owner: the worker whose network answers.
        most: as many members, and as many others, are told apart at most.
        questions: how many answers students learn from.
    """

    experiment: Experiment
    dataset: Dataset
    owner: PartyId
    most: int
    questions: Sequence[int]

    @property
    def asker(self) -> PartyId:
        """The other one, who attacks."""
        return next(party for party in (1, 2) if party != self.owner)

    @cached_property
    def system(self) -> Mutual:
        """How the two teach each other."""
        return teaching(self.experiment.system)

    @cached_property
    def rows(self) -> Mapping[PartyId, Rows]:
        """Which rows of the training set each has."""
        return rows_of_workers(self.experiment, self.dataset)

    @cached_property
    def tested(self) -> Rows:
        """The rows of the test set on which networks are compared."""
        limit, seed = self.experiment.learning.test_limit, self.experiment.seed
        return limited(len(self.dataset.test_labels), limit, seed, Purpose.TEST_LIMIT)

    @property
    def asked(self) -> Sequence[int]:
        """The numbers of questions, ascending; who asks about its own images has no more of them."""
        return sorted({min(count, len(self.rows[self.asker])) for count in self.questions})


@dataclass(frozen=True)
class Networks:
    """Trained models.

    Attributes:
        before: the owner's, trained alone.
        after: the owner's, taught by the asker.
        own_before: the asker's, trained alone.
        own_after: the asker's, taught by the owner.
    """

    before: Model
    after: Model
    own_before: Model
    own_after: Model


@dataclass(frozen=True, eq=False)
class Apart:
    """How well answers tell the owner's examples from others.

    Attributes:
        answers: what is told.
        finding: on the network that it names.
    """

    answers: Answers
    finding: Finding


@dataclass(frozen=True)
class Likeness:
    """How close a network comes to the owner's, on the test set.

    Attributes:
        name: of the network.
        agreement: the share of examples that both put into the same class.
        accuracy: its own.
        answers: what it has learnt from; None for no copy.
        questions: how many answers those were.
    """

    name: str
    agreement: float
    accuracy: float
    answers: Answers | None = None
    questions: int = 0


Result: TypeAlias = Apart | Likeness


@dataclass(frozen=True, eq=False)
class Audit:
    """What came of it.

    Attributes:
        case: what was attacked.
        results: in the order in which they came.
        complete: False if it was stopped early.
    """

    case: Case
    results: Sequence[Result]
    complete: bool

    @property
    def apart(self) -> Sequence[Apart]:
        """Members told from others: each kind of answers, before and after."""
        return [result for result in self.results if isinstance(result, Apart)]

    @property
    def likenesses(self) -> Sequence[Likeness]:
        """Networks compared with the owner's, copies last."""
        return [result for result in self.results if isinstance(result, Likeness)]

    def copies(self, answers: Answers) -> Sequence[Likeness]:
        """Give the copies made of a kind of answers, by ascending number of them."""
        return [each for each in self.likenesses if each.answers == answers]


def study(case: Case, networks: Networks) -> Iterator[Result]:
    """Attack: membership first, then copies."""
    for model in (networks.before, networks.after):
        yield from _apart(case, model)
    yield from _compared(case, networks)
    yield from _copies(case, networks.after)


def _apart(case: Case, model: Model) -> Iterator[Apart]:
    """Tell the owner's examples from test examples by what its network's answers lose on them."""
    experiment, data = case.experiment, case.dataset
    members, others = drawn(experiment, data, model.rows, case.most)
    network = models.module(experiment, data, model)
    inside = models.scores(network, data.train_images[members], data.scale)
    outside = models.scores(network, data.test_images[others], data.scale)
    for answers in KINDS:
        finding = told_apart(
            model.name,
            models.losses(_told(case, inside, answers), data.train_labels[members]),
            models.losses(_told(case, outside, answers), data.test_labels[others]),
            seed=experiment.seed,
        )
        yield Apart(answers, finding)


def _told(case: Case, scores: Floats, answers: Answers) -> Floats:
    return told(scores, answers, noise=case.system.noise, rng=SystemRandomness(), seed=case.experiment.seed)


def _compared(case: Case, networks: Networks) -> Iterator[Likeness]:
    """Compare the owner's network with itself, and with what the asker has anyway."""
    target = _tested(case, networks.after)
    for model in (networks.after, networks.own_before, networks.own_after):
        yield _likeness(case, model.name, _tested(case, model), target)


def _copies(case: Case, owner: Model) -> Iterator[Likeness]:
    """Teach students of the owner's kind its answers on the asker's images, and nothing else."""
    experiment, data = case.experiment, case.dataset
    own = case.rows[case.asker]
    images = data.train_images[np.random.default_rng(experiment.seed).permutation(own)]
    scores = models.scores(models.module(experiment, data, owner), images[: case.asked[-1]], data.scale)
    target = _tested(case, owner)
    for answers in KINDS:
        probabilities = aims(_told(case, scores, answers), answers)
        for count in case.asked:
            # Where the owner's training began follows from the seed, which is no secret.
            student = taught(
                models.learner(experiment, data, case.owner).network,
                experiment.learning,
                images[:count],
                probabilities[:count],
                scale=data.scale,
                steps=_steps(experiment, len(own)),
                seed=experiment.seed,
            )
            said = models.scores(student, data.test_images[case.tested], data.scale)
            found = _likeness(case, "copy", said, target)
            yield replace(found, answers=answers, questions=count)


def _steps(experiment: Experiment, examples: int) -> int:
    """Give how many steps the asker's own training takes: a copy takes as many, of however few answers."""
    each = experiment.learning.local_steps or -(-examples // experiment.learning.batch)
    return experiment.epochs * each


def _tested(case: Case, model: Model) -> Floats:
    network = models.module(case.experiment, case.dataset, model)
    return models.scores(network, case.dataset.test_images[case.tested], case.dataset.scale)


def _likeness(case: Case, name: str, said: Floats, target: Floats) -> Likeness:
    right = accuracy(said, case.dataset.test_labels[case.tested])
    return Likeness(name, agreement(said, target), right)
