import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.privacy.concentrated import epsilon
from mdl.privacy.discrete import gaussian
from mdl.privacy.ldp import DELTA, Spent, mean_variance, quantity, spent, spent_in_sums
from mdl.privacy.settings import GaussianNoise, LaplaceNoise
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.randomness import insecure_seeded
from mdl.vectors import Floats

COUNTS = st.integers(1, 10**6)
GAUSSIAN = GaussianNoise(clip=1.0, noise_multiplier=3.0)
FINE = FixedPoint(64.0, 12)


def test_one_parameter_in_one_epoch_costs_its_epsilon() -> None:
    assert spent(LaplaceNoise(epsilon=0.5), coordinates=1, epochs=1) == Spent(0.5, 0.0, "plainly")


def test_the_papers_setting_is_a_noise_level_and_no_guarantee() -> None:
    """Half of MLP-MNIST's parameters, 250 epochs, epsilon = 0.5: 8.8 million, or 2.2 million by zCDP."""
    total = spent(LaplaceNoise(epsilon=0.5), coordinates=70_053, epochs=250)
    assert total.way == "zCDP"
    assert total.epsilon == pytest.approx(2.2e6, rel=0.01)
    assert not total.meaningful
    way = "added up by zCDP, tighter at the price of δ"
    assert str(total) == f"ε = 2.2 million, δ = 1e-06 ({way}): a noise level, not a guarantee"


@given(st.floats(0.001, 10), COUNTS, COUNTS)
def test_the_smaller_of_two_ways_to_add_up_is_given(value: float, coordinates: int, epochs: int) -> None:
    total = spent(LaplaceNoise(epsilon=value), coordinates=coordinates, epochs=epochs)
    releases = coordinates * epochs
    by_rho = epsilon(releases * value**2 / 2, DELTA)
    assert total.epsilon == pytest.approx(min(value * releases, by_rho), rel=1e-9)
    assert (total.delta == 0) == (total.way == "plainly")


@given(st.floats(0.5, 100), st.integers(0, 1000))
def test_gaussian_noise_counts_by_the_epoch(multiplier: float, epochs: int) -> None:
    noise = GaussianNoise(clip=1.0, noise_multiplier=multiplier)
    total = spent(noise, coordinates=5, epochs=epochs, delta=1e-5)
    assert total.epsilon == pytest.approx(epsilon(epochs / (2 * multiplier**2), 1e-5), rel=1e-9)
    assert total == spent(noise, coordinates=50_000, epochs=epochs, delta=1e-5)


def test_the_delta_is_that_of_the_file() -> None:
    noise = GaussianNoise(clip=1.0, epsilon=1.0, delta=1e-4)
    total = spent(noise, coordinates=1, epochs=1)
    assert total.delta == 1e-4
    assert total.epsilon == pytest.approx(1.0)
    assert total.meaningful
    assert str(total) == "ε = 1, δ = 0.0001 (added up by zCDP, tighter at the price of δ)"
    assert spent(GAUSSIAN, coordinates=1, epochs=1).delta == DELTA


@given(st.integers(1, 20), st.integers(1, 100))
def test_sums_tell_less_the_more_honest_members_they_have(honest: int, epochs: int) -> None:
    def told(members: int) -> Spent:
        return spent_in_sums(GAUSSIAN, FINE, honest=members, coordinates=70_053, epochs=epochs)

    assert told(1) == spent(GAUSSIAN, coordinates=70_053, epochs=epochs)
    assert told(honest + 1).epsilon < told(honest).epsilon
    assert told(honest).epsilon == pytest.approx(epsilon(epochs / (18 * honest), DELTA), rel=1e-3)


def test_where_the_noise_is_narrower_than_a_step_sums_promise_no_more_than_one_contribution() -> None:
    narrow = GaussianNoise(clip=1.0, noise_multiplier=0.25)
    grid = FixedPoint(64.0, 0)
    alone = spent(narrow, coordinates=1000, epochs=1)
    assert narrow.mechanism(grid).sigma == 0.5
    assert spent_in_sums(narrow, grid, honest=4, coordinates=1000, epochs=1) == alone


def summed(noise: GaussianNoise, grid: FixedPoint, own: int, other: int, honest: int) -> Floats:
    """The distribution of a sum of one contribution and others, released one by one and saturated; exact."""
    sigma, limit = noise.mechanism(grid).sigma, grid.limit
    steps = np.arange(-40 * limit, 40 * limit + 1)
    weights = np.exp(-0.5 * np.square(steps / sigma))
    each = [
        np.bincount(np.clip(value + steps, -limit, limit) + limit, weights / weights.sum())
        for value in (own, other)
    ]
    total: Floats = each[0].astype(np.float64)
    for _ in range(honest - 1):
        total = np.convolve(total, each[1])
    return total


@pytest.mark.parametrize("honest", [1, 2, 4])
@pytest.mark.parametrize(
    ("multiplier", "largest"),
    [(0.05, 40.0), (0.25, 8.0), (0.5, 12.0), (0.5, 60.0), (1.0, 12.0), (1.0, 100.0)],
)
def test_sums_tell_no_more_than_is_said_be_the_range_narrow_or_wide(
    multiplier: float, largest: float, honest: int
) -> None:
    """Sums of saturated values tell more than those of noisy ones: in a narrow range 200 times the delta."""
    noise, grid = GaussianNoise(clip=4.0, noise_multiplier=multiplier), FixedPoint(largest, 0)
    said = spent_in_sums(noise, grid, honest=honest, coordinates=1, epochs=1)
    for other in (-4, 0, 4):
        one, another = (summed(noise, grid, own, other, honest) for own in (4, -4))
        exact = np.maximum(0, one - np.exp(said.epsilon) * another).sum()
        assert exact <= said.delta


def test_in_the_range_that_is_chosen_sums_are_given_their_own_figure() -> None:
    noise = GaussianNoise(clip=8.0, noise_multiplier=4.0)
    chosen, narrow = FixedPoint(noise.reach, 4), FixedPoint(noise.reach / 2, 4)
    alone = spent(noise, coordinates=70_053, epochs=250)
    assert spent_in_sums(noise, narrow, honest=2, coordinates=70_053, epochs=250) == alone
    in_sums = spent_in_sums(noise, chosen, honest=2, coordinates=70_053, epochs=250)
    assert in_sums.epsilon == pytest.approx(17.6, abs=0.05)


def test_discrete_noise_below_half_a_step_is_given_no_figure_in_sums() -> None:
    """There the theorem does not hold: sums of three tell more than it says."""
    noise, grid = GaussianNoise(clip=1.0, noise_multiplier=0.1), FixedPoint(30.0, 0)
    one, another = (summed(noise, grid, own, 0, 3) for own in (1, -1))
    seen = (one > 0) & (another > 0)
    divergence = np.sum(one[seen] * np.log(one[seen] / another[seen]))  # at most rho with rho-zCDP
    theorem = (
        1 / (2 * 0.1**2) / 3 + 10 * sum(np.exp(-2 * (np.pi * 0.2) ** 2 * j / (j + 1)) for j in (1, 2)) / 4
    )
    assert divergence > 1.1 * theorem
    assert spent_in_sums(noise, grid, honest=3, coordinates=1, epochs=1) == spent(
        noise, coordinates=1, epochs=1
    )


def test_sums_of_discrete_gaussians_are_nearly_discrete_gaussian() -> None:
    """What `spent_in_sums` relies on, seen in draws: the variance adds up, and the shape is that of one."""
    rng = insecure_seeded(1)
    drawn = sum(gaussian(1.5, 200_000, rng=rng) for _ in range(4))
    counts = np.bincount(np.asarray(drawn) + 40, minlength=81)
    weights = np.exp(-0.5 * np.square(np.arange(-40, 41) / 3.0))
    expected = weights / weights.sum() * 200_000
    large = expected > 20
    statistic = np.sum(np.square(counts - expected)[large] / expected[large])
    assert statistic < large.sum() + 5 * (2 * large.sum()) ** 0.5


def test_the_mean_of_a_set_has_the_variance_of_the_papers_theorem() -> None:
    for value in (0.01, 0.1, 1.0):
        assert mean_variance(LaplaceNoise(epsilon=value), 4) == pytest.approx(2 / (value**2 * 4))
    assert mean_variance(GAUSSIAN, 9) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0123, "0.0123"),
        (12.34, "12.3"),
        (999.4, "999"),
        (1234.5, "1,234"),
        (8.756e6, "8.76 million"),
        (123.4e6, "123 million"),
        (2.5e9, "2.5 billion"),
        (3e12, "3e+12"),
    ],
)
def test_figures_are_written_to_be_read(value: float, written: str) -> None:
    assert quantity(value) == written
