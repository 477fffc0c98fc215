import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.errors import OutOfRange
from mdl.schemes.fixed_point import FixedPoint, outside, what_fits

GRIDS = st.builds(
    FixedPoint,
    range=st.floats(1, 1000),
    fraction_bits=st.integers(0, 32),
)


@given(grid=GRIDS, fractions=st.lists(st.floats(-1, 1), min_size=1))
def test_a_value_in_range_comes_back_within_half_a_step(grid: FixedPoint, fractions: list[float]) -> None:
    largest = grid.limit * 2.0**-grid.fraction_bits
    values = np.array(fractions) * largest
    encoded, saturated = grid.encode(values)
    assert saturated == 0
    assert np.abs(grid.decode_mean(encoded, 1) - values).max() <= 2.0 ** (-grid.fraction_bits - 1)


@given(grid=GRIDS, values=st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32)))
def test_no_encoded_value_leaves_the_range(grid: FixedPoint, values: list[float]) -> None:
    encoded, _ = grid.encode(np.array(values, np.float32))
    assert encoded.dtype == np.int64
    assert not outside(encoded, grid.limit)
    assert grid.limit <= grid.range * 2.0**grid.fraction_bits


def test_what_is_too_large_saturates_and_is_counted() -> None:
    encoded, saturated = FixedPoint(range=2, fraction_bits=3).encode(np.array([[1e30, 2.0], [-2.2, -0.3]]))
    np.testing.assert_array_equal(encoded, [[16, 16], [-16, -2]])
    assert saturated == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(OutOfRange):
        FixedPoint(range=1, fraction_bits=3).encode(np.array([0.0, value], np.float32))


@given(grid=GRIDS, entries=st.lists(st.integers(-1000, 1000), min_size=1, max_size=20))
def test_the_mean_of_a_sum_is_exact_up_to_one_rounding(grid: FixedPoint, entries: list[int]) -> None:
    mean = grid.decode_mean(np.array([sum(entries)]), len(entries))
    assert mean[0] == sum(entries) / len(entries) * 2.0**-grid.fraction_bits


def test_each_block_is_divided_by_its_own_number_of_members() -> None:
    sums, members = np.array([[8, 16], [9, 18]]), np.array([[4], [3]])
    np.testing.assert_array_equal(
        FixedPoint(range=8, fraction_bits=1).decode_mean(sums, members), [[1, 2], [1.5, 3]]
    )


@given(grid=GRIDS, members=st.integers(1, 100))
def test_the_bound_is_reached_and_never_passed(grid: FixedPoint, members: int) -> None:
    encoded, _ = grid.encode(np.full(members, 1e9))
    assert encoded.sum() == grid.bound(members)


@pytest.mark.parametrize(
    ("largest", "bits"), [(0, 4), (-1, 4), (np.inf, 4), (np.nan, 4), (1, -1), (1, 33), (1e30, 0), (0.1, 1)]
)
def test_a_grid_without_sense_is_refused(largest: float, bits: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        FixedPoint(range=largest, fraction_bits=bits)


def test_the_least_64_bit_integer_is_outside_every_range() -> None:
    assert outside(np.array([-(2**63)]), 2**62)
    assert not outside(np.array([], np.int64), 1)


@given(grid=GRIDS, members=st.integers(1, 100), data=st.data())
def test_the_keys_that_are_said_to_fit_do_and_are_the_largest(
    grid: FixedPoint, members: int, data: st.DataObject
) -> None:
    largest = data.draw(st.integers(members, max(members, grid.bound(members) - 1)))
    said = what_fits(grid, members, largest)
    found = re.fullmatch(r".*? at most ([0-9.]+)(, or .* at most (\d+))?", said)
    assert found is not None
    named = FixedPoint(float(found[1]), grid.fraction_bits)
    assert named.limit == largest // members
    if found[3]:
        bits = int(found[3])
        assert FixedPoint(grid.range, bits).bound(members) <= largest
        assert bits + 1 == grid.fraction_bits or FixedPoint(grid.range, bits + 1).bound(members) > largest
    else:
        assert grid.fraction_bits <= 1 or FixedPoint(grid.range, 1).bound(members) > largest


def test_what_fits_is_written_briefly() -> None:
    assert what_fits(FixedPoint(64, 12), 4, 4 << 17) == (
        "with 12 fraction bits system.range may be at most 32, "
        "or with this range system.fraction_bits at most 11"
    )
    assert what_fits(FixedPoint(64, 12), 4, 3) == "no system.range is small enough for 4 members"
