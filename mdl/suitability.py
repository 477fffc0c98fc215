"""Whether a system can train the networks of an experiment: what no single value of the file tells."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING

from mdl.config import Experiment
from mdl.errors import ConfigError
from mdl.learning.settings import LearningSettings
from mdl.party import PartyId
from mdl.systems import Mutual, QuantisedMpc

if TYPE_CHECKING:
    from torch import nn

    from mdl.learning.dataset import Dataset
    from mdl.learning.local import LocalLearner
    from mdl.learning.sizes import Sized


def largest_entry(experiment: Experiment) -> float:
    """Give what entries of examples must be below in absolute value: secret numbers have a range."""
    from mdl.mpc.fixed import LARGEST  # brings in torch

    return LARGEST if isinstance(experiment.system, QuantisedMpc | Mutual) else inf


def check_networks(experiment: Experiment, networks: "Mapping[str, Sized]") -> None:
    """Make sure that the system can train some networks.

    Args:
        experiment: what is to be run.
        networks: by the names that the experiment gives them; not all need be there.

    Raises:
        ConfigError: one has layers, weights or sizes that the system does not compute with. Each problem is
            told once, and whose network it is.
    """
    if found := list(_problems(experiment, networks)):
        raise ConfigError(found)


def check_learner(
    experiment: Experiment, party: PartyId, learner: "LocalLearner", dataset: "Dataset"
) -> None:
    """Make sure that the system can train a party's own network; see `check_networks`."""
    from mdl.learning.sizes import Sized

    name = experiment.learning.own(party).model or ""
    check_networks(experiment, {name: Sized(learner.network, dataset.shape, dataset.classes)})


def _problems(experiment: Experiment, networks: "Mapping[str, Sized]") -> Iterator[str]:
    from mdl.learning.models import needs_company  # all bring in torch
    from mdl.mpc import networks as in_secret
    from mdl.mpc.blind import fitness
    from mdl.mpc.functions.quotients import MOST_BELOW

    system = experiment.system
    for name, sized in networks.items():
        if experiment.learning.batch == 1 and needs_company(sized.network, sized.shape):
            yield f"learning.batch: {name} normalises over a batch, and one example is none; take 2 or more"
        if isinstance(system, QuantisedMpc):
            yield from in_secret.problems(sized.network, sized.shape) or _too_large(sized.network)
            if sized.classes > MOST_BELOW:
                yield (
                    f"learning.dataset: it has {sized.classes:,} classes, and a softmax in secret "
                    f"takes {MOST_BELOW:,} at most"
                )
        if isinstance(system, Mutual):
            place = _place(experiment.learning, name)
            found = fitness.problems(sized.network, tuple(sized.shape), dealt=system.dealt)
            yield from (f"{place}: {problem}" for problem in found)


def _too_large(network: "nn.Module") -> list[str]:
    """Say which first parameters and running statistics a secret number cannot hold."""
    from mdl.mpc.fixed import LARGEST

    return [
        f"learning.model: before it is trained, its {name} has entries that are not within ±{LARGEST:g}"
        for name, values in network.state_dict().items()
        if not bool((values.abs() < LARGEST).all())
    ]


def _place(learning: LearningSettings, name: str) -> str:
    """Say where the file names a network, and whose it is if each worker has its own."""
    if learning.models is None:
        return "learning.model"
    owners = [str(worker) for worker, model in enumerate(learning.models, start=1) if model == name]
    return f"learning.models: {name} of worker{'s' * (len(owners) > 1)} {' and '.join(owners)}"
