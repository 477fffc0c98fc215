"""What `mdl audit membership` shows and leaves: a table, a plot of the curves, a page and JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from rich.console import ConsoleRenderable, Group
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from mdl.audit.membership.scores import FEW_FALSE
from mdl.audit.membership.study import Audit, Finding, explained
from mdl.audit.page import Page, Table, write_page
from mdl.report import drawing, units
from mdl.report.drawing import Picture

NAME: Final = "audit-membership"

HEADS: Final = (
    "model",
    "examples",
    "accuracy: members",
    "others",
    "AUC (95 %)",
    "advantage (95 %)",
    f"found at {FEW_FALSE:.0%} false",
)


def rendered(audit: Audit) -> Group:
    """Put the figures and what they mean below each other."""
    table = RichTable(title="Membership inference by loss (Yeom et al. 2018)", title_justify="left")
    for number, head in enumerate(HEADS):
        table.add_column(head, justify="right" if number else "left")
    for finding in audit.findings:
        table.add_row(*cells(finding))
    parts: list[ConsoleRenderable] = [table, *map(Text, explained(audit))]
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def cells(finding: Finding) -> Sequence[str]:
    """Give a finding's cells, under `HEADS`."""
    inside, outside = finding.accuracy
    found = finding.score
    return (
        finding.model,
        f"2 × {finding.examples:,}",
        f"{inside:.3f}",
        f"{outside:.3f}",
        str(found.auc),
        str(found.advantage),
        f"{found.found.value:.3f}",
    )


def write(audit: Audit, out: Path, *, date: str) -> Sequence[Path]:
    """Write page, plot and figures into a folder, over those of an earlier audit.

    Raises:
        MdlError: they cannot be written.
    """
    page = Page(
        title=f"Membership inference: {audit.experiment.name}",
        subtitle=f"loss threshold, balanced samples, real data; {date}",
        complete=audit.complete,
        paragraphs=explained(audit),
        pictures=[curves(audit)],
        tables=[Table("Attacks", HEADS, [cells(finding) for finding in audit.findings])],
        experiment=audit.experiment.to_toml(),
    )
    return write_page(page, figures(audit, date), out, NAME)


def curves(audit: Audit) -> Picture:
    """Draw true against false positives; models that were trained alone as thin lines."""
    title = "Who was in the training data: examples found, against false alarms"
    keys = []
    if audit.shared:
        named = f"{audit.shared.model}, AUC {audit.shared.score.auc.value:.3f}"
        keys.append(Line2D([], [], color=drawing.BLUE, linewidth=2, label=named))
    if audit.alone:
        keys.append(Line2D([], [], color=drawing.ORANGE, linewidth=1, label="workers' models, trained alone"))
    with drawing.theme():
        subtitle = "told by the model's loss on an example; the diagonal: by guessing"
        figure = drawing.frame(title, subtitle, 4.2, keys)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=drawing.IDLE, linewidth=1)
        for finding in audit.alone:
            axes.plot(finding.curve.false, finding.curve.true, color=drawing.ORANGE, linewidth=0.8)
        if audit.shared:
            axes.plot(audit.shared.curve.false, audit.shared.curve.true, color=drawing.BLUE, linewidth=2)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.set_xlabel("others wrongly taken for training examples")
        axes.set_ylabel("training examples found")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: units.percent(value, 0)))
        axes.set_aspect("equal")
        return drawing.finish(
            figure, "roc", title, "Each point is a threshold on the loss; on the diagonal is who guesses."
        )


def figures(audit: Audit, date: str) -> Mapping[str, Any]:
    """Give all figures as plain values."""
    return {
        "experiment": audit.experiment.model_dump(mode="json"),
        "date": date,
        "complete": audit.complete,
        "models": [
            {
                "model": finding.model,
                "members": finding.examples,
                "accuracy_members": finding.accuracy[0],
                "accuracy_others": finding.accuracy[1],
                **asdict(finding.score),
            }
            for finding in audit.findings
        ],
        "said": list(explained(audit)),
    }
