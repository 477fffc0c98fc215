"""PSNR, and who is assigned to whom."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.audit.inversion.scores import EXACT, matches, psnr


def _noise(count: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(seed).random((count, 1, 4, 4), np.float32)


@pytest.mark.parametrize(("error", "decibels"), [(0.1, 20.0), (0.01, 40.0), (0.0, EXACT)])
def test_it_is_ten_times_the_logarithm_of_the_mean_squared_error(error: float, decibels: float) -> None:
    true = np.full((1, 1, 3, 3), 0.5, np.float32)
    assert psnr(true + np.float32(error), true)[0, 0] == pytest.approx(decibels, abs=1e-3)


@given(count=st.integers(1, 6), seed=st.integers(0, 99))
def test_images_in_another_order_are_all_found_exactly(count: int, seed: int) -> None:
    true = _noise(count, seed)
    order = np.random.default_rng(seed + 1).permutation(count)
    found = matches(true[order], true)
    assert {match.true: order[match.recovered] for match in found} == {k: k for k in range(count)}
    assert all(match.decibels == EXACT for match in found)


def test_each_true_image_is_assigned_once_and_the_best_match_comes_first() -> None:
    true = _noise(3)
    recovered = np.concatenate([true[2:], true[2:], _noise(4, seed=5)])
    found = matches(recovered, true)
    assert sorted(match.true for match in found) == [0, 1, 2]
    assert (found[0].true, found[0].decibels) == (2, EXACT)
    assert found[1].decibels < 20


def test_fewer_recovered_images_are_assigned_to_as_many_true_ones() -> None:
    true = _noise(5)
    (found,) = matches(true[3:4], true)
    assert found.true == 3
