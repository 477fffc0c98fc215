"""The steps of ``mdl audit membership``: find or train the models, attack, show, keep."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import torch

from mdl.audit import output
from mdl.audit.holdings import holder, named_model, rows_of_workers
from mdl.audit.membership import models
from mdl.audit.membership.models import Model
from mdl.audit.membership.shown import rendered, write
from mdl.audit.membership.study import Audit, Finding, attack
from mdl.audit.page import prepare
from mdl.config import Experiment
from mdl.learning.dataset import Dataset
from mdl.learning.datasets import load
from mdl.learning.partition import Rows
from mdl.party import PartyId


def run(
    experiment: Experiment,
    *,
    trained: Path | None,
    alone: int | None,
    examples: int,
    out: Path,
    data_dir: Path | None,
) -> Audit:
    """Audit an experiment; Ctrl-C ends early and keeps what was done.

    Args:
        experiment: what to attack.
        trained: a run's folder, whose final model is attacked if it has one.
        alone: how many workers' models to train alone, for comparison; None for all.
        examples: at most so many members, and as many others.
        out: where the page and its like go.
        data_dir: where named data sets lie.

    Raises:
        ConfigError: the experiment is not that which the model in `trained` is of.
        DataUnavailable: the data set cannot be read.
        MdlError: training failed, or the folder cannot be written.
    """
    if trained is not None and models.is_in(trained, holder(experiment)):
        models.check_unchanged(experiment, trained)
    torch.set_num_threads(experiment.torch_threads)
    dataset = load(experiment.learning, data_dir, workers=range(1, experiment.workers + 1))
    workers = experiment.workers if alone is None else min(alone, experiment.workers)
    prepare(out)
    audit = _attack(experiment, dataset, trained=trained, workers=workers, examples=examples)
    console = output.console()
    console.print(rendered(audit))
    for path in write(audit, out, date=f"{datetime.now().astimezone():%Y-%m-%d}"):
        console.print(str(path), soft_wrap=True)
    return audit


def _attack(
    experiment: Experiment, dataset: Dataset, *, trained: Path | None, workers: int, examples: int
) -> Audit:
    shared: Finding | None = None
    found: list[Finding] = []
    rows = rows_of_workers(experiment, dataset)
    complete = False
    try:
        if models.has_shared(experiment):
            model = _global_model(experiment, dataset, rows, trained)
            shared = attack(experiment, dataset, model, examples)
        found.extend(
            attack(experiment, dataset, model, examples)
            for model in _alone(experiment, dataset, rows, workers)
        )
        complete = True
    except KeyboardInterrupt:
        if shared is None and not found:
            raise
        output.tell("stopping: what was done is shown and kept")
    return Audit(experiment, shared, found, complete)


def _global_model(
    experiment: Experiment, dataset: Dataset, rows: Mapping[PartyId, Rows], trained: Path | None
) -> Model:
    if trained is not None and (model := models.of_run(experiment, trained, rows)):
        return model
    why = f"{trained} has no {named_model(experiment)}: " if trained is not None else ""
    output.tell(f"{why}training {experiment.epochs} epochs on virtual links")
    return models.simulated(experiment, dataset, rows)


def _alone(
    experiment: Experiment, dataset: Dataset, rows: Mapping[PartyId, Rows], workers: int
) -> Iterator[Model]:
    for worker in range(1, workers + 1):
        output.tell(f"training worker {worker} of {workers} alone, for comparison")
        yield models.alone(experiment, dataset, rows, worker)
