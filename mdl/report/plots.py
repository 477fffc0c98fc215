"""The report's plots, in the order in which they are shown."""

from collections.abc import Sequence

from mdl.report import drawing
from mdl.report.bands import accuracy_by_setting
from mdl.report.bars import bytes_by_kind, contributions_by_worker, time_by_activity
from mdl.report.comparing import is_study
from mdl.report.drawing import Picture
from mdl.report.groups import group_runs
from mdl.report.lines import accuracy_over_epochs, accuracy_over_time
from mdl.report.opinion_lines import opinions_over_epochs
from mdl.report.pareto import COSTS, accuracy_for
from mdl.report.response import accuracy_against, numeric_keys
from mdl.report.runs import Run


def draw_all(runs: Sequence[Run]) -> Sequence[Picture]:
    """Draw every plot that the runs recorded something for; of a study those that compare its settings."""
    groups = group_runs(runs)
    with drawing.theme():
        drawn = [accuracy_by_setting(groups)] if is_study(runs) else _run_by_run(runs)
        drawn += [accuracy_against(groups, key) for key in numeric_keys(groups)]
        drawn += [accuracy_for(groups, cost) for cost in COSTS]
    return [picture for picture in drawn if picture is not None]


def _run_by_run(runs: Sequence[Run]) -> list[Picture | None]:
    plots = (
        accuracy_over_epochs,
        accuracy_over_time,
        opinions_over_epochs,
        bytes_by_kind,
        time_by_activity,
        contributions_by_worker,
    )
    return [plot(runs) for plot in plots]
