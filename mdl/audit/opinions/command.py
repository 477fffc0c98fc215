"""The steps of ``mdl audit opinions``: find or train the networks, attack, show, keep."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import torch

from mdl.audit import output
from mdl.audit.fitting import teaching
from mdl.audit.membership import models
from mdl.audit.opinions import networks
from mdl.audit.opinions.shown import rendered, write
from mdl.audit.opinions.study import Apart, Audit, Case, Result, study
from mdl.audit.page import prepare
from mdl.config import Experiment
from mdl.learning.datasets import load
from mdl.party import PartyId


def run(
    experiment: Experiment,
    *,
    trained: Path | None,
    owner: PartyId,
    questions: Sequence[int],
    examples: int,
    out: Path,
    data_dir: Path | None,
) -> Audit:
    """Audit an experiment; Ctrl-C ends early and keeps what was done.

    Args:
        experiment: two workers that teach each other.
        trained: a run's folder, whose final models are attacked if it has both.
        owner: the worker whose network answers.
        questions: how many answers copies are made of.
        examples: at most so many members, and as many others.
        out: where the page and its like go.
        data_dir: where named data sets lie.

    Raises:
        ConfigError: the workers do not teach each other, or the experiment is not that which the models in
            `trained` are of.
        DataUnavailable: the data set cannot be read.
        MdlError: training failed, or the folder cannot be written.
    """
    teaching(experiment.system)
    if trained is not None and networks.is_in(trained):
        models.check_unchanged(experiment, trained)
    torch.set_num_threads(experiment.torch_threads)
    dataset = load(experiment.learning, data_dir, workers=range(1, experiment.workers + 1))
    prepare(out)
    audit = _audited(Case(experiment, dataset, owner, examples, questions), trained)
    console = output.console()
    console.print(rendered(audit))
    for path in write(audit, out, date=f"{datetime.now().astimezone():%Y-%m-%d}"):
        console.print(str(path), soft_wrap=True)
    return audit


def _audited(case: Case, trained: Path | None) -> Audit:
    made = networks.trained(case, trained)
    results: list[Result] = []
    complete = False
    try:
        for result in study(case, made):
            results.append(result)
            output.tell(_done(result))
        complete = True
    except KeyboardInterrupt:
        if not results:
            raise
        output.tell("stopping: what was done is shown and kept")
    return Audit(case, results, complete)


def _done(result: Result) -> str:
    if isinstance(result, Apart):
        return f"{result.finding.model}, {result.answers}: AUC {result.finding.score.auc.value:.3f}"
    of = f" of {result.questions:,} answers ({result.answers})" if result.answers else ""
    return f"{result.name}{of}: agreement {result.agreement:.3f}, accuracy {result.accuracy:.3f}"
