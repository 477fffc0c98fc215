"""The steps of ``mdl audit poisoning``: train with a peer whose labels are wrong, show, keep."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import torch

from mdl.audit import output
from mdl.audit.fitting import teaching
from mdl.audit.page import prepare
from mdl.audit.poisoning.shown import rendered, write
from mdl.audit.poisoning.study import Audit, Case, Score, study
from mdl.config import Experiment
from mdl.errors import ConfigError
from mdl.learning.datasets import load
from mdl.party import PartyId
from mdl.report import units


def run(
    experiment: Experiment,
    *,
    rates: Sequence[float],
    poisoner: PartyId,
    seeds: int,
    out: Path,
    data_dir: Path | None,
) -> Audit:
    """Audit an experiment; Ctrl-C ends early and keeps what was done.

    Args:
        experiment: two workers that teach each other.
        rates: of wrong labels.
        poisoner: the worker that has them.
        seeds: how many, from the experiment's on.
        out: where the page and its like go.
        data_dir: where named data sets lie.

    Raises:
        ConfigError: the workers do not teach each other, there is no such worker, or a rate is not in [0, 1].
        DataUnavailable: the data set cannot be read.
        MdlError: a run failed, or the folder cannot be written.
    """
    teaching(experiment.system)
    if wrong := [rate for rate in rates if not 0 <= rate <= 1]:
        raise ConfigError([f"--rate {wrong[0]:g}: should be from 0 to 1"])
    torch.set_num_threads(experiment.torch_threads)
    dataset = load(experiment.learning, data_dir, workers=range(1, experiment.workers + 1))
    prepare(out)
    case = Case(
        experiment,
        dataset,
        poisoner=poisoner,
        rates=sorted(set(rates)),
        seeds=range(experiment.seed, experiment.seed + seeds),
    )
    audit = _audited(case)
    console = output.console()
    console.print(rendered(audit))
    for path in write(audit, out, date=f"{datetime.now().astimezone():%Y-%m-%d}"):
        console.print(str(path), soft_wrap=True)
    return audit


def _audited(case: Case) -> Audit:
    scores: list[Score] = []
    complete = False
    runs = len(case.seeds) * (1 + len(case.rates) * len(case.ways))
    output.tell(f"{runs} runs of {case.experiment.epochs} epochs on virtual links")
    try:
        for score in study(case):
            scores.append(score)
            what = f"{score.way}, {units.percent(score.rate, 0)} wrong labels, seed {score.seed}"
            output.tell(f"{len(scores)} of {runs}: {what}: accuracy {score.accuracy:.3f}")
        complete = True
    except KeyboardInterrupt:
        if not scores:
            raise
        output.tell("stopping: what was done is shown and kept")
    return Audit(case, scores, complete)
