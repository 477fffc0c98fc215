"""The report as one HTML page that needs nothing but itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mdl.report import figures, opinions, systems, tables
from mdl.report.comparing import is_study, study_tables
from mdl.report.drawing import Picture
from mdl.report.naming import labels
from mdl.report.runs import Run
from mdl.report.tables import Table

_KNOWN_STATUSES: Final = ("completed", "interrupted", "failed")


@dataclass(frozen=True)
class Figure:
    """A plot on the page."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class Section:
    """What the page says of one run.

    Attributes:
        name: among the page's runs.
        status: as the run has it.
        badge: the status as a style; what is none we know is ``unfinished``.
        verdict: how the run ended, if it did not complete; else empty.
        faults: of its folder, a sentence each.
        departures: of its workers, a phrase each.
        tables: its figures.
        experiment: the resolved file.
        appendix: tables few will read.
    """

    name: str
    status: str
    badge: str
    verdict: str
    faults: Sequence[str]
    departures: Sequence[str]
    tables: Sequence[Table]
    experiment: str
    appendix: Sequence[Table]


def render(runs: Sequence[Run], pictures: Sequence[Picture]) -> str:
    """Write the page."""
    environment = Environment(
        loader=PackageLoader("mdl", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = labels(runs)
    study, several = is_study(runs), systems.compares_systems(runs)
    compared = () if study else _side_by_side(runs, names)
    return environment.get_template("page.html.j2").render(
        title=_title(runs, names),
        heading=runs[0].name if len(runs) == 1 else f"{len(runs)} runs side by side",
        systems=[systems.figures_table(runs), systems.traits_table(runs)] if several else (),
        shared=systems.shared(runs),
        caption=systems.caption(runs),
        study=study_tables(runs) if study else (),
        # The SVG is matplotlib's, which escapes the text that it is given.
        figures=[Figure(Markup(picture.svg), picture.caption) for picture in pictures],  # noqa: S704
        comparison=compared,
        differences=() if study else tables.differences(runs, names),
        experiments=_first_files(runs),
        simulated=_simulated(runs),
        estimated=figures.ESTIMATED if _any_estimated(compared) else "",
        sections=[_section(run, name) for run, name in zip(runs, names, strict=True)],
    )


def _side_by_side(runs: Sequence[Run], names: Sequence[str]) -> Sequence[Table]:
    return tables.comparison(runs, [runs[0].name] if len(runs) == 1 else names)


def _first_files(runs: Sequence[Run]) -> Mapping[str, str]:
    """Give the resolved file of each experiment's first run, by the experiment's name."""
    found: dict[str, str] = {}
    for run in runs:
        found.setdefault(run.name, run.experiment)
    return found


def _title(runs: Sequence[Run], names: Sequence[str]) -> str:
    """Name the page; a browser's tab, too, tells that a run did not complete."""
    if is_study(runs) and not systems.compares_systems(runs):
        return f"{runs[0].name}: {len(runs)} runs"
    if len(runs) > 1:
        return " · ".join(dict.fromkeys(run.name for run in runs) if is_study(runs) else names)
    return runs[0].name if runs[0].completed else f"{runs[0].summary.status.upper()} · {runs[0].name}"


def _simulated(runs: Sequence[Run]) -> str:
    """Say whose times are not those of any clock on a wall."""
    if not any(run.simulated for run in runs):
        return ""
    whose = "All times here are" if all(run.simulated for run in runs) else "Times of what is called so are"
    return (
        f"{whose} simulated time: all parties ran in one thread, over modelled links, on a virtual clock. "
        "Accuracy, messages and bytes are those of a real run."
    )


def _any_estimated(compared: Sequence[Table]) -> bool:
    cells = (cell for table in compared for row in table.rows for cell in row)
    return any(cell.endswith(figures.ESTIMATED) for cell in cells)


def _section(run: Run, name: str) -> Section:
    status = run.summary.status
    shown = (
        tables.epochs(run),
        Table(opinions.TITLE, opinions.HEAD, opinions.rows(run)),
        tables.phases(run),
        tables.messages(run),
        tables.traffic(run),
        tables.times(run),
        tables.contributions(run),
    )
    return Section(
        name=name,
        status=status,
        badge=status if status in _KNOWN_STATUSES else "unfinished",
        verdict="" if run.completed else _verdict(run),
        faults=run.faults,
        departures=figures.departures(run),
        tables=[table for table in shown if table.rows],
        experiment=run.experiment,
        appendix=[table for table in (tables.weights(run), tables.environment(run)) if table.rows],
    )


def _verdict(run: Run) -> str:
    when = f"after epoch {run.epochs}" if run.epochs else "before the end of its first epoch"
    if run.summary.status == "unfinished":
        return f"This run left no word of its end: it was killed or still goes on. It was seen last {when}."
    reason = f": {run.summary.reason}" if run.summary.reason else ""
    verdict = f"This run {_ending(run.summary.status)} {when}{reason.rstrip('.')}."
    return f"{verdict} Its figures are those up to there."


def _ending(status: str) -> str:
    known = {"failed": "failed", "interrupted": "was interrupted"}
    return known.get(status, f"ended as “{status}”")
