"""The account of DP-SGD, held against published figures and against what can be calculated by hand."""

import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.privacy import moments
from mdl.privacy.record_level import (
    MEANINGLESS,
    Sampling,
    epsilon,
    noise_multiplier_for,
    renyi_epsilon,
    sampling,
)

THREE_DIGITS = 5e-4

NOISES = st.floats(0.8, 8.0)
RATES = st.floats(0.001, 0.2)
STEPS = st.integers(1, 500)


@pytest.mark.parametrize(
    ("noise", "rate", "steps", "delta", "by_pld", "by_rdp"),
    [
        # TensorFlow Privacy 0.9, compute_dp_sgd_privacy_test.py, test_compute_dp_sgd_example_privacy: noise
        # 0.7, 1.2 epochs, without and with sampling at 0.01.
        (0.7, 1.0, 2, 1e-5, 10.1224946, 10.8602036),
        (0.7, 0.01, 120, 1e-5, 2.4612381, 3.2392676),
        # The same file, test_dp_sgd_privacy_statement_*: 10,000 examples, batches of 64, 5 epochs, noise 2.0
        # where microbatches double the sensitivity, hence 1.0.
        (1.0, 0.0064, 782, 1e-6, 1.199, 1.616),
    ],
)
def test_epsilon_is_the_published_one(
    noise: float, rate: float, steps: int, delta: float, by_pld: float, by_rdp: float
) -> None:
    assert epsilon(noise, rate, steps, delta) == pytest.approx(by_pld, rel=THREE_DIGITS)
    assert renyi_epsilon(noise, rate, steps, delta) == pytest.approx(by_rdp, rel=THREE_DIGITS)


@pytest.mark.parametrize(
    ("examples", "batch", "noise", "epochs", "delta", "published"),
    [
        # TensorFlow Privacy 0.9, compute_dp_sgd_privacy_test.py, test_compute_dp_sgd_privacy.
        (60_000, 150, 1.3, 15, 1e-5, 0.7242234),
        (100_000, 100, 1.0, 30, 1e-7, 1.4154988),
    ],
)
def test_renyi_epsilon_is_the_published_one(
    examples: int, batch: int, noise: float, epochs: int, delta: float, published: float
) -> None:
    each = sampling(examples, batch)
    found = renyi_epsilon(noise, each.rate, epochs * each.steps, delta)
    assert found == pytest.approx(published, rel=THREE_DIGITS)


def moments_epsilon(noise: float, rate: float, steps: int, delta: float) -> float:
    """[ACG+16, Theorem 2], with the moments of the sampled Gaussian in closed form [MTZ19, §3.3]."""

    def log_moment(order: int) -> float:
        terms = [
            math.comb(order, k) * (1 - rate) ** (order - k) * rate**k * math.exp((k * k - k) / (2 * noise**2))
            for k in range(order + 1)
        ]
        return steps * math.log(math.fsum(terms))

    return min((log_moment(order) - math.log(delta)) / (order - 1) for order in range(2, 33))


def test_the_example_of_the_moments_accountant_is_1_26_and_ours_is_tighter() -> None:
    # [ACG+16, §3.2]: q = 0.01, sigma = 4, delta = 1e-5, 100 epochs, and there epsilon is 1.26. Since then
    # the conversion from moments has become tighter, and privacy loss distributions are tighter still.
    published = moments_epsilon(4.0, 0.01, 10_000, 1e-5)
    assert published == pytest.approx(1.26, abs=5e-3)
    assert epsilon(4.0, 0.01, 10_000, 1e-5) < renyi_epsilon(4.0, 0.01, 10_000, 1e-5) < published


def gaussian_delta(epsilon: float, noise: float) -> float:
    """The exact δ of one Gaussian mechanism (B. Balle, Y.-X. Wang, ICML 2018, Theorem 8)."""

    def below(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    half = 1 / (2 * noise)
    return below(half - epsilon * noise) - math.exp(epsilon) * below(-half - epsilon * noise)


@settings(max_examples=8, deadline=None)
@given(noise=st.floats(2.0, 40.0), steps=st.integers(1, 400), delta=st.sampled_from([1e-3, 1e-5, 1e-7]))
def test_without_sampling_epsilon_is_that_of_one_gaussian(noise: float, steps: int, delta: float) -> None:
    found = epsilon(noise, 1.0, steps, delta)
    # Gaussian mechanisms compose to one whose noise is less by the root of their number.
    assert gaussian_delta(found, noise / math.sqrt(steps)) == pytest.approx(delta, rel=2e-2)


@settings(max_examples=4, deadline=None)
@given(noise=NOISES, rate=RATES, steps=STEPS)
def test_epsilon_falls_with_noise_and_rises_with_sampling_steps_and_smaller_delta(
    noise: float, rate: float, steps: int
) -> None:
    least = epsilon(noise, rate, steps, 1e-5)
    assert least <= epsilon(0.8 * noise, rate, steps, 1e-5)
    assert least <= epsilon(noise, 1.5 * rate, steps, 1e-5)
    assert least <= epsilon(noise, rate, 2 * steps, 1e-5)
    assert least <= epsilon(noise, rate, steps, 1e-7)


@settings(max_examples=8, deadline=None)
@given(noise=NOISES, rate=RATES, steps=STEPS)
def test_renyi_bounds_epsilon_from_above(noise: float, rate: float, steps: int) -> None:
    assert 0 <= epsilon(noise, rate, steps, 1e-5) <= renyi_epsilon(noise, rate, steps, 1e-5) + 1e-3


def test_no_step_spends_nothing() -> None:
    assert epsilon(1.0, 0.1, 0, 1e-5) == 0


def test_next_to_no_noise_is_told_as_meaningless_and_at_once() -> None:
    assert epsilon(0.01, 0.5, 1000, 1e-5) > MEANINGLESS


@pytest.mark.parametrize("target", [0.05, 1.0, 8.0, 300.0])
@pytest.mark.parametrize("each", [Sampling(0.02, 500), Sampling(1.0, 3)])
def test_calibrated_noise_is_enough_and_little_more(target: float, each: Sampling) -> None:
    noise = noise_multiplier_for(target, each.rate, each.steps, 1e-5)
    assert epsilon(noise, each.rate, each.steps, 1e-5) <= target
    assert epsilon(0.98 * noise, each.rate, each.steps, 1e-5) > target


def test_noise_is_calibrated_where_the_quick_bound_is_far_above_what_is_spent() -> None:
    noise = noise_multiplier_for(1.0, 0.001, 200, 1e-5)
    assert noise < 0.75 * moments.noise_multiplier_for(1.0, 0.001, 200, 1e-5)
    assert epsilon(noise, 0.001, 200, 1e-5) <= 1.0


def test_an_epoch_takes_each_example_once_on_average() -> None:
    assert sampling(1000, 128) == Sampling(0.128, 8)
    assert sampling(1000, 128, local_steps=3) == Sampling(0.128, 3)
    assert sampling(100, 128) == Sampling(1.0, 1)


def test_the_account_is_imported_without_torch_and_without_the_accountant() -> None:
    check = "import sys, mdl.privacy.record_level; sys.exit(bool({'torch', 'scipy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", check], check=False)  # noqa: S603 - our own interpreter
    assert done.returncode == 0
