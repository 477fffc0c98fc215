"""What `mdl audit inversion` prints."""

import math
from collections.abc import Sequence

from rich.console import ConsoleRenderable, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mdl.audit.inversion.attacks import titled
from mdl.audit.inversion.findings import ROLES, Audit, explained
from mdl.audit.inversion.scores import RECOGNISABLE
from mdl.audit.inversion.study import GUESS
from mdl.audit.inversion.verdict import Line, lines

HEADS = ("who sees", "attack", "images", "median dB", "best dB", f"> {RECOGNISABLE:g} dB", "labels")


def rendered(audit: Audit) -> Group:
    """Put the figures, those of small sums, and what it all means below each other."""
    parts: list[ConsoleRenderable] = [_table(f"Images recovered from gradients, {audit.where}", audit.lines)]
    for workers, attempts in audit.small.items():
        parts.append(_table(f"For comparison: sums of {workers}", lines(attempts)))
    parts += map(Text, explained(audit))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def _table(title: str, found: Sequence[Line]) -> Table:
    table = Table(title=title, title_justify="left")
    for number, head in enumerate(HEADS):
        table.add_column(head, justify="left" if number < 2 else "right", overflow="fold")
    for number, line in enumerate(found):
        role, *others = cells(line)
        again = number > 0 and line.role == found[number - 1].role
        if number and not again:
            table.add_section()
        table.add_row("" if again else role, *others)
    return table


def cells(line: Line) -> Sequence[str]:
    """Give a line's cells, under `HEADS`."""
    name = "no attack: the mean image" if line.attack == GUESS else titled(line.attack)
    if math.isnan(line.best):
        return (ROLES[line.role], name, "", "", "", "", line.reason)
    right, told = line.labels
    return (
        ROLES[line.role],
        name,
        str(line.images),
        f"{line.median:.1f}",
        f"{line.best:.1f}",
        f"{line.recognised} of {line.images}",
        f"{right} of {told}" if told else "",
    )
