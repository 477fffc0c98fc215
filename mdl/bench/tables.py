"""Tables of a benchmark, for a terminal and as Markdown: one list of columns serves both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from rich.console import Group, JustifyMethod
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

    def rich(self, width: int) -> Group:
        """Give it for a terminal of so many characters.

        Where they are too few, it is cut between columns, and each part begins with the first column.
        """
        tables = [self._table(columns) for columns in self._parts(width)]
        return Group(Text(self.title, style="bold"), *tables, *map(Text, self.notes))

    def _table(self, columns: Sequence[Column[R]]) -> Table:
        table = Table()
        for column in columns:
            justify: JustifyMethod = "left" if column.words else "right"
            table.add_column(column.heading, justify=justify, no_wrap=self._longest(column) <= _SHORT)
        for row in self.rows:
            table.add_row(*(Text(column.of(row)) for column in columns))
        return table

    def _parts(self, width: int) -> Sequence[Sequence[Column[R]]]:
        first, *others = self.columns
        parts = [[first]]
        for column in others:
            if len(parts[-1]) > 1 and self._width([*parts[-1], column]) > width:
                parts.append([first])
            parts[-1].append(column)
        return parts

    def _width(self, columns: Sequence[Column[R]]) -> int:
        """Give the characters of a line: a rule and two blanks for each column, and a last rule."""
        return 1 + sum(3 + max(len(column.heading), min(self._longest(column), _SHORT)) for column in columns)

    def _longest(self, column: Column[R]) -> int:
        return max((len(column.of(row)) for row in self.rows), default=0)

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
