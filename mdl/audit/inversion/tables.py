"""What `mdl audit inversion` prints."""

import math
from collections.abc import Sequence

from rich.console import ConsoleRenderable, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mdl.audit.inversion.attacks import titled
from mdl.audit.inversion.findings import Audit, explained, titles
from mdl.audit.inversion.scores import RECOGNISABLE
from mdl.audit.inversion.study import GUESS
from mdl.audit.inversion.verdict import Line, lines
from mdl.systems import AnySystem

HEADS = ("who sees", "attack", "images", "median dB", "best dB", f"> {RECOGNISABLE:g} dB", "labels")


def rendered(audit: Audit) -> Group:
    """Put the figures, those of small sums, and what it all means below each other."""
    system = audit.experiment.system
    title = f"Images recovered from gradients, {audit.where}"
    parts: list[ConsoleRenderable] = [_table(title, audit.lines, system)]
    for workers, attempts in audit.small.items():
        parts.append(_table(f"For comparison: sums of {workers}", lines(attempts), system))
    parts += map(Text, explained(audit))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def _table(title: str, found: Sequence[Line], system: AnySystem) -> Table:
    table = Table(title=title, title_justify="left")
    for number, head in enumerate(HEADS):
        table.add_column(head, justify="left" if number < 2 else "right", overflow="fold")
    for number, line in enumerate(found):
        role, *others = cells(line, system)
        again = number > 0 and line.role == found[number - 1].role
        if number and not again:
            table.add_section()
        table.add_row("" if again else role, *others)
    return table


def cells(line: Line, system: AnySystem) -> Sequence[str]:
    """Give a line's cells, under `HEADS`."""
    role = titles(system)[line.role]
    name = "no attack: the mean image" if line.attack == GUESS else titled(line.attack)
    if math.isnan(line.best):
        return (role, name, "", "", "", "", line.reason)
    right, told = line.labels
    return (
        role,
        name,
        str(line.images),
        f"{line.median:.1f}",
        f"{line.best:.1f}",
        f"{line.recognised} of {line.images}",
        f"{right} of {told}" if told else "",
    )
