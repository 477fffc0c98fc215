"""What a worker with wrong labels does to the honest one, in each way of training together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from statistics import fmean
from typing import Final, TypeAlias

import numpy as np

from mdl.audit.fitting import teaching
from mdl.audit.holdings import rows_of_workers
from mdl.config import Experiment
from mdl.learning.building import build_learner
from mdl.learning.dataset import Dataset, Labels
from mdl.learning.local import LocalLearner
from mdl.learning.partition import Rows
from mdl.party import MANAGER, PartyId
from mdl.simulator import simulate
from mdl.systems import AnySystem, FedAvg

Way: TypeAlias = str
"""A way of training, a key of `ways`."""

ALONE: Final = "alone"
GATE: Final = "gate"
BARE: Final = "no gate"
THRESHOLD: Final = "threshold"
AVERAGED: Final = "fedavg"

RATES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of wrong labels, unless others are asked for."""

COST: Final = 0.01
"""What a poisoned peer may cost a worker with the gate, in accuracy, below training alone."""

_ERRORS: Final = 2.0
"""Standard errors that a cost must be above `COST` to refute that."""


@dataclass(frozen=True)
class Score:
    """What one run gave.

    Attributes:
        way: of training.
        rate: the part of the poisoner's examples whose labels are wrong.
        seed: the experiment's.
        accuracy: of the honest worker's model, on the test set, whose labels are right.
    """

    way: Way
    rate: float
    seed: int
    accuracy: float


@dataclass(frozen=True)
class Case:
    """What is tried.

    Attributes:
        experiment: two workers that teach each other.
        dataset: what they have parts of.
        poisoner: the worker whose labels are wrong.
        rates: of wrong labels, ascending.
        seeds: each run is done with each of them.
    """

    experiment: Experiment
    dataset: Dataset
    poisoner: PartyId
    rates: Sequence[float]
    seeds: Sequence[int]

    @property
    def honest(self) -> PartyId:
        """The other one."""
        return next(party for party in (1, 2) if party != self.poisoner)

    @cached_property
    def ways(self) -> Mapping[Way, AnySystem]:
        """The ways of training together.

        With the gate goes the experiment's own threshold, which is tried by itself too, unless it is 0.
        """
        system = teaching(self.experiment.system)
        ungated = system.model_copy(update={"agreement": False})
        found: dict[Way, AnySystem] = {
            GATE: system.model_copy(update={"agreement": True}),
            BARE: ungated.model_copy(update={"least_accuracy": 0.0}),
        }
        if system.least_accuracy != 0:
            found[THRESHOLD] = ungated
        return {**found, AVERAGED: FedAvg(timeout_seconds=system.timeout_seconds)}

    @property
    def tested(self) -> int:
        """How many examples a model is scored on."""
        count, limit = len(self.dataset.test_labels), self.experiment.learning.test_limit
        return count if limit is None else min(count, limit)


@dataclass(frozen=True)
class Audit:
    """What came of it.

    Attributes:
        case: what was tried.
        scores: of all runs that were done.
        complete: False if it was stopped early.
    """

    case: Case
    scores: Sequence[Score]
    complete: bool

    @property
    def ways(self) -> Sequence[Way]:
        """All ways of training, alone first."""
        return [ALONE, *self.case.ways]

    def accuracies(self, way: Way, rate: float) -> Sequence[float]:
        """Give what a way reached at a rate, by seed; alone, the rate makes no difference."""
        return [
            each.accuracy for each in self.scores if each.way == way and (each.rate == rate or way == ALONE)
        ]

    def mean(self, way: Way, rate: float) -> float | None:
        """Give their mean, of all seeds; None where one was not done."""
        found = self.accuracies(way, rate)
        return fmean(found) if len(found) == len(self.case.seeds) else None

    def gain(self, way: Way, rate: float) -> float | None:
        """Give by how much a way is better than training alone; below 0, what the poisoner costs."""
        reached, alone = self.mean(way, rate), self.mean(ALONE, rate)
        return None if reached is None or alone is None else reached - alone

    @property
    def worst(self) -> tuple[float, float] | None:
        """The rate at which the gate gains least, and that gain; None where nothing is known."""
        gains = [(gain, rate) for rate in self.case.rates if (gain := self.gain(GATE, rate)) is not None]
        return (min(gains)[1], min(gains)[0]) if gains else None

    @property
    def error(self) -> float:
        """The standard error of a gain where both models are right half the time, at most.

        They are taken for independent; scored on the same examples, they are not quite, and it is smaller.
        """
        return sqrt(0.5 / (self.case.tested * len(self.case.seeds)))

    @property
    def held(self) -> bool:
        """Whether with the gate a poisoner costs no more than `COST` anywhere, as measured."""
        return self.worst is not None and self.worst[1] >= -COST

    @property
    def refuted(self) -> bool:
        """Whether the gate lets a poisoner cost more than `COST`, beyond what chance explains."""
        return self.worst is not None and self.worst[1] < -(COST + _ERRORS * self.error)


def study(case: Case) -> Iterator[Score]:
    """Do run after run.

    Raises:
        MdlError: one failed.
    """
    for seed in case.seeds:
        honest = _learner(case, case.honest, seed, 0.0)
        yield Score(ALONE, 0.0, seed, honest.alone(case.experiment.epochs).accuracy)
    for rate in case.rates:
        for seed in case.seeds:
            for way, system in case.ways.items():
                yield Score(way, rate, seed, _together(case, system, seed, rate))


def _together(case: Case, system: AnySystem, seed: int, rate: float) -> float:
    """Train together, with the system's own messages and cryptography, and score what the honest one has."""
    common = isinstance(system, FedAvg)
    learners = {
        party: _learner(case, party, seed, rate if party == case.poisoner else 0.0, common=common)
        for party in system.roster(case.experiment.workers)
    }
    simulation = simulate(
        system,
        learners.__getitem__,
        workers=case.experiment.workers,
        epochs=case.experiment.epochs,
        seed=seed,
        transcript=False,
    )
    for error in simulation.errors.values():
        raise error
    honest = learners[case.honest]
    honest.load(simulation.outcomes[MANAGER if common else case.honest].parameters)
    return honest.evaluate().accuracy


def _learner(case: Case, party: PartyId, seed: int, rate: float, *, common: bool = False) -> LocalLearner:
    """Make a party's learner; where there is one model for both, it is of the honest worker's kind."""
    experiment = case.experiment.model_copy(update={"seed": seed})
    labels = case.dataset.train_labels
    if rate:
        rows = rows_of_workers(experiment, case.dataset)[party]
        labels = poisoned(labels, rows, rate, classes=case.dataset.classes, seed=seed)
    return build_learner(
        experiment.learning.own(case.honest) if common else experiment.learning,
        case.dataset,
        party=party,
        workers=experiment.workers,
        epochs=experiment.epochs,
        seed=seed,
        labels=labels,
    )


def poisoned(labels: Labels, rows: Rows, rate: float, *, classes: int, seed: int) -> Labels:
    """Shift some labels by one class, the last one to the first.

    Args:
        labels: of the training set, shape (N,).
        rows: those of the poisoner.
        rate: the part of them that is hit; those of a lower rate are hit at a higher one too.
        classes: how many there are.
        seed: decides which are hit.

    Returns:
        Shape (N,).
    """
    hit = np.random.default_rng(seed).permutation(rows)[: round(rate * len(rows))]
    shifted = labels.copy()
    shifted[hit] = (shifted[hit] + 1) % classes
    return shifted
