"""Many runs, put in order: what varies among them, and which of them repeat one setting with other seeds."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, Final

from mdl.report import naming, units
from mdl.report.quantities import Quantity
from mdl.report.runs import Run

SEED: Final = "seed"

NEGLIGIBLE: Final = 0.0005
"""Below this share of the mean a deviation changes none of three digits."""

CLOCK: Final = "clock"
"""Varies where simulated runs stand beside real ones."""


@dataclass(frozen=True)
class Estimate:
    """A quantity over the runs of a group.

    Attributes:
        mean: over the runs.
        deviation: standard deviation over the runs (n - 1 in the denominator), 0 for one run.
        count: n.
    """

    mean: float
    deviation: float
    count: int


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seeds only.

    Attributes:
        name: what tells it from the other groups; of all runs' common setting, the experiment's name.
        settings: values of the keys that vary, the seed apart.
        runs: at least one, in the given order.
    """

    name: str
    settings: Mapping[str, Any]
    runs: Sequence[Run]

    @property
    def completed(self) -> Sequence[Run]:
        """Those that came to their own end; what others had reached is no estimate of anything."""
        return [run for run in self.runs if run.completed]

    def estimate(self, quantity: Quantity) -> Estimate | None:
        """Estimate a quantity from the completed runs; None if none of them knows it."""
        return estimate(quantity.of(run) for run in self.completed)


def estimate(values: Iterable[float | None]) -> Estimate | None:
    """Sum up values; None if there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Estimate(fmean(known), stdev(known) if len(known) > 1 else 0.0, len(known))


def varied_settings(runs: Sequence[Run]) -> Sequence[Mapping[str, Any]]:
    """Give each run's values of the keys in which the runs differ, None where a key is not set.

    A key that some runs lack counts only if its value differs among those that have it, or nothing else does:
    which keys a table has follows from its type, and that the types differ is said once.
    """
    flat = [_settings(run) for run in runs]
    keys = list(dict.fromkeys(key for settings in flat for key in settings))
    varied = [key for key in keys if _kinds(flat, key) > 1]
    varied = varied or [key for key in keys if any(key not in settings for settings in flat)]
    clocks = {run.simulated for run in runs}
    return [
        {key: settings.get(key) for key in sorted(varied, key=naming.rank)}
        | ({CLOCK: "simulated" if run.simulated else "wall"} if len(clocks) > 1 else {})
        for run, settings in zip(runs, flat, strict=True)
    ]


def group_runs(runs: Sequence[Run]) -> Sequence[Group]:
    """Put runs together that differ in nothing but their seeds, in the order in which they come.

    Two runs with the same seed repeat nothing: each is then a group of its own.
    """
    settings = varied_settings(runs)
    found: dict[Hashable, list[int]] = {}
    for index, values in enumerate(settings):
        # Written, because a setting may be a list.
        alike = tuple((key, str(value)) for key, value in values.items() if key != SEED)
        found.setdefault(alike, []).append(index)
    members = [part for whole in found.values() for part in _with_other_seeds(runs, whole)]
    names = naming.names([runs[part[0]] for part in members])
    return [
        Group(
            name,
            {key: value for key, value in settings[part[0]].items() if key != SEED},
            [runs[index] for index in part],
        )
        for name, part in zip(names, members, strict=True)
    ]


def written(quantity: Quantity, found: Estimate | None) -> str:
    """Write an estimate: the mean, and the standard deviation if it can be seen beside it."""
    if found is None:
        return units.UNKNOWN
    visible = found.deviation > NEGLIGIBLE * abs(found.mean)
    spread = f" ± {quantity.write(found.deviation)}" if visible else ""
    return f"{quantity.write(found.mean)}{spread}"


def known(quantities: Sequence[Quantity], runs: Sequence[Run]) -> Sequence[Quantity]:
    """Leave out what no run knows."""
    return [each for each in quantities if any(each.of(run) is not None for run in runs)]


def _with_other_seeds(runs: Sequence[Run], indices: Sequence[int]) -> Sequence[Sequence[int]]:
    seeds = {_settings(runs[index]).get(SEED) for index in indices}
    return [indices] if len(seeds) == len(indices) else [[index] for index in indices]


def _settings(run: Run) -> Mapping[str, Any]:
    return dict(naming.flatten(run.settings))


def _kinds(flat: Sequence[Mapping[str, Any]], key: str) -> int:
    return len({str(settings[key]) for settings in flat if key in settings})
