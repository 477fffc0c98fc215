import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mdl.errors import OutOfRange
from mdl.privacy.mechanisms import GaussianMechanism, LaplaceMechanism, Mechanism
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.randomness import SystemRandomness, insecure_seeded

GRID = FixedPoint(range=64.0, fraction_bits=8)
LAPLACE = LaplaceMechanism(GRID, clip=128, epsilon=0.5)
GAUSSIAN = GaussianMechanism(GRID, clip=256, noise_multiplier=1.5)

SILENT_LAPLACE = LaplaceMechanism(GRID, clip=128, epsilon=1e6)
"""So little noise that it is zero: what is left is the clip and the rounding."""
SILENT_GAUSSIAN = GaussianMechanism(GRID, clip=256, noise_multiplier=1e-5)

GRADIENTS = st.lists(st.floats(-100, 100), min_size=1, max_size=50).map(lambda values: np.array(values))


@given(GRADIENTS, st.integers(0, 99))
def test_without_noise_it_is_the_clipped_gradient_on_the_grid(
    gradient: NDArray[np.float64], seed: int
) -> None:
    found = SILENT_LAPLACE.release(gradient, rng=insecure_seeded(seed))
    clipped = np.clip(gradient, -0.5, 0.5)
    assert np.abs(found.values).max() <= 128
    assert np.abs(found.values / 256 - clipped).max() < 1 / 256
    assert found.clipped == np.count_nonzero(np.abs(gradient) > 0.5)
    assert found.saturated == 0


@given(GRADIENTS, st.integers(0, 99))
def test_no_contribution_is_longer_than_the_clip_however_it_is_rounded(
    gradient: NDArray[np.float64], seed: int
) -> None:
    found = SILENT_GAUSSIAN.release(gradient, rng=insecure_seeded(seed))
    length = float(np.linalg.norm(gradient))
    assert int(np.square(found.values).sum()) <= 256**2
    assert found.clipped == (gradient.size if length > 1 else 0)
    kept = gradient / max(1.0, length)
    # Rounded by less than a step, and shortened by 1/256 at a time where that made it too long.
    assert np.abs(found.values / 256 - kept).max() < 4 / 256


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e30])
def test_a_contribution_of_many_small_entries_stays_within_the_clip(size: float) -> None:
    """On a coarse grid random rounding lengthens it several times over; it is shortened until it fits."""
    coarse = GaussianMechanism(FixedPoint(64.0, 4), clip=16, noise_multiplier=1e-5)
    gradient = np.full(10_000, size)
    found = coarse.release(gradient, rng=insecure_seeded(1))
    square = int(np.square(found.values).sum())
    assert square <= 16**2
    assert found.values.any()
    assert (found.values >= 0).all()


@pytest.mark.parametrize("mechanism", [SILENT_LAPLACE, SILENT_GAUSSIAN])
def test_entries_below_half_a_step_are_kept_on_average(mechanism: Mechanism) -> None:
    gradient = np.full(100_000, 0.3 / 256) * np.where(np.arange(100_000) % 2, 1, -1)
    found = mechanism.release(gradient, rng=insecure_seeded(2)).values
    assert found[1::2].mean() == pytest.approx(0.3, rel=0.05)
    assert found[::2].mean() == pytest.approx(-0.3, rel=0.05)


def test_laplace_noise_has_the_scale_that_hides_one_coordinate() -> None:
    assert LAPLACE.scale == Fraction(2 * 128) / Fraction(0.5)
    noise = LAPLACE.release(np.zeros((500, 400)), rng=insecure_seeded(3)).values
    assert np.abs(noise).mean() == pytest.approx(512, rel=0.01)


def test_gaussian_noise_has_the_deviation_that_hides_a_contribution() -> None:
    assert GAUSSIAN.sigma == 2 * 256 * 1.5
    noise = GAUSSIAN.release(np.zeros((500, 400)), rng=insecure_seeded(3)).values
    assert noise.std() == pytest.approx(768, rel=0.01)


def test_neighbouring_outcomes_are_at_most_e_to_the_epsilon_as_likely() -> None:
    """The promise itself: two gradients at opposite ends of the clip, and how often each outcome comes."""
    mechanism = LaplaceMechanism(FixedPoint(8.0, 2), clip=2, epsilon=1.0)
    draws = 400_000
    low, high = (
        np.bincount(mechanism.release(np.full(draws, end), rng=insecure_seeded(4)).values + 32, minlength=65)
        for end in (-9.0, 0.5)
    )
    often = np.minimum(low, high) >= 500
    ratios = np.abs(np.log(low[often] / high[often]))
    assert ratios.max() == pytest.approx(1.0, abs=0.15)
    assert often.sum() > 20


def test_what_leaves_the_range_is_put_at_its_end_and_counted() -> None:
    narrow = LaplaceMechanism(FixedPoint(1.0, 8), clip=128, epsilon=0.5)
    found = narrow.release(np.zeros(10_000), rng=insecure_seeded(5))
    assert np.abs(found.values).max() == 256
    assert found.saturated / 10_000 == pytest.approx(math.exp(-257 / 512), rel=0.05)
    assert np.count_nonzero(np.abs(found.values) == 256) >= found.saturated


@pytest.mark.parametrize("mechanism", [LAPLACE, GAUSSIAN])
def test_noise_is_fresh_each_time_and_the_seed_of_a_test_decides_it(mechanism: Mechanism) -> None:
    gradient = np.linspace(-1, 1, 64).reshape(8, 8)
    first, second = (mechanism.release(gradient, rng=SystemRandomness()).values for _ in range(2))
    assert first.shape == (8, 8)
    assert (first != second).any()
    seeded, again = (mechanism.release(gradient, rng=insecure_seeded(6)).values for _ in range(2))
    np.testing.assert_array_equal(seeded, again)


@pytest.mark.parametrize("mechanism", [LAPLACE, GAUSSIAN])
def test_what_is_not_finite_is_refused(mechanism: Mechanism) -> None:
    with pytest.raises(OutOfRange, match="not finite"):
        mechanism.release(np.array([0.0, np.nan]), rng=SystemRandomness())


@pytest.mark.parametrize("mechanism", [LAPLACE, GAUSSIAN])
def test_nothing_to_contribute_is_nothing(mechanism: Mechanism) -> None:
    found = mechanism.release(np.empty((0, 3)), rng=SystemRandomness())
    assert (found.values.shape, found.clipped, found.saturated) == ((0, 3), 0, 0)
