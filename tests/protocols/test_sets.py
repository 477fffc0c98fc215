"""Active sets as masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.protocols import sets as active
from mdl.vectors import Flags


@st.composite
def contributions(draw: st.DrawFn) -> Flags:
    workers, blocks = draw(st.integers(1, 64)), draw(st.integers(1, 30))
    bits = draw(st.lists(st.booleans(), min_size=workers * blocks, max_size=workers * blocks))
    return np.array(bits, np.bool_).reshape(blocks, workers)


@given(contributed=contributions(), threshold=st.integers(1, 64))
def test_no_set_below_the_threshold_is_ever_closed(contributed: Flags, threshold: int) -> None:
    closed = active.close(contributed, threshold)
    for row, mask in zip(contributed, closed, strict=True):
        members = tuple(int(worker) + 1 for worker in np.flatnonzero(row))
        assert active.members(int(mask)) == (members if len(members) >= threshold else ())


@given(contributed=contributions())
def test_sets_survive_the_wire(contributed: Flags) -> None:
    closed, workers = active.close(contributed, 1), contributed.shape[1]
    data = active.to_bytes(closed, workers)
    assert len(data) == len(closed) * active.width(workers)
    assert (active.from_bytes(data, workers) == closed).all()


def test_a_set_with_a_member_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="beyond worker 3"):
        active.from_bytes(b"\x08", 3)
    with pytest.raises(ValueError, match="whole number"):
        active.from_bytes(b"\x01\x00\x01", 9)


@given(contributed=contributions())
def test_groups_hold_every_closed_block_once(contributed: Flags) -> None:
    closed = active.close(contributed, 1)
    found = {int(block): mask for mask, blocks in active.groups(closed) for block in blocks}
    assert found == {block: int(mask) for block, mask in enumerate(closed) if mask}


@given(contributed=contributions())
def test_sizes_and_membership_agree_with_the_flags(contributed: Flags) -> None:
    closed = active.close(contributed, 1)
    assert (active.sizes(closed) == contributed.sum(axis=1)).all()
    for worker in range(1, contributed.shape[1] + 1):
        assert (active.contains(closed, worker) == contributed[:, worker - 1]).all()


@given(contributed=contributions())
def test_counts_are_how_often_each_worker_is_a_member(contributed: Flags) -> None:
    closed, workers = active.close(contributed, 1), contributed.shape[1]
    assert active.counts(closed, workers).tolist() == contributed.sum(axis=0).tolist()
