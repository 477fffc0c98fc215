"""What `mdl sweep` and `mdl compare` print: what is to be done, and what has become of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.box import HORIZONTALS
from rich.table import Table
from rich.text import Text

from mdl.progress import human_bytes, human_seconds
from mdl.report import tables as report
from mdl.report.naming import short_keys
from mdl.report.runs import is_run, read_run
from mdl.report.systems import compares_systems, figures_table, traits_table
from mdl.studies.engine import PointResult
from mdl.studies.points import Point, written
from mdl.studies.standing import Standing

_FIGURES: Final = ("epochs", "accuracy", "bytes", "time")


def plan_table(standings: Sequence[tuple[Point, Standing]], noun: str = "point") -> Table:
    """List the points of a study and what is to be done about each."""
    counts = {each: sum(standing is each for _, standing in standings) for each in Standing}
    to_do = len(standings) - counts[Standing.DONE]
    title = f"{len(standings)} {noun}{'' if len(standings) == 1 else 's'}, {to_do} to do"
    table = Table(title=title, title_justify="left", title_style="bold")
    keys = list(standings[0][0].settings)
    for name in (*short_keys(keys), "state", "folder"):
        table.add_column(name, overflow="fold")
    for point, standing in standings:
        values = (written(point.settings[key]) for key in keys)
        table.add_row(*map(Text, (*values, standing.value, point.name)))
    return table


def closing_tables(results: Sequence[PointResult]) -> Iterator[Table]:
    """Sum up a study: point by point, and system by system all that left a run of several experiments."""
    begun = [result for result in results if result.status != "unstarted"]
    runs = [read_run(result.folder) for result in begun if is_run(result.folder)]
    several = compares_systems(runs)
    if not several or not all(result.completed for result in results):
        yield closing_table(results)
    if several:
        yield _printed(figures_table(runs), lines=False)
        yield _printed(traits_table(runs), lines=True)


def closing_table(results: Sequence[PointResult]) -> Table:
    """Sum up a study, a point a row."""
    keys = list(results[0].point.settings)
    simulated = any((result.summary or {}).get("clock") == "virtual" for result in results)
    title = "Times are simulated." if simulated else None
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), show_edge=False)
    for name in (*short_keys(keys), ""):
        table.add_column(name, overflow="fold")
    for name in _FIGURES:
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        values = [written(result.point.settings[key]) for key in keys]
        table.add_row(*map(Text, (*values, _status(result), *_figures(result.summary or {}))))
    return table


def failures(results: Sequence[PointResult]) -> Iterator[str]:
    """Say of each point that failed why, in a line."""
    for result in results:
        if result.status == "failed":
            yield f"{result.point.name} failed: {in_a_line(result.reason)}"


def in_a_line(reason: str) -> str:
    """Give the first line of a reason; where that only introduces the next, the next too."""
    first, _, rest = reason.partition("\n")
    return f"{first} {rest.partition(chr(10))[0].strip()}".strip() if first.endswith(":") else first


def _printed(found: report.Table, *, lines: bool) -> Table:
    table = Table(
        title=found.title, title_justify="left", title_style="bold", box=HORIZONTALS, show_lines=lines
    )
    for name in found.head:
        table.add_column(name, no_wrap=name == "experiment", overflow="fold")
    for row in found.rows:
        table.add_row(*map(Text, row))
    return table


def _status(result: PointResult) -> str:
    return "done before" if result.kept else result.status


def _figures(summary: Mapping[str, Any]) -> Sequence[str]:
    if not summary.get("epochs"):
        return ["-"] * len(_FIGURES)
    accuracy, sent = summary["accuracy"], summary["bytes"]
    score = next((accuracy[key] for key in ("global", "pooled", "own_mean") if key in accuracy), None)
    size = human_bytes(sum(sent.values())) if sent else "-"
    shown = "-" if score is None else f"{score:.4f}"
    return [str(summary["epochs"]), shown, size, human_seconds(summary["seconds"]["total"])]
