"""Who is behind, how many seats are kept, and how much each offers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.protocols.policies import Counts, Deficit, FirstCome, ReservedSeats
from mdl.protocols.seats import flags_of
from mdl.vectors import Flags

WORKERS, BLOCKS = 5, 10

counts = st.lists(st.integers(0, 200), min_size=WORKERS, max_size=WORKERS).map(
    lambda found: np.array(found, np.int64)
)
present = st.sets(st.integers(1, WORKERS), min_size=1).map(lambda there: flags_of(sorted(there), WORKERS))


@given(counts=counts, online=present, worker=st.integers(1, WORKERS))
def test_first_come_makes_no_difference_between_workers(counts: Counts, online: Flags, worker: int) -> None:
    policy = FirstCome()
    assert not policy.is_behind(counts, online, worker, BLOCKS)
    assert policy.stretch(counts, worker) == 1.0


@pytest.mark.parametrize("threshold", [1, 2, 5])
def test_first_come_keeps_no_seat_and_has_no_patience(threshold: int) -> None:
    assert FirstCome().open_seats(threshold) == threshold
    assert FirstCome().patience_seconds is None
    assert FirstCome().problems(threshold) == []


@given(counts=counts, online=present, worker=st.integers(1, WORKERS))
def test_with_reserved_seats_behind_is_who_has_no_more_than_the_average_of_those_present(
    counts: Counts, online: Flags, worker: int
) -> None:
    mean = sum(counts[online].tolist()) / int(online.sum())
    expected = bool(counts[worker - 1] <= mean)
    assert ReservedSeats().is_behind(counts, online, worker, BLOCKS) == expected


@given(counts=counts, online=present, slack=st.sampled_from([0.5, 1.0, 3.0]), worker=st.integers(1, WORKERS))
def test_with_a_deficit_behind_is_who_is_not_more_than_the_slack_ahead_of_the_last_present(
    counts: Counts, online: Flags, slack: float, worker: int
) -> None:
    expected = bool(counts[worker - 1] <= min(counts[online].tolist()) + slack * BLOCKS)
    assert Deficit(slack=slack).is_behind(counts, online, worker, BLOCKS) == expected


@pytest.mark.parametrize("policy", [ReservedSeats(), Deficit()])
@given(counts=counts, online=present)
def test_somebody_who_is_there_is_always_behind(
    policy: ReservedSeats | Deficit, counts: Counts, online: Flags
) -> None:
    there = (np.flatnonzero(online) + 1).tolist()
    assert any(policy.is_behind(counts, online, worker, BLOCKS) for worker in there)


@pytest.mark.parametrize("policy", [ReservedSeats(), Deficit()])
def test_where_nobody_is_there_whoever_comes_is_behind(policy: ReservedSeats | Deficit) -> None:
    nobody = np.zeros(WORKERS, np.bool_)
    assert policy.is_behind(np.array([9, 0, 0, 0, 0]), nobody, 1, BLOCKS)


def test_seats_are_kept_of_those_there_are() -> None:
    assert ReservedSeats(seats=2).open_seats(5) == 3
    assert ReservedSeats(seats=2).open_seats(2) == 0
    assert ReservedSeats(seats=2).problems(2) == []
    (problem,) = ReservedSeats(seats=3).problems(2)
    assert problem.startswith("system.admission.seats: 3 seats cannot be kept of m = 2")
    assert Deficit().open_seats(4) == 0
    assert Deficit().problems(4) == []


@pytest.mark.parametrize("policy", [ReservedSeats(), Deficit()])
@given(counts=counts)
def test_who_has_less_offers_more_and_the_average_offers_its_share(
    policy: ReservedSeats | Deficit, counts: Counts
) -> None:
    stretches = [policy.stretch(counts, worker) for worker in range(1, WORKERS + 1)]
    for mine, stretch in zip(counts.tolist(), stretches, strict=True):
        if not counts.any():
            assert stretch == 1.0
        else:
            assert 0.0 < stretch <= counts.sum()
            assert stretch * max(1, mine) == pytest.approx(counts.mean())
    order = np.argsort(counts, kind="stable")
    assert (np.diff(np.array(stretches)[order]) <= 0).all()
