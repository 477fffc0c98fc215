"""Models under attack: the global one, and for comparison those that workers train alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mdl import folder as files
from mdl.audit.holdings import holder, named_model, trained_on
from mdl.audit.membership.scores import Losses
from mdl.config import Experiment
from mdl.errors import ConfigError
from mdl.learning import flat
from mdl.learning.dataset import Dataset, Images, Labels
from mdl.learning.local import LocalLearner, build_learner
from mdl.learning.models import build
from mdl.learning.partition import Rows
from mdl.party import PartyId
from mdl.simulator import simulate
from mdl.vectors import Floats

_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model.

    Attributes:
        name: what it is.
        parameters: shape (t,).
        rows: of the training set, those it was trained on.
        owner: whose kind of network it is.
    """

    name: str
    parameters: Floats
    rows: Rows
    owner: PartyId


def is_in(run: Path, party: PartyId) -> bool:
    """Tell whether a run's folder has a party's model."""
    return bool(files.FileJournal(run, party).epochs("model"))


def of_run(experiment: Experiment, run: Path, rows: Mapping[PartyId, Rows]) -> Model | None:
    """Give the final model of all, as its holder had it, or None if the run's folder has none.

    Args:
        experiment: whose run it is.
        run: its folder.
        rows: of the training set, those of each worker.
    """
    journal = files.FileJournal(run, holder(experiment))
    epochs = journal.epochs("model")
    kept = journal.read("model", epochs[-1]) if epochs else None
    if kept is None:
        return None
    name = f"{named_model(experiment)} after epoch {epochs[-1]}"
    parameters = kept["parameters"].astype(np.float32)
    return Model(name, parameters, trained_on(experiment, rows), holder(experiment))


def simulated(experiment: Experiment, dataset: Dataset, rows: Mapping[PartyId, Rows]) -> Model:
    """Train an experiment's global model, or the first node's of those that average, on virtual links.

    Raises:
        MdlError: the run failed.
    """
    simulation = simulate(
        experiment.system,
        lambda party: learner(experiment, dataset, party),
        workers=experiment.workers,
        epochs=experiment.epochs,
        seed=experiment.seed,
        stop=experiment.stop_rule(),
        transcript=False,
    )
    for error in simulation.errors.values():
        raise error
    outcome = simulation.outcomes[holder(experiment)]
    name = f"{named_model(experiment)} after epoch {outcome.epochs}"
    return Model(name, outcome.parameters, trained_on(experiment, rows), holder(experiment))


def alone(experiment: Experiment, dataset: Dataset, rows: Mapping[PartyId, Rows], worker: PartyId) -> Model:
    """Train a worker's model on its own examples only, for as many epochs."""
    trained = learner(experiment, dataset, worker)
    for epoch in range(1, experiment.epochs + 1):
        trained.train(epoch)
    return Model(f"worker {worker} alone", trained.parameters(), rows[worker], worker)


def learner(experiment: Experiment, dataset: Dataset, party: PartyId) -> LocalLearner:
    """Make a party's learner."""
    return build_learner(
        experiment.learning,
        dataset,
        party=party,
        workers=experiment.workers,
        epochs=experiment.epochs,
        seed=experiment.seed,
    )


def module(experiment: Experiment, dataset: Dataset, model: Model) -> nn.Module:
    """Make the network with a model's parameters.

    Raises:
        ConfigError: they are not of this network.
    """
    made = build(experiment.learning.own(model.owner), dataset.shape, dataset.classes, experiment.seed)
    if flat.count(made) != len(model.parameters):
        raise ConfigError(
            [
                f"learning.model: has {flat.count(made):,} parameters, and the {model.name} "
                f"{len(model.parameters):,}"
            ]
        )
    flat.write(made, model.parameters)
    return made.eval()


def scores(network: nn.Module, images: Images, scale: float) -> Floats:
    """Give what a network says of images, shape (k, classes)."""
    found = []
    with torch.inference_mode():
        for first in range(0, len(images), _AT_ONCE):
            part = torch.from_numpy(images[first : first + _AT_ONCE]) / scale
            found.append(network(part).numpy())
    return np.concatenate(found)


def losses(said: Floats, labels: Labels) -> tuple[Losses, float]:
    """Give the cross-entropy of each example, shape (k,), and the share that is classified right.

    Args:
        said: scores, shape (k, classes).
        labels: shape (k,).
    """
    own, truth = torch.from_numpy(said), torch.from_numpy(labels)
    found = functional.cross_entropy(own.double(), truth, reduction="none").numpy()
    return found, float((own.argmax(1) == truth).double().mean())
