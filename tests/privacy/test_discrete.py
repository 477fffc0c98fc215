from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mdl.privacy.discrete import SCALE_LIMIT, gaussian, laplace, uniform_words
from mdl.schemes.randomness import SystemRandomness, insecure_seeded
from mdl.vectors import Integers

DRAWS = 200_000


def exact_laplace(scale: float, values: Integers) -> NDArray[np.float64]:
    return np.asarray(np.tanh(0.5 / scale) * np.exp(-np.abs(values) / scale))


def exact_gaussian(sigma: float, values: Integers) -> NDArray[np.float64]:
    reach = int(12 * sigma) + 2
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / sigma))
    return np.asarray(np.exp(-0.5 * np.square(values / sigma)) / weights.sum())


def fits(drawn: Integers, values: Integers, chances: NDArray[np.float64]) -> bool:
    """Pearson's test. A right sampler is refused with probability below 10^-6.

    Args:
        drawn: by the sampler.
        values: consecutive ones, in ascending order; all others are one more outcome.
        chances: the exact probability of each of `values`.
    """
    inside = np.abs(drawn) <= values[-1]
    observed = np.bincount(np.where(inside, drawn - values[0] + 1, 0), minlength=len(values) + 1)
    expected = np.concatenate([[max(0.0, 1 - chances.sum())], chances]) * len(drawn)
    cell = cells(expected)
    observed, expected = np.bincount(cell, observed), np.bincount(cell, expected)
    freedom = len(expected) - 1
    statistic = np.sum(np.square(observed - expected) / expected)
    # Wilson and Hilferty: the cube root of chi-square is nearly normal.
    spread = 2 / (9 * freedom)
    return bool((statistic / freedom) ** (1 / 3) - (1 - spread) < 4.8 * spread**0.5)


def cells(expected: NDArray[np.float64]) -> list[int]:
    """Put neighbours into a cell until enough draws are expected in it; what is left goes into the last."""
    found, cell, held = [], 0, 0.0
    enough = 20.0 if len(expected) < 100 else expected.sum() / 80
    for each in expected:
        found.append(cell)
        held += each
        if held >= enough:
            cell, held = cell + 1, 0.0
    return [min(place, cell - 1) for place in found]


@pytest.mark.parametrize("scale", [0.13, 0.3, 0.9, 1.0, 2.7, 31.4, 900.0])
def test_laplace_values_have_the_exact_distribution(scale: float) -> None:
    values = np.arange(-int(14 * scale) - 3, int(14 * scale) + 4)
    drawn = laplace(scale, DRAWS, rng=insecure_seeded(1))
    assert fits(drawn, values, exact_laplace(scale, values))


@pytest.mark.parametrize("sigma", [0.25, 0.4, 0.9, 1.0, 2.5, 30.7, 801.0])
def test_gaussian_values_have_the_exact_distribution(sigma: float) -> None:
    values = np.arange(-int(6 * sigma) - 2, int(6 * sigma) + 3)
    drawn = gaussian(sigma, DRAWS, rng=insecure_seeded(1))
    assert fits(drawn, values, exact_gaussian(sigma, values))


def test_the_test_of_fit_tells_a_scale_that_is_two_per_cent_off() -> None:
    values = np.arange(-500, 501)
    assert not fits(laplace(30.6, DRAWS, rng=insecure_seeded(1)), values, exact_laplace(30.0, values))
    assert not fits(gaussian(30.6, DRAWS, rng=insecure_seeded(1)), values, exact_gaussian(30.0, values))


@pytest.mark.parametrize("scale", [2.0**12, 2.0**20, 2.0**30, float(SCALE_LIMIT)])
def test_large_scales_have_the_moments_and_tails_of_the_continuous_distributions(scale: float) -> None:
    noise = laplace(scale, DRAWS, rng=insecure_seeded(2)) / scale
    assert abs(noise.mean()) < 5 * (2 / DRAWS) ** 0.5
    assert np.abs(noise).mean() == pytest.approx(1, rel=0.012)
    assert np.square(noise).mean() == pytest.approx(2, rel=0.025)
    for reach in (1, 3, 6):
        assert np.mean(np.abs(noise) > reach) == pytest.approx(np.exp(-reach), rel=0.2)
    normal = gaussian(scale * 0.7, DRAWS, rng=insecure_seeded(2)) / (scale * 0.7)
    assert abs(normal.mean()) < 5 * DRAWS**-0.5
    assert np.square(normal).mean() == pytest.approx(1, rel=0.016)
    for reach, tail in ((1, 0.31731), (2, 0.04550), (3, 0.0026998)):
        assert np.mean(np.abs(normal) > reach) == pytest.approx(tail, rel=0.2)


def test_both_signs_are_equally_likely() -> None:
    for drawn in (
        laplace(20.0, DRAWS, rng=insecure_seeded(3)),
        gaussian(20.0, DRAWS, rng=insecure_seeded(3)),
    ):
        assert abs(int(np.sign(drawn).sum())) < 5 * DRAWS**0.5


def test_the_last_digits_of_wide_noise_are_uniform() -> None:
    for drawn in (
        laplace(2.0**20, DRAWS, rng=insecure_seeded(4)),
        gaussian(2.0**20, DRAWS, rng=insecure_seeded(4)),
    ):
        counts = np.bincount(drawn & 15, minlength=16)
        assert np.sum(np.square(counts - DRAWS / 16)) / (DRAWS / 16) < 50


@pytest.mark.parametrize("scale", [1e-12, 0.001, 0.015])
def test_noise_much_smaller_than_a_step_is_zero(scale: float) -> None:
    assert not laplace(scale, 1000, rng=SystemRandomness()).any()
    assert not gaussian(scale, 1000, rng=SystemRandomness()).any()


@given(scale=st.floats(0.05, 2.0**30), count=st.integers(0, 20_000), seed=st.integers(0, 9))
def test_a_seed_decides_every_value(scale: float, count: int, seed: int) -> None:
    first = laplace(scale, count, rng=insecure_seeded(seed))
    assert first.shape == (count,)
    np.testing.assert_array_equal(first, laplace(Fraction(scale), count, rng=insecure_seeded(seed)))
    np.testing.assert_array_equal(
        gaussian(scale, count, rng=insecure_seeded(seed)), gaussian(scale, count, rng=insecure_seeded(seed))
    )


def test_calls_and_chunks_are_independent() -> None:
    rng = insecure_seeded(5)
    rows = np.stack([laplace(1000.0, 3 * 8192, rng=rng), gaussian(1000.0, 3 * 8192, rng=rng)])
    parts = np.concatenate([rows.reshape(6, 8192), laplace(1000.0, 8192, rng=SystemRandomness())[None]])
    correlations = np.corrcoef(parts) - np.eye(7)
    assert np.abs(correlations).max() < 5 * 8192**-0.5
    assert (laplace(1e6, 1000, rng=SystemRandomness()) != laplace(1e6, 1000, rng=SystemRandomness())).any()


def test_words_are_as_many_as_asked_for_and_uniform() -> None:
    words = uniform_words(DRAWS, rng=insecure_seeded(6))
    assert words.shape == (DRAWS,)
    counts = np.bincount((words >> np.uint64(58)).astype(int), minlength=64)
    assert np.sum(np.square(counts - DRAWS / 64)) / (DRAWS / 64) < 130
