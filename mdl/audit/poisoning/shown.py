"""What `mdl audit poisoning` shows and leaves: a table, a plot, a page and JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import stdev
from typing import Any, Final

from rich.console import ConsoleRenderable, Group
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from mdl.audit.page import Page, Table, write_page
from mdl.audit.poisoning.study import ALONE, AVERAGED, BARE, GATE, THRESHOLD, Audit, Way
from mdl.audit.poisoning.verdict import claims, explained
from mdl.report import drawing, units
from mdl.report.drawing import EndLabel, Picture

NAME: Final = "audit-poisoning"

HEADS: Final[Mapping[Way, str]] = {
    ALONE: "alone",
    GATE: "taught, gate",
    BARE: "taught, no gate",
    THRESHOLD: "taught, threshold",
    AVERAGED: "fedavg",
}

_COLOURS: Final[Mapping[Way, str]] = {
    ALONE: drawing.MUTED,
    GATE: drawing.BLUE,
    BARE: drawing.ORANGE,
    THRESHOLD: drawing.GREEN,
    AVERAGED: drawing.VERMILION,
}


def rendered(audit: Audit) -> Group:
    """Put the figures and what they mean below each other."""
    table = RichTable(title=_title(audit), title_justify="left")
    for head in heads(audit):
        table.add_column(head, justify="right")
    for row in rows(audit):
        table.add_row(*row)
    said = [*explained(audit), *(f"{claim.text}: {claim.figures}." for claim in claims(audit))]
    parts: list[ConsoleRenderable] = [table, *map(Text, said)]
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def _title(audit: Audit) -> str:
    return f"Accuracy of worker {audit.case.honest}, while worker {audit.case.poisoner} has wrong labels"


def heads(audit: Audit) -> Sequence[str]:
    """Give the table's heads: the rate, and each way of training."""
    return ["wrong labels", *(HEADS[way] for way in audit.ways)]


def rows(audit: Audit) -> Sequence[Sequence[str]]:
    """Give a row of cells for each rate."""
    return [
        [units.percent(rate, 0), *(_cell(audit, way, rate) for way in audit.ways)]
        for rate in audit.case.rates
    ]


def _cell(audit: Audit, way: Way, rate: float) -> str:
    mean = audit.mean(way, rate)
    if mean is None:
        return units.UNKNOWN
    found = audit.accuracies(way, rate)
    return units.percent(mean, 1) + (f" ± {100 * stdev(found):.1f}" if len(found) > 1 else "")


def write(audit: Audit, out: Path, *, date: str) -> Sequence[Path]:
    """Write page, plot and figures into a folder, over those of an earlier audit.

    Raises:
        MdlError: they cannot be written.
    """
    page = Page(
        title=f"A peer with wrong labels: {audit.case.experiment.name}",
        subtitle=f"labels shifted by one class; simulated links, real protocol, real data; {date}",
        complete=audit.complete,
        paragraphs=explained(audit),
        claims=claims(audit),
        pictures=[curves(audit)],
        tables=[Table(_title(audit), heads(audit), rows(audit))],
        experiment=audit.case.experiment.to_toml(),
    )
    return write_page(page, figures(audit, date), out, NAME)


def curves(audit: Audit) -> Picture:
    """Draw accuracy against the rate of wrong labels, a line for each way of training."""
    title = "What a peer with wrong labels does"
    subtitle = f"accuracy of worker {audit.case.honest}, whose labels are right"
    if (seeds := len(audit.case.seeds)) > 1:
        subtitle += f" · mean of {seeds} seeds, and their range"
    with drawing.theme():
        figure = drawing.frame(title, subtitle, height_inches=3.6)
        axes = figure.add_subplot()
        ends: list[EndLabel] = []
        for way in audit.ways:
            known = [(rate, mean) for rate in audit.case.rates if (mean := audit.mean(way, rate)) is not None]
            if not known:
                continue
            places, means = zip(*known, strict=True)
            each = [audit.accuracies(way, rate) for rate in places]
            axes.fill_between(
                places,
                list(map(min, each)),
                list(map(max, each)),
                color=_COLOURS[way],
                alpha=0.15,
                linewidth=0,
            )
            axes.plot(places, means, color=_COLOURS[way], linewidth=2, marker="o", markersize=4)
            ends.append(EndLabel(places[-1], means[-1], HEADS[way], _COLOURS[way]))
        axes.margins(x=0.04, y=0.08)
        axes.set_xlabel("wrong labels")
        axes.xaxis.set_major_formatter(lambda value, _: units.percent(value, 0))
        drawing.mark_percent(axes)
        drawing.label_ends(axes, ends)
        return drawing.finish(
            figure,
            "rates",
            title,
            "A way of training is safe where its line stays with that of training alone.",
        )


def figures(audit: Audit, date: str) -> Mapping[str, Any]:
    """Give all figures as plain values."""
    case = audit.case
    return {
        "experiment": case.experiment.model_dump(mode="json"),
        "date": date,
        "complete": audit.complete,
        "poisoner": case.poisoner,
        "honest": case.honest,
        "seeds": list(case.seeds),
        "rates": list(case.rates),
        "accuracy": {
            way: {f"{rate:g}": audit.accuracies(way, rate) for rate in case.rates} for way in audit.ways
        },
        "worst_gain_with_gate": audit.worst and {"rate": audit.worst[0], "gain": audit.worst[1]},
        "standard_error": audit.error,
        "said": list(explained(audit)),
    }
