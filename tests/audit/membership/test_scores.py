"""How well losses tell members from others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.audit.membership.scores import Losses, curve, score


def _drawn(shift: float, count: int = 2000, seed: int = 0) -> tuple[Losses, Losses]:
    rng = np.random.default_rng(seed)
    return rng.normal(-shift, 1, count), rng.normal(0, 1, count)


def test_losses_that_are_alike_tell_nothing() -> None:
    found = score(*_drawn(0.0), seed=0)
    assert found.auc.low < 0.5 < found.auc.high
    assert found.advantage.low < 0 < found.advantage.high
    assert found.found.value < 0.03


def test_losses_apart_tell_all() -> None:
    found = score(np.zeros(100), np.ones(100), seed=0)
    assert (found.auc.value, found.advantage.value, found.found.value) == (1, 1, 1)


def test_one_deviation_apart_is_what_theory_says() -> None:
    """Normal losses at distance d: AUC = Φ(d/√2); with the members' mean as threshold ½ − Φ(−d)."""
    found = score(*_drawn(1.0, count=5_000), seed=0)
    assert found.auc.value == pytest.approx(0.7602, abs=0.02)
    assert found.advantage.value == pytest.approx(0.5 - 0.1587, abs=0.03)
    assert found.found.value == pytest.approx(0.0924, abs=0.03)  # Φ(1 − 2.326)


@given(seed=st.integers(0, 50))
def test_the_curve_rises_from_nothing_to_everything(seed: int) -> None:
    found = curve(*_drawn(0.5, count=50, seed=seed))
    assert (found.false[0], found.true[0]) == (0, 0)
    assert (found.false[-1], found.true[-1]) == (1, 1)
    assert (np.diff(found.false) >= 0).all()
    assert (np.diff(found.true) >= 0).all()


def test_members_are_found_without_more_false_alarms_than_allowed() -> None:
    others = np.arange(100.0)
    members = np.full(100, 0.5)  # above one of the hundred others
    assert score(members, others, seed=0).found.value == 1
    assert score(members + 1, others, seed=0).found.value == 0


def test_equal_losses_count_half() -> None:
    assert score(np.array([1.0, 2.0]), np.array([1.0, 2.0]), seed=0).auc.value == 0.5
    assert score(np.array([1.0, 1.0]), np.array([1.0, 2.0]), seed=0).auc.value == 0.75


def test_the_interval_is_around_the_value_and_of_the_seed() -> None:
    losses = _drawn(0.3, count=300)
    once, again = (score(*losses, seed=7) for _ in range(2))
    assert once == again
    assert once.auc.low < once.auc.value < once.auc.high
    assert once.auc.high - once.auc.low == pytest.approx(4 * np.sqrt(1 / 6 / 300) * 0.98, rel=0.25)
