"""Who holds which examples, the truth that attacks on data are judged by; and who holds which model."""

from collections.abc import Mapping

import numpy as np

from mdl.config import Experiment
from mdl.learning.dataset import Dataset
from mdl.learning.partition import Rows, split
from mdl.party import MANAGER, PartyId
from mdl.systems import Decentralised, Mutual, QuantisedMpc


def rows_of_workers(experiment: Experiment, dataset: Dataset) -> Mapping[PartyId, Rows]:
    """Say which rows of the training set each worker holds."""
    if dataset.silos:
        return {worker: np.arange(*rows) for worker, rows in dataset.silos.items()}
    parts = split(dataset.train_labels, experiment.learning, experiment.workers, experiment.seed)
    return dict(enumerate(parts, start=1))


def holder(experiment: Experiment) -> PartyId:
    """Say whose model is attacked as the one that all have made: the manager's, or the first node's.

    Of workers that teach each other it is the first one's.
    """
    if isinstance(experiment.system, Mutual):
        return MANAGER + 1
    return experiment.system.roster(experiment.workers)[0]


def trained_on(experiment: Experiment, rows: Mapping[PartyId, Rows]) -> Rows:
    """Say which rows of the training set that model has learnt from.

    Args:
        experiment: whose model.
        rows: those of each worker.
    """
    if isinstance(experiment.system, Mutual):
        return rows[holder(experiment)]
    return np.unique(np.concatenate(list(rows.values())))


def named_model(experiment: Experiment) -> str:
    """Name the model that is attacked as the one that all have made, as in "losses of the ..."."""
    match experiment.system:
        case Decentralised():
            return f"model of node {holder(experiment)}"
        case Mutual():
            return f"model of worker {holder(experiment)}"
        case QuantisedMpc():
            return "common model"
        case _:
            return "global model"


def owners(experiment: Experiment) -> str:
    """Say who of a run has that model, in words."""
    match experiment.system:
        case Decentralised(mode="plain"):
            return "the node, its neighbours"
        case Decentralised():
            return "the node"
        case Mutual():
            return "the worker (the other one has its answers, which mdl audit opinions attacks)"
        case QuantisedMpc():
            return "every party"
        case _:
            return "the manager, every worker"
