"""The quick bound, held against the library's account and against itself where two ways lead to a moment."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mdl.privacy import moments, record_level

NOISES = st.floats(0.3, 40.0)
RATES = st.floats(0.001, 0.99)


@settings(max_examples=20, deadline=None)
@given(noise=NOISES, rate=RATES, order=st.integers(2, 12))
def test_at_whole_orders_integral_and_closed_form_give_the_same_moment(
    noise: float, rate: float, order: int
) -> None:
    integral = moments._of_any_order(noise, rate, order)
    assert integral == pytest.approx(moments._of_whole_order(noise, rate, order), rel=1e-9, abs=1e-12)


def test_moments_are_convex_in_the_order_between_whole_ones_too() -> None:
    orders = np.argsort(moments._ORDERS)
    of = moments._log_moments(0.6, 0.05)[orders]
    slopes = np.diff(of) / np.diff(moments._ORDERS[orders])
    assert (np.diff(slopes) > -1e-9).all()


@settings(max_examples=12, deadline=None)
@given(noise=st.floats(0.5, 8.0), rate=st.floats(0.001, 0.2), steps=st.integers(1, 500))
def test_the_bound_is_never_below_what_is_spent_nor_above_renyis_of_the_library(
    noise: float, rate: float, steps: int
) -> None:
    quick = moments.epsilon(noise, rate, steps, 1e-5)
    # The library rounds to the worse: the discrete steps of a distribution, the signs of a moment's series.
    # Where ε is beyond all meaning, what it cuts off its distributions makes it the looser bound of the two.
    assume(quick < 30)
    assert record_level.epsilon(noise, rate, steps, 1e-5) <= quick + 1e-3
    assert quick <= record_level.renyi_epsilon(noise, rate, steps, 1e-5) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("noise", "rate", "steps", "delta", "published"),
    [
        # As in test_record_level.py: TensorFlow Privacy 0.9, compute_dp_sgd_privacy_test.py.
        (0.7, 1.0, 2, 1e-5, 10.8602036),
        (1.0, 0.0064, 782, 1e-6, 1.616),
        (1.3, 0.0025, 6000, 1e-5, 0.7242234),
        (1.0, 0.001, 30_000, 1e-7, 1.4154988),
    ],
)
def test_the_bound_is_the_published_one(
    noise: float, rate: float, steps: int, delta: float, published: float
) -> None:
    assert moments.epsilon(noise, rate, steps, delta) == pytest.approx(published, rel=5e-4)


def test_no_step_spends_nothing() -> None:
    assert moments.epsilon(1.0, 0.1, 0, 1e-5) == 0


def test_next_to_no_noise_is_bounded_too() -> None:
    assert 100 < moments.epsilon(0.01, 0.5, 1000, 1e-5) < np.inf


@pytest.mark.parametrize("target", [0.05, 1.0, 8.0, 90.0])
@pytest.mark.parametrize(("rate", "steps"), [(0.02, 500), (1.0, 3), (0.001, 200)])
def test_the_noise_that_is_enough_is_so_and_little_more(target: float, rate: float, steps: int) -> None:
    enough = moments.noise_multiplier_for(target, rate, steps, 1e-5)
    assert moments.epsilon(enough, rate, steps, 1e-5) <= target
    assert moments.epsilon(0.98 * enough, rate, steps, 1e-5) > target


def test_the_bound_needs_no_library() -> None:
    check = (
        "import sys; from mdl.privacy import moments; moments.epsilon(1.0, 0.1, 9, 1e-5); "
        "sys.exit(bool({'dp_accounting', 'scipy', 'torch'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", check], check=False)  # noqa: S603 - our own interpreter
    assert done.returncode == 0
