"""Many runs side by side: a row a run, a row a setting, and the same as files."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mdl.report import naming, units
from mdl.report.groups import Group, group_runs, known, varied_settings, written
from mdl.report.quantities import ACCURACY, KEPT, SHOWN
from mdl.report.runs import Run
from mdl.report.tables import Table

TRAITS: Final = ("learns", "loss")
"""What is kept of a system besides figures, see `mdl.system.Traits`."""

MOST_SIDE_BY_SIDE: Final = 6
"""More runs do not fit beside each other, a column each."""


def is_study(runs: Sequence[Run]) -> bool:
    """Tell whether runs are to be compared by what varies, and not told one by one.

    That is so where there are many, or where some repeat a setting with other seeds.
    """
    return len(runs) > MOST_SIDE_BY_SIDE or any(len(group.runs) > 1 for group in group_runs(runs))


def study_tables(runs: Sequence[Run]) -> Sequence[Table]:
    """Give the tables of a study: setting by setting where some have several runs, and run by run."""
    repeated = any(len(group.runs) > 1 for group in group_runs(runs))
    return [*([settings_table(runs)] if repeated else []), runs_table(runs)]


def settings_table(runs: Sequence[Run]) -> Table:
    """List the settings that were run, each with the mean and the standard deviation over its seeds."""
    groups = sorted(group_runs(runs), key=lambda group: _order(group.settings))
    keys = list(groups[0].settings)
    shown = known(SHOWN, runs)
    rows = [
        (
            *(_cell(group.settings[key]) for key in keys),
            _seeds(group),
            *(written(quantity, group.estimate(quantity)) for quantity in shown),
        )
        for group in groups
    ]
    title = f"By setting: mean ± standard deviation over seeds{_clock(runs)}"
    return Table(title, (*keys, "runs", *(quantity.title for quantity in shown)), rows)


def runs_table(runs: Sequence[Run]) -> Table:
    """List the runs, each with the settings in which they differ."""
    pairs = zip(runs, varied_settings(runs), strict=True)
    rows_of = sorted(pairs, key=lambda pair: _order(pair[1]))
    shown = known(SHOWN, runs)
    rows = [
        (
            *(_cell(value) for value in values.values()),
            *(quantity.write(quantity.of(run)) for quantity in shown),
            run.summary.status,
            run.folder.resolve().name,
        )
        for run, values in rows_of
    ]
    head = (*rows_of[0][1], *(quantity.title for quantity in shown), "status", "folder")
    return Table(f"Run by run{_clock(runs)}", head, rows)


def as_csv(runs: Sequence[Run]) -> bytes:
    """Write a line a run: folder, the settings in which they differ, all figures, unrounded, and traits."""
    settings = varied_settings(runs)
    quantities = (*SHOWN, *KEPT)
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    head = ["folder", "name", "status", "clock", *(f"set.{key}" for key in settings[0])]
    lines.writerow([*head, *(quantity.key for quantity in quantities), *TRAITS])
    for run, values in zip(runs, settings, strict=True):
        identity = [str(run.folder), run.name, run.summary.status, run.summary.clock]
        figures = (quantity.of(run) for quantity in quantities)
        lines.writerow([*identity, *values.values(), *figures, *_traits(run).values()])
    return text.getvalue().encode()


def as_json(runs: Sequence[Run]) -> bytes:
    """Write the same, and what the runs of each setting give together."""
    settings = varied_settings(runs)
    value = {
        "varied": list(settings[0]),
        "runs": [
            {
                "folder": str(run.folder),
                "name": run.name,
                "status": run.summary.status,
                "clock": run.summary.clock,
                "settings": values,
                "figures": {quantity.key: quantity.of(run) for quantity in (*SHOWN, *KEPT)},
                "traits": _traits(run),
            }
            for run, values in zip(runs, settings, strict=True)
        ],
        "settings": [_as_json(group) for group in group_runs(runs)],
    }
    return (json.dumps(value, indent=2, default=str) + "\n").encode()


def _traits(run: Run) -> Mapping[str, str | None]:
    found = run.traits
    return {key: getattr(found, key, None) for key in TRAITS}


def _as_json(group: Group) -> Mapping[str, Any]:
    found = {quantity.key: group.estimate(quantity) for quantity in (*SHOWN, *KEPT)}
    return {
        "name": group.name,
        "settings": group.settings,
        "folders": [str(run.folder) for run in group.runs],
        "figures": {key: vars(value) for key, value in found.items() if value is not None},
    }


def _order(settings: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Give what sorts by settings, the first key first: unset ones, then numbers by size, then words."""
    return [_rank(value) for value in settings.values()]


def _rank(value: Any) -> tuple[float, str]:
    if value is None:
        return -math.inf, ""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return (float(value), "") if number else (math.inf, str(value))


def _seeds(group: Group) -> str:
    """Say how many runs an estimate is from, and of how many."""
    reached = group.estimate(ACCURACY)
    count, whole = reached.count if reached else 0, len(group.runs)
    return str(whole) if count == whole else f"{count} of {whole}"


def _clock(runs: Sequence[Run]) -> str:
    clock = naming.clock(runs)
    return f" ({clock})" if clock else ""


def _cell(value: Any) -> str:
    if value is None:
        return units.UNKNOWN
    return str(value).lower() if isinstance(value, bool) else str(value)
