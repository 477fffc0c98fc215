import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.privacy.settings import CLIP_STEPS, LaplaceNoise
from mdl.schemes.fixed_point import FixedPoint
from mdl.systems.grids import grids

NOISES = st.builds(LaplaceNoise, epsilon=st.floats(0.001, 100), clip=st.floats(1e-4, 1e4))


def test_without_noise_there_is_one_choice() -> None:
    assert grids("auto", "auto", None) == [FixedPoint(16.0, 12)]
    assert grids(4.0, "auto", None) == [FixedPoint(4.0, 12)]
    assert grids("auto", 9, None) == [FixedPoint(16.0, 9)]


@given(NOISES, st.integers(14, 20))
def test_what_is_given_holds(noise: LaplaceNoise, bits: int) -> None:
    assert grids(12.5, bits, noise) == [FixedPoint(12.5, bits)]
    assert {grid.range for grid in grids(1e5, "auto", noise)} == {1e5}
    assert [grid.fraction_bits for grid in grids("auto", bits, noise)] == [bits]


@given(NOISES)
def test_noise_leaves_the_choice_between_the_finest_and_the_coarsest_that_does(noise: LaplaceNoise) -> None:
    choice = grids("auto", "auto", noise)
    bits = [grid.fraction_bits for grid in choice]
    assert bits == list(range(bits[0], bits[-1] - 1, -1))
    assert all(grid.range == noise.reach for grid in choice)
    assert noise.clip * 2 ** bits[-1] >= CLIP_STEPS
    assert bits[0] == max(12, bits[-1]) or noise.reach * 2 ** (bits[0] + 1) >= 2**51


@pytest.mark.parametrize("noise", [LaplaceNoise(epsilon=1e-17), LaplaceNoise(epsilon=1.0, clip=1e-12)])
def test_noise_that_no_grid_holds_is_told_with_what_to_change(noise: LaplaceNoise) -> None:
    with pytest.raises(ValueError, match=r"no grid holds a clip of .* raise privacy\.epsilon"):
        grids("auto", "auto", noise)
