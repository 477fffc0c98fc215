import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mdl.privacy.concentrated import epsilon, of_gaussian
from mdl.privacy.settings import (
    CLIP_STEPS,
    SATURATING,
    SATURATING_IN_SUMS,
    AnyNoise,
    AnyPrivacy,
    GaussianNoise,
    LaplaceNoise,
    NoNoise,
    coarsest_bits,
)
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.randomness import insecure_seeded

NOISES: st.SearchStrategy[AnyNoise] = st.builds(
    LaplaceNoise, epsilon=st.floats(0.001, 1e4), clip=st.floats(0.001, 100)
) | st.builds(GaussianNoise, clip=st.floats(0.001, 100), noise_multiplier=st.floats(0.01, 100))


def test_type_decides_which_table_it_is() -> None:
    read = TypeAdapter[AnyPrivacy](AnyPrivacy).validate_python
    assert read({"type": "none"}) == NoNoise()
    assert read({"type": "laplace", "epsilon": 0.5}) == LaplaceNoise(epsilon=0.5, clip=0.5)
    assert read({"type": "gaussian", "clip": 1.0, "noise_multiplier": 2.0}) == GaussianNoise(
        clip=1.0, noise_multiplier=2.0
    )


@pytest.mark.parametrize(
    "given_keys",
    [
        {},
        {"epsilon": 1.0},
        {"delta": 1e-6},
        {"noise_multiplier": 1.0, "epsilon": 1.0},
        {"noise_multiplier": 1.0, "delta": 1e-6},
        {"noise_multiplier": 1.0, "epsilon": 1.0, "delta": 1e-6},
    ],
)
def test_gaussian_noise_is_asked_for_in_one_of_two_ways(given_keys: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="either noise_multiplier, or both epsilon and delta"):
        GaussianNoise.model_validate({"clip": 1.0, **given_keys})


@given(st.floats(0.01, 50), st.floats(1e-9, 1e-2))
def test_a_target_gives_the_multiplier_that_keeps_it(target: float, delta: float) -> None:
    z = GaussianNoise(clip=1.0, epsilon=target, delta=delta).multiplier
    assert epsilon(of_gaussian(z), delta) <= target * (1 + 1e-12)
    assert epsilon(of_gaussian(z * 0.999), delta) > target


def test_half_is_the_clip_of_the_papers_noise() -> None:
    """With gamma = 1/2 the scale is 1/epsilon [∝MDL, Theorem 1]."""
    grid = FixedPoint(100.0, 12)
    assert LaplaceNoise(epsilon=0.25).mechanism(grid).scale == 4 * 2**12


@given(NOISES)
def test_the_reach_cuts_off_no_more_than_it_may(noise: AnyNoise) -> None:
    may = SATURATING if isinstance(noise, LaplaceNoise) else SATURATING_IN_SUMS
    assert noise.reach > noise.clip
    assert may / 2 * (1 - 1e-9) < noise.saturating(noise.reach) < may * (1 + 1e-9)
    assert noise.saturating(2 * noise.reach) < may


@pytest.mark.parametrize("noise", [LaplaceNoise(epsilon=0.7), GaussianNoise(clip=2.0, noise_multiplier=1.2)])
def test_as_many_values_at_the_clip_saturate_as_is_foretold(noise: AnyNoise) -> None:
    largest, rng = noise.clip + noise.deviation, insecure_seeded(1)
    mechanism = noise.mechanism(FixedPoint(largest, 12))
    at_the_clip = np.array([noise.clip])  # the whole contribution, so that its norm is at the clip too
    saturated = sum(mechanism.release(at_the_clip, rng=rng).saturated for _ in range(4000))
    assert saturated / 4000 == pytest.approx(noise.saturating(largest), rel=0.15)


@given(NOISES)
def test_the_coarsest_grid_has_some_steps_to_the_clip(noise: AnyNoise) -> None:
    bits = coarsest_bits(noise)
    assert math.floor(noise.clip * 2**bits) >= CLIP_STEPS
    assert bits == 1 or math.floor(noise.clip * 2 ** (bits - 1)) < CLIP_STEPS


@pytest.mark.parametrize(
    ("noise", "grid", "said"),
    [
        (LaplaceNoise(epsilon=1.0, clip=0.01), FixedPoint(16, 4), "less than one step of a grid of 4"),
        (LaplaceNoise(epsilon=1.0, clip=2.0), FixedPoint(1, 12), "does not even hold what privacy.clip = 2"),
        (LaplaceNoise(epsilon=1e-9, clip=1.0), FixedPoint(16, 12), "noise of more than 2^40 steps"),
        (GaussianNoise(clip=1e6, noise_multiplier=1.0), FixedPoint(2e6, 12), "is 2^31 steps or more"),
        (GaussianNoise(clip=1.0, noise_multiplier=1e9), FixedPoint(16, 12), "2^40 steps or more"),
    ],
)
def test_a_grid_that_does_not_suit_the_noise_is_told(noise: AnyNoise, grid: FixedPoint, said: str) -> None:
    [problem] = noise.problems(grid)
    assert problem.startswith("system.")
    assert said in problem


@given(NOISES)
def test_the_grid_of_its_reach_suits_any_noise(noise: AnyNoise) -> None:
    assert not noise.problems(FixedPoint(noise.reach, coarsest_bits(noise)))
