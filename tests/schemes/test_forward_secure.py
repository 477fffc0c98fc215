"""Masks from secrets that move on: they cancel, none is made twice, a state says nothing of earlier ones."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mdl.errors import SchemeError
from mdl.schemes.forward_secure import Chain, Masks

MODEL = b"a model's hash"


def secret(one: int, other: int) -> bytes:
    return bytes([min(one, other), max(one, other)] * 16)


def masks(workers: int, epoch: int = 1) -> dict[int, Masks]:
    everybody = range(1, workers + 1)
    return {
        own: Masks(own, {peer: secret(own, peer) for peer in everybody if peer != own}, epoch)
        for own in everybody
    }


@given(data=st.data(), workers=st.integers(2, 7), count=st.integers(1, 70_000))
def test_the_masks_of_a_group_add_to_zero_and_no_fewer_do(
    data: st.DataObject, workers: int, count: int
) -> None:
    group = data.draw(st.lists(st.integers(1, workers), min_size=2, unique=True))
    all_masks = masks(workers)
    made = [all_masks[member].mask(3, group, count, context=MODEL) for member in group]
    assert not np.add.reduce(made, dtype=np.uint32).any()
    assert count < 8 or np.add.reduce(made[:-1], dtype=np.uint32).any()


def test_a_mask_is_uniform() -> None:
    words = masks(3)[2].mask(1, [1, 2, 3], 200_000, context=MODEL)
    counts = np.bincount(words >> 26, minlength=64)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_masks_of_two_epochs_or_groups_or_contexts_differ() -> None:
    first, second, smaller, elsewhere = masks(3)[1], masks(3)[1], masks(3)[1], masks(3)[1]
    whole = first.mask(1, [1, 2, 3], 100, context=MODEL)
    assert (whole != second.mask(2, [1, 2, 3], 100, context=MODEL)).any()
    assert (whole != smaller.mask(1, [1, 2], 100, context=MODEL)).any()
    assert (whole != elsewhere.mask(1, [1, 2, 3], 100, context=b"another")).any()


def test_no_mask_is_made_twice_nor_one_of_an_earlier_epoch() -> None:
    own = masks(3)[1]
    own.mask(4, [1, 2], 10, context=MODEL)
    for epoch in (4, 3, 1):
        with pytest.raises(SchemeError, match="made once"):
            own.mask(epoch, [1, 2], 10, context=MODEL)
    # Worker 3 was outside the group: its state has moved on as well.
    with pytest.raises(SchemeError, match="made once"):
        own.mask(4, [1, 3], 10, context=MODEL)


def test_both_ends_may_skip_epochs_on_their_own() -> None:
    one, other = Chain(bytes(32), 1), Chain(bytes(32), 1)
    one.seed(1, MODEL)
    one.seed(3, MODEL)
    assert one.seed(7, MODEL) == other.seed(7, MODEL)


def test_a_state_gives_no_earlier_seed() -> None:
    """Known answers: a seed and a next state are independent outputs of HKDF-Expand, which is one-way."""
    state = bytes(range(32))
    chain = Chain(state, 1)
    assert chain.seed(1, MODEL) == HKDFExpand(SHA256(), 16, b"mdl: mask" + MODEL).derive(state)
    after = HKDFExpand(SHA256(), 32, b"mdl: next state").derive(state)
    assert bytes(chain._state) == after
    assert chain.seed(2, MODEL) == HKDFExpand(SHA256(), 16, b"mdl: mask" + MODEL).derive(after)


def test_the_state_is_overwritten_in_place() -> None:
    chain = Chain(bytes(32), 1)
    held = chain._state
    chain.seed(1, MODEL)
    assert held is chain._state
    assert bytes(held) != bytes(32)


def test_who_is_no_member_and_who_is_a_stranger() -> None:
    with pytest.raises(SchemeError, match="no member"):
        masks(3)[1].mask(1, [2, 3], 5, context=MODEL)
    with pytest.raises(SchemeError, match="no secret is shared with workers \\[9\\]"):
        masks(3)[1].mask(1, [1, 2, 9], 5, context=MODEL)
