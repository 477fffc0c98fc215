"""Sharing of vectors: sums come out exactly, too few shares say nothing, wrong ones are named."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange
from mdl.schemes import vector_sharing
from mdl.schemes.mersenne import PRIME
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.vector_sharing import Additive, Shamir, VectorSharing
from mdl.vectors import Integers

COUNT = 100_000


def vectors(members: int, bound: int, count: int = 50) -> dict[int, Integers]:
    rng = np.random.default_rng(members)
    return {member: rng.integers(-bound, bound + 1, count) for member in range(1, members + 1)}


def shared(sharing: VectorSharing, values: Mapping[int, Integers]) -> dict[int, bytes]:
    """Let every member share; give each point's share of the sum."""
    rng, points = insecure_seeded(3), sorted(values)
    dealt = {dealer: sharing.share(vector, points, rng=rng) for dealer, vector in values.items()}
    return {
        point: sharing.add({dealer: dealt[dealer][point] for dealer in points}, len(values[points[0]]))
        for point in points
    }


@given(members=st.integers(2, 9), bits=st.integers(1, 27))
def test_the_sum_comes_out(members: int, bits: int) -> None:
    values = vectors(members, 1 << bits)
    for sharing in (Additive(), Shamir(members // 2 + 1)):
        opened = sharing.open(
            shared(sharing, values), 50, members=members, bound=min(sharing.sum_limit, members << bits)
        )
        assert (opened == sum(values.values())).all()


@pytest.mark.parametrize(("members", "threshold"), [(5, 3), (8, 5), (4, 4), (3, 2)])
def test_any_threshold_of_shares_open_and_one_fewer_do_not(members: int, threshold: int) -> None:
    sharing, values = Shamir(threshold), vectors(members, 1000)
    sums, expected = shared(sharing, values), sum(values.values())
    for openers in combinations(sums, threshold):
        held = {point: sums[point] for point in openers}
        assert (sharing.open(held, 50, members=members, bound=members * 1000) == expected).all()
    fewer = {point: sums[point] for point in list(sums)[: threshold - 1]}
    with pytest.raises(NotEnoughShares, match=f"{threshold} are needed"):
        sharing.open(fewer, 50, members=members, bound=members * 1000)


def test_additive_shares_open_all_together_only() -> None:
    sums = shared(Additive(), vectors(4, 10))
    del sums[2]
    with pytest.raises(NotEnoughShares):
        Additive().open(sums, 50, members=4, bound=40)


def uniform(words: NDArray[np.uint32], most: int) -> bool:
    """Whether words pass for uniform ones below `most`."""
    counts = np.bincount((words.astype(np.int64) * 64) // most, minlength=64)
    return bool(stats.chisquare(counts).pvalue > 1e-4)


@pytest.mark.parametrize(("sharing", "most"), [(Additive(), 1 << 32), (Shamir(3), PRIME)])
@pytest.mark.parametrize("value", [0, 1, -(1 << 29)])
def test_each_share_is_uniform_whatever_is_shared(sharing: VectorSharing, most: int, value: int) -> None:
    shares = sharing.share(np.full(COUNT, value), [1, 2, 3, 4], rng=insecure_seeded(7))
    for share in shares.values():
        assert uniform(np.frombuffer(share, "<u4"), most)


def joint_values(sharing: VectorSharing, points: Sequence[int], value: int) -> set[tuple[int, ...]]:
    """All that too few points may hold, by brute force over what is drawn, in a ring of a few elements."""
    shares = sharing.share(np.full(COUNT, value), [1, 2, 3], rng=insecure_seeded(value))
    words = [np.frombuffer(shares[point], "<u4") >> 28 for point in points]
    return set(zip(*(column.tolist() for column in words), strict=True))


def test_fewer_shares_than_the_threshold_are_independent_of_what_is_shared() -> None:
    for sharing in (Additive(), Shamir(3)):
        held = [joint_values(sharing, [1, 3], value) for value in (0, 5)]
        # Pairs of the leading bits: each combination occurs, whatever the value is.
        assert held[0] == held[1]
        shares = sharing.share(np.full(COUNT, 5), [1, 2, 3], rng=insecure_seeded(1))
        first, second = (np.frombuffer(shares[point], "<u4").astype(float) for point in (1, 2))
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.02


def test_p_itself_is_no_residue_and_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter([[5, PRIME, 7, PRIME | 1 << 31], [PRIME, 9], [1 << 31]])
    monkeypatch.setattr(vector_sharing, "_words", lambda count, rng: np.array(next(draws), np.uint32))
    assert vector_sharing._residues(4, insecure_seeded(1)).tolist() == [5, 0, 7, 9]


@pytest.mark.parametrize("sharing", [Additive(), Shamir(2)])
def test_a_share_of_another_length_is_refused_and_its_owner_named(sharing: VectorSharing) -> None:
    sums = shared(sharing, vectors(3, 5))
    sums[2] = sums[2][:-4]
    with pytest.raises(InvalidShare) as caught:
        sharing.open(sums, 50, members=3, bound=15)
    assert list(caught.value.culprits) == [2]


def test_entries_outside_the_field_are_refused() -> None:
    sums = shared(Shamir(2), vectors(3, 5))
    sums[1] = np.full(50, PRIME, np.uint32).tobytes()
    with pytest.raises(InvalidShare, match="outside the field"):
        Shamir(2).open(sums, 50, members=3, bound=15)


@pytest.mark.parametrize("sharing", [Additive(), Shamir(2)])
def test_a_sum_that_cannot_be_shows_that_a_share_is_wrong(sharing: VectorSharing) -> None:
    sums = shared(sharing, vectors(3, 5))
    sums[1] = np.full(50, 1 << 29, np.uint32).tobytes()
    with pytest.raises(OutOfRange, match="some share is wrong"):
        sharing.open(sums, 50, members=3, bound=15)
