import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.report import units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (52_000_000, "52.0 MB"),
        (999_600, "1.00 MB"),
    ],
)
def test_bytes_are_written_to_three_digits(value: float | None, text: str) -> None:
    assert units.size(value).replace("\u202f", " ") == text


@given(st.integers(0, 10**17))
def test_no_size_below_a_hundred_petabytes_takes_more_than_four_characters(value: int) -> None:
    assert len(units.size(value).split("\u202f")[0]) <= 4


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.0, "0.00 s"),
        (9.999, "10.0 s"),
        (119.9, "120 s"),
        (119.96, "2 min 00 s"),
        (3599.7, "1 h 00 min"),
        (7500.0, "2 h 05 min"),
        (math.nan, "nan"),
    ],
)
def test_time_is_written_in_the_unit_that_suits_it(seconds: float | None, text: str) -> None:
    assert units.duration(seconds).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("share", "text"), [(None, "–"), (0.96125, "96.12 %"), (1.0, "100.00 %"), (math.nan, "nan")]
)
def test_a_share_is_written_in_percent(share: float | None, text: str) -> None:
    assert units.percent(share).replace("\u202f", " ") == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (1234567, "1 234 567"), (math.inf, "inf")])
def test_counts_have_their_thousands_apart(value: float | None, text: str) -> None:
    assert units.count(value).replace("\u202f", " ") == text


def test_a_loss_has_four_digits() -> None:
    assert (units.decimal(0.123456), units.decimal(None)) == ("0.1235", "–")


@given(st.floats(1, 1e6))
def test_a_time_axis_has_no_more_than_a_few_hundred_units(longest: float) -> None:
    _, unit_seconds = units.time_unit(longest)
    assert longest / unit_seconds < 300


@given(st.integers(1, 10**17))
def test_an_axis_of_bytes_has_less_than_a_thousand_units(largest: int) -> None:
    _, unit_bytes = units.byte_unit(largest)
    assert 1 <= largest / unit_bytes < 1000


@given(st.text(max_size=80), st.integers(5, 40))
def test_a_shortened_text_keeps_its_limit_and_its_ends(text: str, longest: int) -> None:
    short = units.shorten(text, longest)
    assert len(short) <= longest
    assert short == text or (text.startswith(short.split("…")[0]) and text.endswith(short[-2:]))


@given(st.lists(st.text("abc 12", min_size=1, max_size=40), min_size=1, max_size=8), st.integers(5, 40))
def test_a_wrapped_name_has_few_lines_that_keep_their_limit(parts: list[str], longest: int) -> None:
    lines = units.wrap(", ".join(parts), longest).split("\n")
    assert len(lines) <= 3
    assert max(map(len, lines)) <= longest


@pytest.mark.parametrize(
    ("name", "wrapped"),
    [
        ("prss, dp-sgd, epochs 20", ["prss, dp-sgd, epochs 20"]),
        ("prss, laplace, epochs 10, batch 32", ["prss, laplace, epochs 10,", "batch 32"]),
        ("digits-coordinated, 2 (simulated)", ["digits-coordinated, 2", "(simulated)"]),
    ],
)
def test_a_name_is_broken_behind_commas_and_before_brackets(name: str, wrapped: list[str]) -> None:
    assert units.wrap(name).split("\n") == wrapped
