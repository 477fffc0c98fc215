"""One list of columns, shown on a terminal and as Markdown."""

import math
from io import StringIO
from typing import Any

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


def shown(sheet: Sheet[Any], width: int) -> str:
    out = StringIO()
    Console(file=out, width=width).print(sheet.rich(width))
    return out.getvalue()


def test_markdown_has_a_line_for_each_row_and_numbers_to_the_right() -> None:
    assert SHEET.markdown() == (
        "## Fruit\n\n| kind | count |\n| --- | ---: |\n| pear [red] | 3 |\n| fig | 12 |\n\nRipe ones only.\n"
    )


def test_a_terminal_shows_the_same_and_takes_no_brackets_for_markup() -> None:
    text = shown(SHEET, 60)
    assert all(word in text for word in ("Fruit", "pear [red]", "12", "Ripe ones only."))


def test_two_columns_are_never_cut_apart() -> None:
    assert shown(SHEET, 16).count("kind") == 1


@given(st.integers(40, 120), st.lists(st.integers(1, 20), min_size=1, max_size=12))
def test_a_table_is_cut_between_columns_to_a_terminals_width(width: int, lengths: list[int]) -> None:
    headings = [f"{place:x}" * length for place, length in enumerate(lengths)]
    wide = Sheet[str](
        "Wide",
        [Column("kind", str, words=True), *(Column(heading, lambda row: row[0]) for heading in headings)],
        ["pear", "fig"],
        ["Ripe ones only."],
    )
    text = shown(wide, width)
    assert max(map(len, text.splitlines())) <= width
    heads = [line.strip("┃ ").split() for line in text.splitlines() if line.startswith("┃")]
    assert all(line[0].strip() == "kind" for line in heads)
    assert [word for line in heads for word in line if word not in ("┃", "kind")] == headings
    narrow = 1 + len("kind") + 3 + sum(3 + len(heading) for heading in headings) > width
    assert (len(heads) > 1) == narrow
    assert [text.count(once) for once in ("Wide", "Ripe ones only.")] == [1, 1]


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
