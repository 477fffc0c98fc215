"""Tables of a benchmark, for a terminal and as Markdown: one list of columns serves both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

R = TypeVar("R")

_SHORT: Final = 30
"""Cells of so many characters are kept on one line."""


@dataclass(frozen=True)
class Column(Generic[R]):
    """A heading, and what stands under it for a row."""

    heading: str
    of: Callable[[R], str]
    words: bool = False


@dataclass(frozen=True)
class Sheet(Generic[R]):
    """A table: columns, rows, and what is to be known to read it."""

    title: str
    columns: Sequence[Column[R]]
    rows: Sequence[R]
    notes: Sequence[str] = ()

    def rich(self) -> Table:
        """Give it for a terminal."""
        table = Table(
            title=Text(self.title, style="bold"),
            title_justify="left",
            caption=Text("\n".join(self.notes)),
            caption_justify="left",
        )
        for column in self.columns:
            justify: JustifyMethod = "left" if column.words else "right"
            longest = max((len(column.of(row)) for row in self.rows), default=0)
            table.add_column(column.heading, justify=justify, no_wrap=longest <= _SHORT)
        for row in self.rows:
            table.add_row(*(Text(column.of(row)) for column in self.columns))
        return table

    def markdown(self) -> str:
        """Give it as a section of a page."""
        heads = [column.heading for column in self.columns]
        ruler = ["---" if column.words else "---:" for column in self.columns]
        cells = [[column.of(row) for column in self.columns] for row in self.rows]
        lines = ["| " + " | ".join(line) + " |" for line in (heads, ruler, *cells)]
        notes = "".join(f"\n{note}\n" for note in self.notes)
        return f"## {self.title}\n\n" + "\n".join(lines) + "\n" + notes


def figure(value: float | None) -> str:
    """Write a cost or a ratio to three digits; what is unknown is a dash."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    # Below a hundred, as many decimals as three digits take; zeros count.
    return f"{value:,.0f}" if value >= 99.95 else f"{value:#.3g}"
