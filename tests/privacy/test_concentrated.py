import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.privacy.concentrated import epsilon, of_gaussian, of_pure, rho

RHOS = st.floats(1e-6, 1e4)
DELTAS = st.floats(1e-12, 0.1)


@pytest.mark.parametrize(
    ("printed_rho", "printed_epsilon"),
    [
        # J. Abowd et al., "The 2020 Census Disclosure Avoidance System TopDown Algorithm", HDSR 2022: the
        # production settings of persons and of housing units, converted as here, at delta = 10^-10.
        (2.56, 17.14),
        (0.07, 2.47),
    ],
)
def test_the_published_settings_of_the_2020_census_are_met(
    printed_rho: float, printed_epsilon: float
) -> None:
    """Rho is printed with two digits after the point, so epsilon lies between those of the roundings."""
    assert epsilon(printed_rho - 0.005, 1e-10) <= printed_epsilon <= epsilon(printed_rho + 0.005, 1e-10)
    assert epsilon(printed_rho, 1e-10) == pytest.approx(printed_epsilon, rel=0.04)


@given(RHOS, DELTAS)
def test_it_is_never_above_the_simple_conversion(value: float, delta: float) -> None:
    """Bun and Steinke, TCC 2016, Proposition 1.3: rho + 2 sqrt(rho ln(1/delta))."""
    assert epsilon(value, delta) <= (value + 2 * math.sqrt(value * math.log(1 / delta))) * (1 + 1e-9)


@given(st.floats(0.3, 10), st.floats(1e-10, 1e-5))
def test_it_is_above_the_exact_figure_of_gaussian_noise_and_not_by_much(
    noise_multiplier: float, delta: float
) -> None:
    """Balle and Wang, ICML 2018, Theorem 8, gives the exact delta of a Gaussian release for an epsilon."""
    found = epsilon(of_gaussian(noise_multiplier), delta)
    assert exact_delta(noise_multiplier, found) <= delta
    assert exact_delta(noise_multiplier, 0.8 * found) > delta


def exact_delta(noise_multiplier: float, value: float) -> float:
    normal, half = NormalDist(), 1 / (2 * noise_multiplier)
    far = value * noise_multiplier
    return normal.cdf(half - far) - math.exp(value) * normal.cdf(-half - far)


@given(RHOS, RHOS, DELTAS)
def test_more_is_spent_by_more(first: float, second: float, delta: float) -> None:
    together = epsilon(first + second, delta)
    assert together >= max(epsilon(first, delta), epsilon(second, delta)) - 1e-9
    assert epsilon(first, delta / 2) >= epsilon(first, delta)


def test_nothing_is_spent_by_nothing() -> None:
    assert epsilon(0.0, 1e-6) == 0.0
    assert of_pure(0.5) == 0.125
    assert of_gaussian(2.0) == 0.125


@given(st.floats(0.01, 100), DELTAS)
def test_rho_is_the_largest_that_keeps_epsilon(wanted: float, delta: float) -> None:
    found = rho(wanted, delta)
    assert epsilon(found, delta) <= wanted
    assert epsilon(found * (1 + 1e-6), delta) > wanted * (1 - 1e-12)
