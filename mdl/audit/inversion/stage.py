"""The experiment's first epochs, run on virtual links with real data: what was said, and what was trained on.

The transcript is what roles see. What each worker trained on is the truth that attacks are judged by; a
worker's own gradient is what it and those it colludes with know besides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from mdl.audit.holdings import holder, rows_of_workers
from mdl.audit.inversion.noting import Notes, noting
from mdl.config import Experiment
from mdl.learning.building import private_plan
from mdl.learning.dataset import Dataset
from mdl.learning.local import Examples, LocalLearner
from mdl.learning.models import build
from mdl.learning.partition import Rows
from mdl.party import PartyId
from mdl.simulator import Sent, simulate
from mdl.system import Metrics, Training
from mdl.systems import AnySystem
from mdl.vectors import Floats, Integers


@dataclass(frozen=True, eq=False)
class Step:
    """One epoch of a worker's.

    Attributes:
        before: the parameters it started from, shape (t,).
        after: those it ended with, shape (t,).
        rows: of the training set, those it trained on, each once.
    """

    before: Floats
    after: Floats
    rows: Rows


@dataclass(frozen=True, eq=False)
class Staged:
    """A run of the first epochs.

    Attributes:
        system: what was run.
        workers: n.
        learning_rate: λ.
        start: the parameters at which all parties began, shape (t,).
        transcript: every message.
        steps: by worker and epoch.
        contributed: what each worker encoded, by worker and epoch, noise included, shape (blocks, size);
            nothing where nothing is encoded.
    """

    system: AnySystem
    workers: int
    learning_rate: float
    start: Floats
    transcript: Sequence[Sent]
    steps: Mapping[tuple[PartyId, int], Step]
    contributed: Mapping[tuple[PartyId, int], Integers]


def stage(experiment: Experiment, dataset: Dataset, *, epochs: int, start: Floats | None = None) -> Staged:
    """Run the first epochs of an experiment on the simulator.

    Args:
        experiment: what to run; delays and the rule to stop do not matter, and `epochs` does only for how
            noise is spread over them.
        dataset: its data set.
        epochs: how many.
        start: the parameters that all parties begin with; by default the experiment's.

    Raises:
        MdlError: the run failed.
    """
    parts = rows_of_workers(experiment, dataset)
    learners = {
        party: _learner(experiment, dataset, party, rows=parts.get(party, np.empty(0, np.int64)), start=start)
        for party in experiment.system.roster(experiment.workers)
    }
    initial = learners[holder(experiment)].parameters()
    notes = Notes()
    simulation = simulate(
        noting(experiment.system, notes),
        learners.__getitem__,
        workers=experiment.workers,
        epochs=epochs,
        seed=experiment.seed,
    )
    for error in simulation.errors.values():
        raise error
    steps = {
        (party, epoch): step for party, learner in learners.items() for epoch, step in learner.steps.items()
    }
    return Staged(
        experiment.system,
        experiment.workers,
        experiment.learning.learning_rate,
        initial,
        simulation.transcript,
        steps,
        notes.by_epoch(),
    )


def model_of(experiment: Experiment, dataset: Dataset) -> nn.Module:
    """Make the experiment's model, with its initial parameters."""
    return build(experiment.learning, dataset.shape, dataset.classes, experiment.seed)


class _Watched:
    """A learner that keeps what it trained on and what came of it. It is not scored: nobody asks here."""

    def __init__(self, learner: LocalLearner, train: "_NotedExamples") -> None:
        self._learner, self._train = learner, train
        self.steps: dict[int, Step] = {}

    @property
    def learning_rate(self) -> float:
        return self._learner.learning_rate

    def parameters(self) -> Floats:
        return self._learner.parameters()

    def load(self, parameters: Floats) -> None:
        self._learner.load(parameters)

    def train(self, epoch: int) -> Training:
        before = self._learner.parameters()
        self._train.noted.clear()
        training = self._learner.train(epoch)
        # A private step may draw no example at all.
        rows = np.unique(np.concatenate([np.empty(0, np.int64), *self._train.noted]))
        self.steps[epoch] = Step(before, training.parameters, rows)
        return training

    def evaluate(self) -> Metrics:
        return Metrics(loss=0.0, accuracy=0.0)


@dataclass(frozen=True, eq=False)
class _NotedExamples(Examples):
    """Examples that note which of them were asked for."""

    noted: list[Rows] = field(default_factory=list)

    def batch(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Examples`."""
        self.noted.append(rows)
        return Examples.batch(self, rows)


def _learner(
    experiment: Experiment, dataset: Dataset, party: PartyId, *, rows: Rows, start: Floats | None
) -> _Watched:
    train = _NotedExamples(dataset.train_images, dataset.train_labels, rows, dataset.scale)
    nothing = Examples(dataset.test_images, dataset.test_labels, np.empty(0, np.int64), dataset.scale)
    learner = LocalLearner(
        model_of(experiment, dataset),
        experiment.learning,
        train=train,
        test=nothing,
        seed=experiment.seed,
        party=party,
        plan=private_plan(experiment.learning, len(rows), experiment.epochs),
    )
    if start is not None:
        learner.load(start)
    return _Watched(learner, train)
