"""All coalitions, judged: the counts for n = 8 and m = 4, and what must hold for any."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.audit.coalitions import (
    PRIME,
    Held,
    Verdict,
    closed_sets,
    printed_coordinated,
    printed_on_arrival,
    tally,
    two_versions,
    verdict,
    verdicts,
)

WORKERS, M = 8, 4


def with_manager(held: Held, colluders: int, *, outside: bool | None = None) -> list[Verdict]:
    """The manager and so many workers; at least one, or none, of them outside the set."""
    members = {worker for worker, _ in held.uploads}
    return [
        found
        for found in verdicts(held, WORKERS)
        if found.with_manager
        and not found.trivial
        and len(found.colluders) == colluders
        and outside in (None, not members.issuperset(found.colluders))
    ]


def ranks(found: Verdict) -> list[int]:
    return [worker for worker, _ in found.opened]


def test_on_arrival_the_manager_alone_opens_nothing_up_to_m() -> None:
    for members in (M - 1, M):
        assert [found.harmful for found in with_manager(printed_on_arrival(members, M), 0)] == [False]


def test_on_arrival_the_manager_alone_opens_every_rank_above_m() -> None:
    [found] = with_manager(printed_on_arrival(7, M), 0)
    assert ranks(found) == [5, 6, 7]


def test_on_arrival_one_worker_from_outside_shows_the_sum_below_m() -> None:
    judged = with_manager(printed_on_arrival(M - 1, M), 1, outside=True)
    assert [(found.below, found.opened) for found in judged] == [(True, ())] * 5


def test_on_arrival_one_worker_from_outside_opens_the_m_th() -> None:
    judged = with_manager(printed_on_arrival(M, M), 1, outside=True)
    assert [ranks(found) for found in judged] == [[M]] * 4


@pytest.mark.parametrize("members", [M - 1, M])
def test_on_arrival_one_worker_from_inside_adds_nothing(members: int) -> None:
    judged = with_manager(printed_on_arrival(members, M), 1, outside=False)
    assert [found.harmful for found in judged] == [False] * members


def test_on_arrival_two_workers_open_the_last_two_unless_both_are_inside() -> None:
    held = printed_on_arrival(M, M)
    outside = with_manager(held, 2, outside=True)
    assert (sum(found.harmful for found in outside), len(outside)) == (22, 22)
    assert {rank for found in outside for rank in ranks(found)} == {M - 1, M}
    inside = with_manager(held, 2, outside=False)
    assert (sum(found.harmful for found in inside), len(inside)) == (0, 6)


def test_on_arrival_three_workers_open_every_honest_rank() -> None:
    judged = with_manager(printed_on_arrival(M, M), 3)
    assert len(judged) == 52
    for found in judged:
        assert ranks(found) == [worker for worker in range(1, M + 1) if worker not in found.colluders]


@given(n=st.integers(3, 8), data=st.data())
@settings(max_examples=25, deadline=None)
def test_on_arrival_c_outsiders_open_the_last_c_or_all_with_m_less_1(n: int, data: st.DataObject) -> None:
    m = data.draw(st.integers(2, n - 1))
    count = data.draw(st.integers(0, min(m - 1, n - m)))
    colluders = tuple(range(n - count + 1, n + 1))
    found = verdict(printed_on_arrival(m, m), colluders, with_manager=True)
    # The first arrival hands over a share of its mask too, as the sum so far is its own.
    assert ranks(found) == list(range(1 if count == m - 1 else m - count + 1, m + 1))


@pytest.mark.parametrize("members", [3, 4, 6])
def test_for_a_closed_set_no_coalition_opens_anything(members: int) -> None:
    assert tally(printed_coordinated(members, M), WORKERS).harmful == 0
    assert tally(closed_sets(members, WORKERS, M), WORKERS).harmful == 0


@pytest.mark.parametrize("late", [0, 1, 2, 3, 4])
def test_a_late_gradient_under_a_fresh_nonce_opens_nothing(late: int) -> None:
    assert tally(two_versions(late, WORKERS, M), WORKERS).harmful == 0


@given(n=st.integers(2, 6), data=st.data())
@settings(max_examples=25, deadline=None)
def test_what_is_run_here_withstands_for_every_n_and_m(n: int, data: st.DataObject) -> None:
    m = data.draw(st.integers(2, n))
    assert tally(closed_sets(data.draw(st.integers(m, n)), n, m), n).harmful == 0
    assert tally(two_versions(data.draw(st.integers(0, min(m, n - m))), n, m), n).harmful == 0


def test_the_algebra_sees_a_gradient_that_is_offered_again_in_another_sum() -> None:
    """The rule that a gradient is in one opened sum at most: without it, two sums tell it apart."""
    first = frozenset((worker, 1) for worker in (1, 2, 3, 4))
    second = frozenset((worker, 2) for worker in (1, 2, 3, 4, 5))
    again = [((worker, 2), (worker, 1)) for worker in (1, 2, 3, 4)]
    shares = [(worker, parts) for parts in (first, second) for worker in range(1, WORKERS + 1)]
    held = Held(M, [*sorted(first), *sorted(second)], shares, [first, second], again)
    assert verdict(held, (), with_manager=True).opened == ((5, 2),)


def test_the_algebra_sees_a_second_opening_of_the_same_ciphertexts() -> None:
    parts = [(worker, 1) for worker in range(1, 6)]
    sets = [frozenset(parts), frozenset(parts[:4])]
    shares = [(worker, members) for members in sets for worker in range(1, 5)]
    assert verdict(Held(M, parts, shares, sets), (), with_manager=True).opened == ((5, 1),)


def test_the_algebra_sees_a_sum_that_leaves_one_honest_member() -> None:
    held = closed_sets(M, WORKERS, M)
    found = verdict(held, (1, 2, 3), with_manager=True)
    assert found.trivial
    assert found.opened == ((4, 1),)


def test_m_shares_of_a_single_mask_are_needed_and_enough() -> None:
    part = (1, 1)
    for count in range(M + 1):
        shares = [(worker, frozenset({part})) for worker in range(2, count + 2)]
        held = Held(M, [part, (7, 1)], shares, [])
        assert verdict(held, (), with_manager=True).opened == ((part,) if count == M else ())


def test_without_the_manager_workers_hold_no_ciphertext() -> None:
    part = (1, 1)
    shares = [(worker, frozenset({part})) for worker in range(2, 6)]
    assert verdict(Held(M, [part], shares, []), (7,), with_manager=False).opened == ()


def test_ranks_are_computed_without_overflow() -> None:
    assert np.iinfo(np.int64).max > (PRIME - 1) ** 2 + PRIME
