"""What a run's noise is, and what its workers spent of their privacy, as cells of the side-by-side table."""

import math
from collections.abc import Mapping
from typing import Any, Final

from mdl.report import naming, units
from mdl.report.quantities import EPSILON_PARAMETER
from mdl.report.runs import Run


def noise(run: Run) -> str:
    """Name the noise on contributions, and the clip."""
    return _mechanism(run, "system.privacy")


def epsilon_of_a_parameter(run: Run) -> str:
    """Give the ε that the noise promises for one parameter in one epoch."""
    return EPSILON_PARAMETER.write(EPSILON_PARAMETER.of(run))


def spent_by_contributions(run: Run) -> str:
    """Say what all contributions of the worker that sent most come to, and whether that is a guarantee."""
    said = _figures(run, "noise").get("said")
    return said if isinstance(said, str) else units.UNKNOWN


def clipped(run: Run) -> str:
    """Give the share of the contributed values that the clip cut."""
    return units.percent(_number(_figures(run, "noise").get("clipped_share")))


def dp_sgd(run: Run) -> str:
    """Name the noise in local training, and the clip."""
    return _mechanism(run, "learning.privacy")


def spent_by_training(run: Run) -> str:
    """Say what local training has spent for each record of the worker that spent most."""
    found = _figures(run, "records")
    epsilon, delta, epochs = (_number(found.get(key)) for key in ("epsilon", "delta", "epochs"))
    if epsilon is None or delta is None:
        return units.UNKNOWN
    after = f", {units.count(epochs)} epochs" if epochs is not None else ""
    return f"ε = {units.decimal(epsilon)}, δ = {delta:g}{after}"


FIGURES: Final = {
    "noise on what is contributed": noise,
    "ε a parameter and epoch": epsilon_of_a_parameter,
    "all that a worker contributed": spent_by_contributions,
    "contributed values clipped": clipped,
    "noise in local training": dp_sgd,
    "each record of a worker": spent_by_training,
}
"""Rows of the table, by what they are called. ε and δ are those of the worker that spent most."""


def _mechanism(run: Run, table: str) -> str:
    settings = dict(naming.flatten(run.settings))
    kind = settings.get(f"{table}.type", "none")
    if kind == "none":
        return units.UNKNOWN
    clip = settings.get(f"{table}.clip")
    return f"{kind}, clip {clip}" if clip is not None else str(kind)


def _figures(run: Run, promise: str) -> Mapping[str, Any]:
    """Give the figures of one promise; none where the summary lacks them, or has something else there."""
    privacy = run.summary.privacy
    found = privacy.get(promise) if isinstance(privacy, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
