"""The report's plots, in the order in which they are shown."""

from collections.abc import Sequence

from mdl.report import drawing
from mdl.report.bars import bytes_by_kind, contributions_by_worker, time_by_activity
from mdl.report.drawing import Picture
from mdl.report.lines import accuracy_over_epochs, accuracy_over_time
from mdl.report.runs import Run


def draw_all(runs: Sequence[Run]) -> Sequence[Picture]:
    """Draw every plot that the runs recorded something for."""
    plots = (
        accuracy_over_epochs,
        accuracy_over_time,
        bytes_by_kind,
        time_by_activity,
        contributions_by_worker,
    )
    with drawing.theme():
        drawn = [plot(runs) for plot in plots]
    return [picture for picture in drawn if picture is not None]
