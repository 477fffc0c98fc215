"""One list of columns, shown on a terminal and as Markdown."""

import math
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mdl.bench.tables import Column, Sheet, figure

SHEET = Sheet[tuple[str, int]](
    "Fruit",
    [Column("kind", lambda row: row[0], words=True), Column("count", lambda row: str(row[1]))],
    [("pear [red]", 3), ("fig", 12)],
    ["Ripe ones only."],
)


def test_markdown_has_a_line_for_each_row_and_numbers_to_the_right() -> None:
    assert SHEET.markdown() == (
        "## Fruit\n\n| kind | count |\n| --- | ---: |\n| pear [red] | 3 |\n| fig | 12 |\n\nRipe ones only.\n"
    )


def test_a_terminal_shows_the_same_and_takes_no_brackets_for_markup() -> None:
    out = StringIO()
    Console(file=out, width=60).print(SHEET.rich())
    shown = out.getvalue()
    assert all(word in shown for word in ("Fruit", "pear [red]", "12", "Ripe ones only."))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "–"),
        (0, "0"),
        (0.000287, "0.000287"),
        (0.04, "0.0400"),
        (99.94, "99.9"),
        (99.96, "100"),
        (8953, "8,953"),
    ],
)
def test_figures_have_three_digits(value: float | None, written: str) -> None:
    assert figure(value) == written


@given(st.floats(1e-4, 1e9))
def test_a_figure_is_right_to_half_a_percent(value: float) -> None:
    assert math.isclose(float(figure(value).replace(",", "")), value, rel_tol=5.1e-3)
