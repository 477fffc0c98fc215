"""Slopes, powers and the rest, on lines that are known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.reproduction.shapes import correlation, exponent, listed, rises, slope

X = [1.0, 2.0, 4.0, 8.0]


@given(a=st.floats(-10, 10), b=st.floats(-10, 10))
def test_the_slope_of_a_line_is_its_own(a: float, b: float) -> None:
    assert slope(X, [a * x + b for x in X]) == pytest.approx(a, abs=1e-9)


@given(power=st.floats(-3, 3))
def test_the_exponent_of_a_power_is_its_own(power: float) -> None:
    assert exponent(X, [5 * x**power for x in X]) == pytest.approx(power, abs=1e-9)


def test_a_falling_line_correlates_with_minus_one() -> None:
    assert correlation(X, [-x for x in X]) == pytest.approx(-1)


def test_a_fall_within_the_tolerance_is_none() -> None:
    assert rises([1.0, 2.0, 1.99], 0.02)
    assert not rises([1.0, 2.0, 1.97], 0.02)
    assert rises([1.0, 1.0])


def test_numbers_are_listed_in_few_digits() -> None:
    assert listed([1.23456, 1234.5]) == "1.23, 1.23e+03"
    assert listed([4], 4) == "4"
