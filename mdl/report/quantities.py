"""What runs are compared by: one number each, from a run's summary or else from its records."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mdl.report import naming, series, units
from mdl.report.runs import Run


@dataclass(frozen=True)
class Quantity:
    """A number that a run has or has not.

    Attributes:
        key: its name in `comparison.csv`.
        title: its name in tables and on axes.
        of: gives it; None where the run does not say.
        write: gives it in words.
    """

    key: str
    title: str
    of: Callable[[Run], float | None]
    write: Callable[[float | None], str]


def _final_accuracy(run: Run) -> float | None:
    for model in ("global", "pooled", "own_mean"):
        if (known := run.summary.accuracy.get(model)) is not None:
            return known
    curve = series.main_curve(run)
    return curve[-1].accuracy if curve else None


def _best_accuracy(run: Run) -> float | None:
    return max((point.accuracy for point in series.main_curve(run)), default=None)


def _spent(promise: str, key: str) -> Callable[[Run], float | None]:
    """Give what looks a figure of one promise up in `privacy`, where a summary has it."""

    def of(run: Run) -> float | None:
        return _number(_mapping(_mapping(run.summary.privacy).get(promise)).get(key))

    return of


def _epsilon_parameter(run: Run) -> float | None:
    """Find the ε of one parameter in one epoch: as the summary has it, or as the experiment asked for it."""
    found = _spent("noise", "epsilon_parameter_epoch")(run)
    noise = dict(naming.flatten(run.settings))
    if found is None and noise.get("system.privacy.type") == "laplace":
        return _number(noise.get("system.privacy.epsilon"))
    return found


def _written_epsilon(epsilon: float | None) -> str:
    """Write out thousands and millions: that they are no guarantee should be seen at a glance."""
    return units.count(epsilon) if epsilon is not None and epsilon >= 1000 else units.decimal(epsilon)


def _bytes(run: Run) -> float | None:
    return sum(filter(None, run.summary.bytes.values())) if run.summary.bytes else None


def _bytes_beside(run: Run) -> float | None:
    """Give what was sent by who is no manager and no worker."""
    others = [size for who, size in run.summary.bytes.items() if who not in ("up", "down", "workers")]
    return others[0] if others else None


def _bytes_epoch(run: Run) -> float | None:
    sent = _bytes(run)
    return sent / run.epochs if sent is not None and run.epochs else None


def _jain(run: Run) -> float | None:
    return run.summary.fairness.jain if run.summary.fairness else None


def _opinions(key: str) -> Callable[[Run], float | None]:
    """Give what looks a figure of the opinions up, where a summary has any."""

    def of(run: Run) -> float | None:
        return _number(getattr(run.summary.opinions, key, None))

    return of


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


ACCURACY: Final = Quantity("accuracy", "accuracy", _final_accuracy, units.percent)
EPSILON_PARAMETER: Final = Quantity(
    "epsilon_parameter_epoch", "ε a parameter and epoch", _epsilon_parameter, units.decimal
)
EPSILON_WORKER: Final = Quantity(
    "epsilon_worker", "ε of all a worker sends", _spent("noise", "epsilon"), _written_epsilon
)
EPSILON_RECORD: Final = Quantity(
    "epsilon_record", "ε a record", _spent("records", "epsilon"), _written_epsilon
)
BYTES: Final = Quantity(
    "bytes_both_ways",
    "bytes, both ways",
    _bytes,
    units.size,
)
SECONDS: Final = Quantity("seconds", "time", lambda run: run.summary.seconds.get("total"), units.duration)

ACCURACY_OWN_WORST: Final = Quantity(
    "accuracy_own_worst", "worst own", lambda run: run.summary.accuracy.get("own_worst"), units.percent
)
ACCURACY_ALONE: Final = Quantity(
    "accuracy_alone_mean", "alone", lambda run: run.summary.accuracy.get("alone_mean"), units.percent
)
SECONDS_EPOCH: Final = Quantity("seconds_epoch", "time an epoch", series.epoch_seconds, units.duration)
BYTES_EPOCH: Final = Quantity("bytes_epoch", "bytes an epoch", _bytes_epoch, units.size)
PROCESSOR_SECONDS: Final = Quantity(
    "cpu_seconds", "processor time", lambda run: run.summary.cpu_seconds, units.duration
)

SHOWN: Final = (
    ACCURACY,
    Quantity("accuracy_best", "best", _best_accuracy, units.percent),
    EPSILON_PARAMETER,
    EPSILON_WORKER,
    EPSILON_RECORD,
    Quantity("bytes_up", "bytes up", lambda run: run.summary.bytes.get("up"), units.size),
    Quantity("bytes_down", "bytes down", lambda run: run.summary.bytes.get("down"), units.size),
    Quantity("bytes_workers", "bytes of workers", lambda run: run.summary.bytes.get("workers"), units.size),
    Quantity("bytes_beside", "bytes of the dealer", _bytes_beside, units.size),
    SECONDS,
    Quantity("missed_share", "missed", lambda run: run.summary.missed_share, units.percent),
)
"""In tables and files."""

KEPT: Final = (
    Quantity("epochs", "epochs", lambda run: run.epochs, units.count),
    Quantity(
        "epochs_to_converge", "epochs to converge", lambda run: run.summary.epochs_to_converge, units.count
    ),
    Quantity("accuracy_own_mean", "own", lambda run: run.summary.accuracy.get("own_mean"), units.percent),
    ACCURACY_OWN_WORST,
    ACCURACY_ALONE,
    SECONDS_EPOCH,
    BYTES_EPOCH,
    Quantity("seconds_start", "start", lambda run: run.summary.seconds.get("start"), units.duration),
    PROCESSOR_SECONDS,
    Quantity("saturated", "saturated", lambda run: run.summary.saturated, units.count),
    Quantity("jain", "Jain's index", _jain, units.decimal),
    Quantity("opinions_asked", "opinions asked for", _opinions("asked"), units.count),
    Quantity("opinions_right", "opinions right", _opinions("opinions_right"), units.percent),
    Quantity("opinions_learnt_from", "opinions learnt from", _opinions("learnt_from"), units.count),
)
"""In files only."""
