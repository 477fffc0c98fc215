"""What `mdl sweep` and `mdl compare` do, once their words are read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mdl.config import Experiment
from mdl.errors import ConfigError, DataUnavailable, MdlError
from mdl.exits import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from mdl.learning.sizes import check_data
from mdl.report import write_report
from mdl.studies.engine import PointResult, default_jobs, interrupted, run_points
from mdl.studies.modes import Mode
from mdl.studies.points import Point
from mdl.studies.processes import Watcher
from mdl.studies.progress import Lines, LiveTable, State
from mdl.studies.record import note_command
from mdl.studies.sources import Source
from mdl.studies.standing import Standing, standing
from mdl.studies.tables import closing_tables, failures, plan_table

Tell = Callable[[str], None]
"""Says something that is no result."""


@dataclass(frozen=True)
class Study:
    """A study as it is asked for.

    Attributes:
        source: of its points.
        folder: the study's.
        mode: real or simulated.
        jobs: points at a time; None for the mode's default.
        data_dir: where named data sets lie, if known.
    """

    source: Source
    folder: Path
    mode: Mode
    jobs: int | None
    data_dir: Path | None

    def points(self, tell: Tell) -> Sequence[Point]:
        """Make and check all points; tell what should be known before they run.

        Raises:
            ConfigError: some cannot work.
        """
        points, notes = self.source.points()
        for note in notes:
            tell(f"note: {note}")
        return points

    def standing(self, point: Point) -> Standing:
        """Judge a point by what its folder holds."""
        return standing(point, self.folder / point.name, self.mode)


def plan(study: Study, tell: Tell, *, replace: bool) -> None:
    """Check a study, show what would be done, and say why `perform` would refuse it."""
    points = study.points(tell)
    Console(highlight=False).print(_plan_table(study, points))
    for error in _hindrances(study, points, replace=replace):
        tell(f"as things are, this study would be refused: {error}")


def perform(study: Study, tell: Tell, *, replace: bool, quiet: bool) -> int:
    """Run what is not done yet, show it, sum up, draw the comparison; give the exit code.

    Raises:
        ConfigError: some point cannot work; or its folder holds a completed run of other settings, and
            `replace` is false.
        DataUnavailable: the data set of a point that is to be run is not there.
    """
    points = study.points(tell)
    _warn(study, [point.experiment for point in points], tell)
    for error in _hindrances(study, points, replace=replace):
        raise error
    jobs = study.jobs or default_jobs(study.mode)
    note_command(study.folder, points, source=study.source, mode=study.mode, jobs=jobs)
    with _display(State([point.name for point in points], noun=study.source.noun), quiet=quiet) as watch:
        results = run_points(
            points, study.folder, mode=study.mode, jobs=jobs, watch=watch, data_dir=study.data_dir
        )
    return _close(study, list(results.values()), tell)


def _plan_table(study: Study, points: Sequence[Point]) -> Table:
    return plan_table([(point, study.standing(point)) for point in points], study.source.noun)


def _warn(study: Study, experiments: Sequence[Experiment], tell: Tell) -> None:
    insecure = sum(getattr(experiment.system, "insecure", False) for experiment in experiments)
    if insecure:
        tell(
            f"warning: system.insecure = true at {insecure} of {len(experiments)} {study.source.noun}s: "
            "runs for study; they do not protect anybody's data."
        )


def _hindrances(study: Study, points: Sequence[Point], *, replace: bool) -> Iterator[MdlError]:
    """Give what stands against running the points, though each could work."""
    standings = {point.name: study.standing(point) for point in points}
    others = [name for name, found in standings.items() if found is Standing.OTHER]
    if others and not replace:
        yield _in_the_way(study, others)
    to_do = [point.experiment for point in points if standings[point.name] is not Standing.DONE]
    missing: dict[str, DataUnavailable] = {}
    for experiment in to_do:
        try:
            check_data(experiment.learning, study.data_dir, workers=experiment.workers)
        except DataUnavailable as error:
            missing.setdefault(str(error), error)
    yield from missing.values()


def _in_the_way(study: Study, others: Sequence[str]) -> ConfigError:
    """Refuse to write over completed runs: the file may have changed, and not the wish for the runs."""
    listed = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    return ConfigError(
        [
            f"completed runs of other settings or another mode are in the way: {listed}",
            "keep them with --study ANOTHER-NAME, or have them run anew with --replace",
        ],
        str(study.folder),
    )


def _display(state: State, *, quiet: bool) -> AbstractContextManager[Watcher]:
    console = Console()
    if quiet:
        return nullcontext(lambda _: None)
    return (LiveTable if console.is_terminal else Lines)(console, state)


def _close(study: Study, results: Sequence[PointResult], tell: Tell) -> int:
    console = Console(highlight=False)
    for table in closing_tables(results):
        console.print(table)
    for line in failures(results):
        tell(line)
    if interrupted({result.point.name: result for result in results}):
        tell(f"stopped; what is done is in {study.folder}; the same command goes on with the rest")
        return EXIT_INTERRUPTED
    completed = [result.folder for result in results if result.completed]
    if completed:
        tell(f"comparison: {_report(study, [result.point for result in results])}")
    return EXIT_OK if len(completed) == len(results) else EXIT_FAILED


def _report(study: Study, points: Sequence[Point]) -> Path:
    """Draw the comparison; give the page."""
    runs = study.source.compared(study.folder, points)
    try:
        return write_report(runs, study.folder)[0]
    except OSError as error:
        raise MdlError(f"cannot write the report into {study.folder}: {error.strerror}") from None
