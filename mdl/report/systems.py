"""Systems side by side: what each reaches, what it costs, who learns what, what a lost worker does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mdl.report import naming, units
from mdl.report.groups import Group, group_runs, known, written
from mdl.report.quantities import (
    ACCURACY,
    ACCURACY_ALONE,
    ACCURACY_OWN_WORST,
    BYTES_EPOCH,
    EPSILON_PARAMETER,
    EPSILON_RECORD,
    EPSILON_WORKER,
    PROCESSOR_SECONDS,
    SECONDS_EPOCH,
    Quantity,
)
from mdl.report.runs import Run
from mdl.report.tables import Table

_FIGURES: Final = (
    ACCURACY,
    ACCURACY_ALONE,
    SECONDS_EPOCH,
    BYTES_EPOCH,
    PROCESSOR_SECONDS,
    EPSILON_PARAMETER,
    EPSILON_WORKER,
    EPSILON_RECORD,
)

_TELLING: Final = ("system.type", "system.mode", "system.scheme.type", "system.graph.type")

_SHARED: Final[Mapping[str, Callable[[Any], str]]] = {
    "workers": lambda value: f"{value} workers",
    "learning.dataset": str,
    "learning.split": lambda value: f"split {value}",
    "learning.model": str,
    "learning.models": ", ".join,
    "epochs": lambda value: f"{value} epochs",
    "learning.learning_rate": lambda value: f"learning rate {value:g}",
    "learning.batch": lambda value: f"batch {value}",
    "seed": lambda value: f"seed {value}",
}
"""What is said of all runs together, where they agree."""

_TRAITS: Final = ("who learns what", "a worker is lost")


def compares_systems(runs: Sequence[Run]) -> bool:
    """Tell whether runs are of several experiments, and not of one under other settings."""
    settings = [dict(naming.flatten(run.settings)) for run in runs]
    return any(len({each.get(key) for each in settings}) > 1 for key in ("name", "system.type"))


def system_of(run: Run) -> str:
    """Name a run's system as its file does: its type, mode, scheme and graph."""
    settings = dict(naming.flatten(run.settings))
    return ", ".join(str(settings[key]) for key in _TELLING if key in settings)


def shared(runs: Sequence[Run]) -> str:
    """Say what all runs have in common of data, model and training, in a line."""
    flat = [dict(naming.flatten(run.settings)) for run in runs]
    said = []
    for key, write in _SHARED.items():
        values = [settings.get(key) for settings in flat]
        if values[0] is not None and all(value == values[0] for value in values):
            said.append(write(values[0]))
    return ", ".join(said)


def figures_table(runs: Sequence[Run]) -> Table:
    """List accuracy and costs, an experiment a row; of several seeds the mean and standard deviation."""
    clock = naming.clock(runs)
    title = f"What it reaches and what it costs{f' ({clock})' if clock else ''}"
    columns = _figures(runs)
    rows = [(_name(group), *(write(group) for write in columns.values())) for group in group_runs(runs)]
    return Table(title, ("experiment", *columns), rows)


def traits_table(runs: Sequence[Run]) -> Table:
    """List who learns what and what a loss does, an experiment a row."""
    rows = [(_name(group), system_of(group.runs[0]), *_traits(group)) for group in group_runs(runs)]
    return Table("What it hides and what it survives", ("experiment", "system", *_TRAITS), rows)


def systems_table(runs: Sequence[Run]) -> Table:
    """Put both in one."""
    figures, traits = figures_table(runs), traits_table(runs)
    lines = zip((figures.head, *figures.rows), (traits.head, *traits.rows), strict=True)
    head, *rows = [(name, system, *costs, *rest) for (name, *costs), (_, system, *rest) in lines]
    return Table("Systems side by side", head, rows)


def as_markdown(runs: Sequence[Run]) -> bytes:
    """Write the one table as Markdown, with what the runs share and what the figures are of."""
    table = systems_table(runs)
    lines = [table.head, ["---"] * len(table.head), *table.rows]
    rows = "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)
    clock = naming.clock(runs)
    said = " ".join(
        filter(
            None,
            (f"{shared(runs)}." if shared(runs) else "", f"All in {clock}." if clock else "", caption(runs)),
        )
    )
    return f"{rows}\n\n{said}\n".encode()


def caption(runs: Sequence[Run]) -> str:
    """Say what the figures are of."""
    said = [
        "Accuracy: on the test set, of the global model; where there is none, as the cell says.",
        "Alone: a worker that trains on its own data only, for as many epochs, in the mean.",
        "Time an epoch: from the first epoch's end to the last one's, divided by the epochs between.",
        "Bytes an epoch: of all parties on all links, the set-up included, divided by the epochs.",
        "Processor time: of all parties over the whole run, its start and the training alone included.",
    ]
    columns = _figures(runs)
    return " ".join(line for line in said if any(line.lower().startswith(name) for name in columns))


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _figures(runs: Sequence[Run]) -> Mapping[str, Callable[[Group], str]]:
    return {quantity.title: _writer(quantity) for quantity in known(_FIGURES, runs)}


def _writer(quantity: Quantity) -> Callable[[Group], str]:
    def write(group: Group) -> str:
        return written(quantity, group.estimate(quantity))

    return _accuracy if quantity is ACCURACY else write


def _accuracy(group: Group) -> str:
    """Write the accuracy, and whose it is where there is no global model."""
    text = written(ACCURACY, group.estimate(ACCURACY))
    models = {model for run in group.completed for model in run.summary.accuracy}
    if text == units.UNKNOWN or "global" in models:
        return text
    if "pooled" in models:
        return f"{text} (all data pooled)"
    worst = written(ACCURACY_OWN_WORST, group.estimate(ACCURACY_OWN_WORST))
    return f"{text} (mean of own models, worst {worst})"


def _name(group: Group) -> str:
    return group.name if group.completed else f"{group.name} ({group.runs[0].summary.status})"


def _traits(group: Group) -> tuple[str, str]:
    found = group.runs[0].traits
    return (found.learns, found.loss) if found else (units.UNKNOWN, units.UNKNOWN)
