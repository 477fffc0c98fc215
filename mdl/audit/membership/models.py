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
from mdl.config import Experiment, agreed
from mdl.config import load as read
from mdl.errors import ConfigError
from mdl.learning import flat
from mdl.learning.building import build_learner
from mdl.learning.dataset import Dataset, Images, Labels
from mdl.learning.local import LocalLearner
from mdl.learning.models import build
from mdl.learning.partition import Rows
from mdl.party import PartyId
from mdl.protocols.local import kept_model
from mdl.simulator import simulate
from mdl.system import Outcome
from mdl.systems import Standalone
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


def has_shared(experiment: Experiment) -> bool:
    """Tell whether a run leaves a model that others have had a part in."""
    return not isinstance(experiment.system, Standalone)


def check_unchanged(experiment: Experiment, trained: Path) -> None:
    """Refuse settings that a finished model does not have: its members would be looked for where none are.

    Args:
        experiment: as it is to be audited.
        trained: the folder of the run that made the model.

    Raises:
        ConfigError: a setting differs that all parties have in common.
    """
    run, _ = read(trained / files.EXPERIMENT)
    if not has_shared(run):
        return
    before, now = agreed(run), agreed(experiment)
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if changed:
        raise ConfigError(
            [
                *(
                    f"{key}: is {before.get(key, 'not set')} in the run, whose model is trained"
                    for key in changed
                ),
                "leave out --set and --seed; or give the experiment's file, and its model is trained first",
            ]
        )


def kept(run: Path, party: PartyId) -> tuple[Floats, int] | None:
    """Give a party's last parameters in a run's folder, and their epoch; None if there are none."""
    journal = files.FileJournal(run, party)
    epochs = journal.epochs("model")
    found = kept_model(journal.read, epochs[-1]) if epochs else None
    return None if found is None else (found["parameters"].astype(np.float32), epochs[-1])


def of_run(experiment: Experiment, run: Path, rows: Mapping[PartyId, Rows]) -> Model | None:
    """Give the final model of all, as its holder had it, or None if the run's folder has none.

    Args:
        experiment: whose run it is.
        run: its folder.
        rows: of the training set, those of each worker.
    """
    found = kept(run, holder(experiment))
    if found is None:
        return None
    parameters, epoch = found
    name = f"{named_model(experiment)} after epoch {epoch}"
    return Model(name, parameters, trained_on(experiment, rows), holder(experiment))


def simulated(experiment: Experiment, dataset: Dataset, rows: Mapping[PartyId, Rows]) -> Model:
    """Train an experiment's global model, or the first node's of those that average, on virtual links.

    Raises:
        MdlError: the run failed.
    """
    outcome = outcomes(experiment, dataset)[holder(experiment)]
    name = f"{named_model(experiment)} after epoch {outcome.epochs}"
    return Model(name, outcome.parameters, trained_on(experiment, rows), holder(experiment))


def outcomes(experiment: Experiment, dataset: Dataset) -> Mapping[PartyId, Outcome]:
    """Run an experiment on virtual links, and say how it ended for each party.

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
    return simulation.outcomes


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
