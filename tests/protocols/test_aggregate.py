"""The global model: a start and sums of integers, in whatever order they come."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mdl.protocols.aggregate import Aggregate
from mdl.schemes.fixed_point import FixedPoint
from mdl.vectors import Blocks, Floats, Integers

GRID = FixedPoint(8.0, 12)
BLOCKS = Blocks(7, 2)
MEMBERS, RATE = 3, 0.1
Update = tuple[list[int], Integers]


def aggregate(start: Floats | None = None) -> Aggregate:
    first = np.linspace(-1, 1, BLOCKS.parameters).astype(np.float32) if start is None else start
    return Aggregate(first, BLOCKS, fixed_point=GRID, members=MEMBERS, learning_rate=RATE)


def apply(model: Aggregate, updates: list[Update]) -> Aggregate:
    for blocks, sums in updates:
        model.apply(np.array(blocks, np.int64), sums)
    return model


@st.composite
def some_updates(draw: st.DrawFn) -> list[Update]:
    chosen = draw(st.lists(st.sets(st.integers(0, BLOCKS.count - 1)).map(sorted), max_size=12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    bound = GRID.bound(MEMBERS)
    return [(blocks, rng.integers(-bound, bound + 1, (len(blocks), BLOCKS.size))) for blocks in chosen]


@given(updates=some_updates(), order=st.randoms(use_true_random=False))
def test_the_model_does_not_depend_on_the_order_of_its_updates(
    updates: list[Update], order: random.Random
) -> None:
    one = apply(aggregate(), updates)
    shuffled = list(updates)
    order.shuffle(shuffled)
    other = apply(aggregate(), shuffled)
    assert one.parameters().tobytes() == other.parameters().tobytes()
    assert one.updates.tolist() == other.updates.tolist()


@given(updates=some_updates())
def test_it_is_the_start_less_the_rate_times_the_mean_of_all_sums(updates: list[Update]) -> None:
    model = apply(aggregate(), updates)
    totals, times = [[0] * BLOCKS.size for _ in range(BLOCKS.count)], [0] * BLOCKS.count
    for blocks, sums in updates:
        for block, row in zip(blocks, sums.tolist(), strict=True):
            totals[block] = [total + entry for total, entry in zip(totals[block], row, strict=True)]
            times[block] += 1
    start = np.linspace(-1, 1, BLOCKS.parameters).astype(np.float32).astype(np.float64)
    mean = np.array(totals).ravel()[: BLOCKS.parameters] / MEMBERS * 2.0**-GRID.fraction_bits
    assert model.parameters().tolist() == (start - RATE * mean).astype(np.float32).tolist()
    assert model.updates.tolist() == times
    assert model.epochs == sum(times) // BLOCKS.count


@given(updates=some_updates())
def test_the_values_of_some_blocks_are_those_of_the_model(updates: list[Update]) -> None:
    model = apply(aggregate(), updates)
    blocks = np.array([1, 2])
    assert model.values(blocks).ravel().tolist() == model.parameters()[2:6].tolist()


def test_thousands_of_sums_at_the_bound_add_up_exactly() -> None:
    model = aggregate(np.zeros(BLOCKS.parameters, np.float32))
    everywhere = list(range(BLOCKS.count))
    largest = np.full((BLOCKS.count, BLOCKS.size), GRID.bound(MEMBERS))
    apply(model, [(everywhere, largest), (everywhere, -largest + 1)] * 5_000)
    # What is left is 5,000 times the smallest step: no rounding has eaten it.
    step = 2.0**-GRID.fraction_bits / MEMBERS
    assert model.parameters().tolist() == [np.float32(-RATE * 5_000 * step)] * BLOCKS.parameters


@given(updates=some_updates(), later=some_updates())
def test_it_goes_on_from_what_was_kept(updates: list[Update], later: list[Update]) -> None:
    model = apply(aggregate(), updates)
    kept = model.state()
    apply(model, later)
    again = aggregate()
    again.restore(kept)
    apply(again, later)
    assert again.parameters().tobytes() == model.parameters().tobytes()
    assert again.epochs == model.epochs
    # What was kept is a copy: neither model has changed it.
    assert kept["updates"].tolist() == apply(aggregate(), updates).updates.tolist()
    third = aggregate()
    third.restore(kept)
    assert third.parameters().tobytes() == apply(aggregate(), updates).parameters().tobytes()
