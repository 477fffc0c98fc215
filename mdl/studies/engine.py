"""Run the points of a study that are not done yet: `run_points`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdl import folder as files
from mdl.errors import MdlError
from mdl.studies.entry import COMPLETED, Call, Ending, Report, Status
from mdl.studies.modes import Mode, Real
from mdl.studies.points import Point
from mdl.studies.processes import Event, Watcher, call_all
from mdl.studies.standing import LOG, Standing, foreign, read_summary, record, standing


@dataclass(frozen=True)
class PointResult:
    """What has become of a point.

    Attributes:
        point: it.
        folder: its run's.
        status: ``completed``, ``failed``, ``interrupted``, or ``unstarted`` if the study was stopped first.
        reason: why, if it did not complete.
        kept: whether it was done before, and not repeated.
        summary: its run's, as in ``summary.json``; None if it left none.
    """

    point: Point
    folder: Path
    status: Status
    reason: str
    kept: bool
    summary: Mapping[str, Any] | None

    @property
    def completed(self) -> bool:
        """Whether its figures are those of a whole run."""
        return self.status == COMPLETED


def run_points(
    points: Sequence[Point],
    folder: Path,
    *,
    mode: Mode,
    jobs: int | None = None,
    watch: Watcher = lambda _: None,
    data_dir: Path | None = None,
) -> Mapping[str, PointResult]:
    """Run the points of a study that are not done yet, each in a process and a folder of its own.

    What was done before, by this very experiment in this very mode, is kept; anything else in a point's
    folder is replaced. A point that fails does not stop the others. Ctrl-C stops those that go on, which keep
    what they have learnt, and starts no more.

    Args:
        points: of different names.
        folder: the study's; made if there is none. A point's run folder is ``folder / point.name``.
        mode: real processes or a simulation, for all.
        jobs: how many at a time; by default as many as there are cores if simulated, else one.
        watch: is shown every event: ``kept`` for what was done, then what happens to the others.
        data_dir: where named data sets lie, if known.

    Returns:
        By name what has become of each, in the order of `points`.

    Raises:
        MdlError: another process works on this study, or a point's folder is none that a point has left.
    """
    runs = {point.name: folder / point.name for point in points}
    if strange := [str(run) for run in runs.values() if foreign(run)]:
        raise MdlError(f"would overwrite what is no point of a study: {', '.join(strange)}")
    _make(folder)
    with files.locked_by(folder, "study.lock"):
        done = {point.name for point in points if standing(point, runs[point.name], mode) is Standing.DONE}
        for name in runs:
            if name in done:
                watch(Event(name, "kept", ending=Ending(COMPLETED)))
        calls = [_call(point, runs[point.name], mode, data_dir) for point in points if point.name not in done]
        endings = call_all(calls, jobs=jobs or default_jobs(mode), watch=watch)
    return {point.name: _result(point, runs[point.name], endings.get(point.name)) for point in points}


def default_jobs(mode: Mode) -> int:
    """Give how many points go on at a time: a real run has processes enough of its own."""
    return 1 if isinstance(mode, Real) else os.cpu_count() or 1


def interrupted(results: Mapping[str, PointResult]) -> bool:
    """Tell whether the study was stopped before its end."""
    return any(result.status in ("interrupted", "unstarted") for result in results.values())


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MdlError(f"cannot make the study's folder {folder}: {error.strerror}") from None


def _call(point: Point, run: Path, mode: Mode, data_dir: Path | None) -> Call:
    arguments = {
        "tables": point.experiment.model_dump(exclude_none=True),
        "run": run,
        "mode": mode,
        "record": record(point, mode),
        "data_dir": data_dir,
    }
    return Call(point.name, _work, arguments, run / LOG)


def _work(report: Report, **arguments: Any) -> None:
    """Do the point's work, in its process. There torch is loaded already; here it need not be."""
    from mdl.studies.work import work

    work(report, **arguments)


def _result(point: Point, run: Path, ending: Ending | None) -> PointResult:
    status, reason = (ending.status, ending.reason) if ending else (COMPLETED, "")
    begun = status != "unstarted"
    return PointResult(point, run, status, reason, ending is None, read_summary(run) if begun else None)
