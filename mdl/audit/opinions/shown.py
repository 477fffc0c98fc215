"""What `mdl audit opinions` shows and leaves: tables, plots, a page and JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import ConsoleRenderable, Group
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from mdl.audit.membership.scores import FEW_FALSE
from mdl.audit.opinions.plots import pictures
from mdl.audit.opinions.study import Apart, Audit, Likeness
from mdl.audit.opinions.verdict import CALLED, explained
from mdl.audit.page import Page, Table, write_page
from mdl.report import units

NAME: Final = "audit-opinions"

APART_HEADS: Final = (
    "network",
    "answers",
    "AUC (95 %)",
    "advantage (95 %)",
    f"found at {FEW_FALSE:.0%} false",
)

LIKENESS_HEADS: Final = ("network", "learnt from", "agreement", "accuracy")


def rendered(audit: Audit) -> Group:
    """Put the figures and what they mean below each other."""
    parts: list[ConsoleRenderable] = [_rich(table) for table in tables(audit)]
    parts += map(Text, explained(audit))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def _rich(table: Table) -> RichTable:
    made = RichTable(title=table.title, title_justify="left")
    for number, head in enumerate(table.heads):
        made.add_column(head, justify="right" if number > 1 else "left")
    for row in table.rows:
        made.add_row(*row)
    return made


def tables(audit: Audit) -> Sequence[Table]:
    """Give the figures in rows."""
    owner, asker = audit.case.owner, audit.case.asker
    found = [
        Table(
            f"{_drawn(audit)} of worker {owner}'s training images told from as many others, by the loss of "
            "answers (Yeom et al. 2018)",
            APART_HEADS,
            [_apart(each) for each in audit.apart],
        )
    ]
    if audit.likenesses:
        title = f"Worker {owner}'s network, copied from its answers on worker {asker}'s images"
        found.append(Table(title, LIKENESS_HEADS, [_likeness(each) for each in audit.likenesses]))
    return found


def _drawn(audit: Audit) -> str:
    return f"{audit.apart[0].finding.examples:,}" if audit.apart else "None"


def _apart(each: Apart) -> Sequence[str]:
    found = each.finding
    return (
        found.model,
        CALLED[each.answers],
        str(found.score.auc),
        str(found.score.advantage),
        f"{found.score.found.value:.3f}",
    )


def _likeness(each: Likeness) -> Sequence[str]:
    learnt = f"{each.questions:,} answers, {CALLED[each.answers]}" if each.answers else ""
    return each.name, learnt, units.percent(each.agreement, 1), units.percent(each.accuracy, 1)


def write(audit: Audit, out: Path, *, date: str) -> Sequence[Path]:
    """Write page, plots and figures into a folder, over those of an earlier audit.

    Raises:
        MdlError: they cannot be written.
    """
    page = Page(
        title=f"What answers give away: {audit.case.experiment.name}",
        subtitle=f"membership by loss, extraction by a student; real data; {date}",
        complete=audit.complete,
        paragraphs=explained(audit),
        pictures=pictures(audit),
        tables=tables(audit),
        experiment=audit.case.experiment.to_toml(),
    )
    return write_page(page, figures(audit, date), out, NAME)


def figures(audit: Audit, date: str) -> Mapping[str, Any]:
    """Give all figures as plain values."""
    return {
        "experiment": audit.case.experiment.model_dump(mode="json"),
        "date": date,
        "complete": audit.complete,
        "owner": audit.case.owner,
        "asker": audit.case.asker,
        "members": [
            {
                "network": each.finding.model,
                "answers": each.answers,
                "members": each.finding.examples,
                "accuracy_members": each.finding.accuracy[0],
                "accuracy_others": each.finding.accuracy[1],
                **asdict(each.finding.score),
            }
            for each in audit.apart
        ],
        "networks": [asdict(each) for each in audit.likenesses],
        "said": list(explained(audit)),
    }
