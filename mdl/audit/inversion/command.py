"""The steps of ``mdl audit inversion``: find the point of attack, attack, show, keep."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import torch

from mdl import folder as files
from mdl.audit import output
from mdl.audit.holdings import holder, named_model
from mdl.audit.inversion.attacks import ATTACKS
from mdl.audit.inversion.findings import Audit
from mdl.audit.inversion.page import write
from mdl.audit.inversion.seen import Seen
from mdl.audit.inversion.stage import model_of
from mdl.audit.inversion.study import Attempt, mount
from mdl.audit.inversion.tables import rendered
from mdl.audit.inversion.viewing import Point, check_attackable, smaller, sums_of, views
from mdl.audit.page import prepare
from mdl.config import Experiment
from mdl.errors import ConfigError
from mdl.learning import flat
from mdl.learning.datasets import load
from mdl.protocols.local import kept_model
from mdl.vectors import Floats


def run(
    experiment: Experiment,
    *,
    trained: Path | None,
    names: Sequence[str],
    images: int,
    out: Path,
    data_dir: Path | None,
) -> Audit:
    """Audit an experiment; Ctrl-C ends early and keeps what was done.

    Args:
        experiment: what to attack.
        trained: a run's folder, whose final model is the point of attack if it has one.
        names: of attacks; none for all.
        images: victims on the plain server's side.
        out: where the page and its like go.
        data_dir: where named data sets lie.

    Raises:
        ConfigError: there is no such attack, nothing to attack, or another model in the folder.
        DataUnavailable: the data set cannot be read.
        MdlError: a run failed, or the folder cannot be written.
    """
    if unknown := [name for name in names if name not in ATTACKS]:
        raise ConfigError(
            [f"--attack {name}: choose among {', '.join(ATTACKS)}" for name in unknown], "mdl audit inversion"
        )
    check_attackable(experiment)
    torch.set_num_threads(experiment.torch_threads)
    dataset = load(experiment.learning, data_dir, workers=range(1, experiment.workers + 1))
    start, where = _point_of_attack(experiment, trained)
    if start is not None and len(start) != (count := flat.count(model_of(experiment, dataset))):
        said = f"learning.model: has {count:,} parameters, and the model in {trained} {len(start):,}"
        raise ConfigError([said], "mdl audit inversion")
    point = Point(experiment, dataset, start, images)
    prepare(out)
    audit = _attack(point, names or tuple(ATTACKS), where)
    console = output.console()
    console.print(rendered(audit))
    for path in write(audit, out, date=f"{datetime.now().astimezone():%Y-%m-%d}"):
        console.print(str(path), soft_wrap=True)
    return audit


def _point_of_attack(experiment: Experiment, trained: Path | None) -> tuple[Floats | None, str]:
    """Find the final model of a run, and say in words where the attack takes place."""
    if trained is not None:
        journal = files.FileJournal(trained, holder(experiment))
        epochs = journal.epochs("model")
        kept = kept_model(journal.read, epochs[-1]) if epochs else None
        if kept is not None:
            return kept["parameters"], f"at the run's {named_model(experiment)} after epoch {epochs[-1]}"
    return None, "at the experiment's first parameters"


def _attack(point: Point, names: Sequence[str], where: str) -> Audit:
    attempts: list[Attempt] = []
    small: dict[int, list[Attempt]] = {}
    complete = False
    try:
        output.tell("running the first epochs in the clear and as the experiment has it")
        attempts.extend(_mounted(point, views(point), names))
        if attempts and _one_image_each(point):
            for few in smaller(point):
                workers = few.experiment.workers
                output.tell(f"for comparison, sums of {workers}")
                small[workers] = []
                small[workers].extend(_mounted(few, sums_of(few), names))
        complete = True
    except KeyboardInterrupt:
        if not attempts:
            raise
        output.tell("stopping: what was done is shown and kept")
    return Audit(point.experiment, point.dataset, where, attempts, small, complete)


def _one_image_each(point: Point) -> bool:
    learning = point.experiment.learning
    return learning.batch == 1 and learning.local_steps == 1


def _mounted(point: Point, seen: Iterator[Seen], names: Sequence[str]) -> Iterator[Attempt]:
    for view in seen:
        output.tell(f"attacking {view.role}, epoch {view.epoch}: {view.what}")
        yield from mount(point, view, names)
