"""Who contributes what."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.protocols import selection as select
from mdl.vectors import Flags


@given(
    seed=st.integers(0, 2**32),
    epoch=st.integers(1, 1000),
    workers=st.integers(1, 12),
    blocks=st.integers(1, 200),
    data=st.data(),
)
def test_balanced_selection_gives_every_block_equally_many_and_every_worker_its_fair_part(
    seed: int, epoch: int, workers: int, blocks: int, data: st.DataObject
) -> None:
    each = data.draw(st.integers(1, workers))
    flags = select.balanced(seed, epoch, present=range(1, workers + 1), blocks=blocks, each=each)
    assert (flags.sum(axis=1) == each).all()
    loads = flags.sum(axis=0)
    assert loads.max() - loads.min() <= 1


def test_balanced_selection_draws_every_set_about_equally_often() -> None:
    flags = select.balanced(1, 1, present=range(1, 6), blocks=20_000, each=2)
    sets, counts = np.unique(flags, axis=0, return_counts=True)
    assert len(sets) == 10
    assert counts.min() > 1_800
    assert counts.max() < 2_200


def test_balanced_selection_differs_from_epoch_to_epoch_and_repeats_for_the_same_one() -> None:
    first, again, second = (
        select.balanced(7, epoch, present=range(1, 9), blocks=100, each=4) for epoch in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != second).any()


def test_balanced_selection_with_fewer_present_than_wanted_takes_all_of_them() -> None:
    assert select.balanced(1, 1, present=[2, 5], blocks=10, each=4).all()


@given(seed=st.integers(0, 2**32), worker=st.integers(1, 64), blocks=st.integers(1, 300), data=st.data())
def test_random_selection_takes_exactly_k_blocks(
    seed: int, worker: int, blocks: int, data: st.DataObject
) -> None:
    take = data.draw(st.integers(0, blocks))
    assert select.random(seed, 1, worker=worker, blocks=blocks, take=take).sum() == take


@pytest.mark.parametrize(
    ("visibility", "workers", "threshold"),
    [(0.5, 8, 4), (0.125, 8, 1), (1.0, 8, 8), (0.5, 7, 4), (0.3, 10, 3), (0.7, 10, 7), (0.01, 8, 1)],
)
def test_the_threshold_is_visibility_times_workers_rounded_up(
    visibility: float, workers: int, threshold: int
) -> None:
    assert select.threshold_of(visibility, workers) == threshold


@pytest.mark.parametrize(
    ("workers", "threshold", "share", "exact", "bound"),
    [
        (8, 2, 0.47, 0.050, 0.094),
        (8, 4, 0.50, 0.363, 1.0),
        (8, 4, 0.70, 0.058, 0.136),
        (16, 8, 0.70, 0.026, 0.225),
    ],
)
def test_missing_rates_are_those_of_theory(
    workers: int, threshold: int, share: float, exact: float, bound: float
) -> None:
    assert select.missing_probability(share, threshold=threshold, workers=workers) == pytest.approx(
        exact, abs=6e-4
    )
    assert select.missing_bound(share, threshold=threshold, workers=workers) == pytest.approx(bound, abs=6e-4)


def test_random_selection_misses_as_many_blocks_as_theory_says() -> None:
    blocks, workers = 100_000, 8
    counts = sum(
        select.random(3, 1, worker=worker, blocks=blocks, take=47_000).astype(int)
        for worker in range(1, workers + 1)
    )
    assert np.mean(counts < 2) == pytest.approx(0.050, abs=0.003)


def test_the_minimum_share_is_k_star() -> None:
    assert select.minimum_share(4, 2410, 8) == 1205
    assert select.minimum_share(3, 10, 8) == 4


allowed = st.lists(st.booleans(), min_size=1, max_size=60).map(lambda found: np.array(found, np.bool_))


@given(among=allowed, take=st.integers(0, 80), epoch=st.integers(1, 100), worker=st.integers(1, 64))
def test_a_draw_takes_k_of_the_blocks_that_are_allowed_or_all_of_them(
    among: Flags, take: int, epoch: int, worker: int
) -> None:
    flags = select.drawn(7, epoch, worker=worker, among=among, take=take)
    assert not (flags & ~among).any()
    assert flags.sum() == min(take, among.sum())
    assert (flags == select.drawn(7, epoch, worker=worker, among=among, take=take)).all()


def test_draws_differ_between_workers_epochs_and_seeds() -> None:
    among = np.ones(100, np.bool_)
    draws = [
        select.drawn(seed, epoch, worker=worker, among=among, take=50)
        for seed, epoch, worker in [(7, 1, 1), (7, 2, 1), (7, 1, 2), (8, 1, 1)]
    ]
    assert len(np.unique(draws, axis=0)) == 4


def test_every_allowed_block_is_drawn_about_equally_often() -> None:
    among = np.arange(10) % 2 == 0
    counts = sum(select.drawn(3, epoch, worker=1, among=among, take=2).astype(int) for epoch in range(5_000))
    assert np.abs(np.asarray(counts)[among] - 2_000).max() < 150


magnitudes = st.integers(0, 5).map(float)


@given(data=st.data(), among=allowed, take=st.integers(0, 80))
def test_the_largest_are_those_that_no_allowed_block_left_out_exceeds(
    data: st.DataObject, among: Flags, take: int
) -> None:
    size = len(among)
    sizes = np.array(data.draw(st.lists(magnitudes, min_size=size, max_size=size)))
    flags = select.largest(sizes, among=among, take=take)
    assert not (flags & ~among).any()
    assert flags.sum() == min(take, among.sum())
    left_out = among & ~flags
    assert sizes[flags].min(initial=np.inf) >= sizes[left_out].max(initial=-np.inf)
