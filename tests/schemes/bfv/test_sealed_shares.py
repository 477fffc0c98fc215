"""Shares of secrets: τ recover one, fewer are uniform, and who hands them on reads only its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mdl.errors import InvalidShare, NotEnoughShares
from mdl.party import PartyId
from mdl.schemes import key_agreement, mersenne
from mdl.schemes.bfv import MultipartyBfv, SealedShares, Secret, recover
from mdl.schemes.bfv.ring import Ternary
from mdl.schemes.randomness import SystemRandomness

RNG = SystemRandomness()
TOY = 64
RUN = b"a run"

Sealed = dict[PartyId, dict[PartyId, bytes]]
"""By dealer and receiver."""


@dataclass
class Group:
    """Members who have dealt shares of their secrets, through somebody."""

    members: tuple[PartyId, ...]
    threshold: int
    degree: int = TOY
    number: int = 7
    sides: dict[PartyId, SealedShares] = field(init=False)
    secrets: dict[PartyId, Secret] = field(init=False)
    sealed: Sealed = field(init=False)

    def __post_init__(self) -> None:
        identities = {identity.point: identity for identity in key_agreement.deal(self.members, rng=RNG)}
        self.sides = {
            member: SealedShares(
                identities[member], self.members, self.number, threshold=self.threshold, run=RUN, rng=RNG
            )
            for member in self.members
        }
        announced = {member: side.announcement for member, side in self.sides.items()}
        for side in self.sides.values():
            side.agree(announced)
        scheme = MultipartyBfv(2, degree=self.degree)
        self.secrets = {member: scheme.draw(rng=RNG) for member in self.members}
        self.sealed = {member: self.sides[member].deal(self.secrets[member]) for member in self.members}

    def sealed_to(self, member: PartyId) -> dict[PartyId, bytes]:
        return {dealer: shares[member] for dealer, shares in self.sealed.items() if dealer != member}

    def held(self, member: PartyId) -> Mapping[PartyId, bytes]:
        return self.sides[member].open(self.sealed_to(member))

    def shares_of(self, dealer: PartyId) -> dict[PartyId, bytes]:
        return {member: self.held(member)[dealer] for member in self.members if member != dealer}


@settings(deadline=None, max_examples=20)
@given(data=st.data(), size=st.integers(3, 8))
def test_any_so_many_recover_a_secret_and_no_fewer(data: st.DataObject, size: int) -> None:
    members = data.draw(st.lists(st.integers(1, 64), min_size=size, max_size=size, unique=True))
    threshold = data.draw(st.integers(2, size - 1))
    group = Group(tuple(members), threshold)
    lost, *others = data.draw(st.permutations(members))
    shares = group.shares_of(lost)
    some = {member: shares[member] for member in others[:threshold]}
    found = recover(some, threshold=threshold, degree=TOY)
    assert (found.polynomial == group.secrets[lost].polynomial).all()
    assert (found.spectrum == group.secrets[lost].spectrum).all()
    with pytest.raises(NotEnoughShares):
        recover(dict(list(some.items())[1:]), threshold=threshold, degree=TOY)


@pytest.mark.parametrize("constant", [-1, 0, 1])
def test_fewer_shares_are_uniform_whatever_the_secret_is(constant: int) -> None:
    group = Group((1, 2, 3, 4), 3, degree=4096)
    secret: Ternary = np.full(4096, constant, np.int8)
    pairs = []
    for _ in range(4):
        group.sealed[1] = group.sides[1].deal(Secret.of(secret))
        pairs.append([np.frombuffer(share, "<u4") for share in list(group.shares_of(1).values())[:2]])
    one, other = np.concatenate(pairs, axis=1).astype(np.uint64)
    assert max(one.max(), other.max()) < mersenne.PRIME
    # Of each of two shares the three bits on top, together: 64 values, equally likely.
    counts = np.bincount(
        ((one >> np.uint64(28)) * 8 + (other >> np.uint64(28))).astype(np.int64), minlength=64
    )
    assert stats.chisquare(counts).pvalue > 1e-4


def test_a_share_is_opened_by_nobody_else_and_nowhere_else() -> None:
    group = Group((1, 2, 3), 2)
    one, other = Group((1, 2, 3), 2, number=8), Group((1, 2, 3), 2)
    misplaced: list[Callable[[], object]] = [
        lambda: group.sides[3].open({**group.sealed_to(3), 1: group.sealed[1][2]}),  # another's
        lambda: group.sides[2].open({**group.sealed_to(2), 1: group.sealed[3][2]}),  # of another dealer
        lambda: group.sides[1].open({**group.sealed_to(1), 2: group.sealed[1][2]}),  # sent back
        lambda: group.sides[2].open({**group.sealed_to(2), 1: one.sealed[1][2]}),  # of another group
        lambda: group.sides[2].open({**group.sealed_to(2), 1: other.sealed[1][2]}),  # of another agreement
        lambda: group.sides[2].open({**group.sealed_to(2), 1: b"short"}),
        lambda: group.sides[2].open({1: group.sealed[1][2]}),  # not all
    ]
    for attempt in misplaced:
        with pytest.raises(InvalidShare):
            attempt()
    assert group.held(2).keys() == {1, 3}


@settings(deadline=None, max_examples=20)
@given(place=st.integers(0), bit=st.integers(0, 7))
def test_an_altered_share_does_not_open_and_its_dealer_is_named(place: int, bit: int) -> None:
    group = Group((1, 2, 3), 2)
    altered = bytearray(group.sealed[1][2])
    altered[place % len(altered)] ^= 1 << bit
    with pytest.raises(InvalidShare) as caught:
        group.sides[2].open({**group.sealed_to(2), 1: bytes(altered)})
    assert caught.value.culprits == (1,)


def test_shares_that_make_no_secret_are_found_out() -> None:
    group = Group((1, 2, 3, 4), 3)
    shares = group.shares_of(1)
    shares[3] = group.shares_of(2)[3]
    with pytest.raises(InvalidShare, match="no ternary secret"):
        recover(shares, threshold=3, degree=TOY)


def test_announcements_are_those_of_all_members() -> None:
    identities = key_agreement.deal((1, 2, 3), rng=RNG)
    side = SealedShares(identities[0], (1, 2, 3), 0, threshold=2, run=RUN, rng=RNG)
    with pytest.raises(InvalidShare, match=r"of \[1\], not of \[1, 2, 3\]"):
        side.agree({1: side.announcement})
