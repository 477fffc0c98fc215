"""Multiparty BFV: sums come out exactly, without one share nothing does, and noise stays within bounds."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mdl.errors import OutOfRange
from mdl.schemes.bfv import Ciphertexts, CollectiveKey, MultipartyBfv, Secret, ternary
from mdl.schemes.bfv.ring import Elements
from mdl.schemes.randomness import SystemRandomness
from mdl.vectors import Integers

RNG = SystemRandomness()
TOY = 64


@dataclass
class Group:
    """Parties that have made a key together."""

    scheme: MultipartyBfv
    secrets: list[Secret] = field(init=False)
    key: CollectiveKey = field(init=False)

    def __post_init__(self) -> None:
        self.secrets = [self.scheme.draw(rng=RNG) for _ in range(self.scheme.parties)]
        common = self.scheme.common(b"a group")
        shares = [self.scheme.public_share(secret, common, rng=RNG) for secret in self.secrets]
        self.key = self.scheme.collective(shares, common)

    def summed(self, plaintexts: list[Integers]) -> Ciphertexts:
        """The first party's plaintext is added in the clear, the others' are encrypted."""
        first, *others = [self.scheme.encrypt(self.key, each, rng=RNG) for each in plaintexts[1:]]
        for each in others:
            first = first + each
        return self.scheme.plus(first, plaintexts[0])

    def shares(self, c1: Elements) -> list[Elements]:
        own, *others = self.secrets
        drowned = [self.scheme.share(secret, c1, rng=RNG) for secret in others]
        return [self.scheme.own_share(own, c1), *drowned]


def plaintexts(group: Group, largest: int, blocks: int = 2) -> list[Integers]:
    rng, parties = np.random.default_rng(group.scheme.parties), group.scheme.parties
    limit = largest // parties
    return [rng.integers(-limit, limit + 1, (blocks, group.scheme.degree)) for _ in range(parties)]


@settings(deadline=None, max_examples=25)
@given(parties=st.integers(2, 33), bits=st.integers(2, 32))
def test_sums_come_out(parties: int, bits: int) -> None:
    group = Group(MultipartyBfv(parties, bits, TOY))
    values = plaintexts(group, (1 << bits - 1) - 1)
    summed = group.summed(values)
    assert (group.scheme.open(summed.c0, group.shares(summed.c1)) == sum(values)).all()


def test_sums_come_out_at_full_size() -> None:
    group = Group(MultipartyBfv(3))
    values = plaintexts(group, (1 << 31) - 1)
    summed = group.summed(values)
    assert (group.scheme.open(summed.c0, group.shares(summed.c1)) == sum(values)).all()
    assert not group.scheme.insecure
    assert MultipartyBfv(3, degree=2048).insecure


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_without_one_share_what_is_opened_is_uniform(missing: int) -> None:
    group = Group(MultipartyBfv(3))
    summed = group.summed([np.zeros((8, 4096), np.int64)] * 3)
    shares = group.shares(summed.c1)
    del shares[missing]
    opened = group.scheme.open(summed.c0, shares)
    counts = np.bincount((opened.reshape(-1) + (1 << 31)) >> 26, minlength=64)[:64]
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("parties", [2, 3, 9, 33])
def test_noise_stays_within_what_is_proved_and_uses_what_there_is(parties: int) -> None:
    group = Group(MultipartyBfv(parties))
    values = plaintexts(group, 1 << 30, blocks=1)
    summed = group.summed(values)
    noise = np.abs(group.scheme.noise(summed.c0, group.shares(summed.c1), np.sum(values, axis=0))).max()
    bare = [group.scheme.own_share(secret, summed.c1) for secret in group.secrets]
    undrowned = np.abs(group.scheme.noise(summed.c0, bare, np.sum(values, axis=0))).max()
    assert noise < 2**63
    assert undrowned <= group.scheme._noise(parties - 1)
    # What drowns is 2^40 times what is drowned, and fills the budget but for a factor of four.
    assert undrowned * 2**40 < 2.0 ** (group.scheme.drowning_bits - 1)
    assert (parties - 1) << group.scheme.drowning_bits + 1 > 2**63


@settings(deadline=None, max_examples=15)
@given(parties=st.integers(2, 64), bits=st.integers(2, 32))
def test_noise_stays_within_the_budget_for_any_number_of_parties(parties: int, bits: int) -> None:
    group = Group(MultipartyBfv(parties, bits, TOY))
    values = plaintexts(group, (1 << bits - 1) - 1, blocks=1)
    summed, total = group.summed(values), np.sum(values, axis=0)
    noise = np.abs(group.scheme.noise(summed.c0, group.shares(summed.c1), total)).max()
    bare = [group.scheme.own_share(secret, summed.c1) for secret in group.secrets]
    undrowned = np.abs(group.scheme.noise(summed.c0, bare, total)).max()
    assert undrowned <= group.scheme._noise(parties - 1)
    assert noise < 2.0 ** (group.scheme.scale_bits - 1)


@given(parties=st.integers(2, 1 << 20), bits=st.integers(2, 32))
def test_parties_whose_noise_could_reach_half_a_step_are_refused(parties: int, bits: int) -> None:
    try:
        scheme = MultipartyBfv(parties, bits)
    except ValueError:
        assert parties > 64
        return
    worst = scheme._noise(parties) + ((parties - 1) << scheme.drowning_bits - 1)
    assert worst < 1 << scheme.scale_bits - 1
    assert scheme.drowning_bits >= scheme._noise(parties).bit_length() + 24


def test_noise_that_drowns_is_uniform_and_independent_of_what_it_drowns() -> None:
    scheme = MultipartyBfv(3)
    group = Group(scheme)
    summed = group.summed([np.zeros((2, 4096), np.int64)] * 3)
    bare = scheme.own_share(group.secrets[1], summed.c1)
    shown = scheme.share(group.secrets[1], summed.c1, rng=RNG)
    difference = shown + -bare
    noise = difference.low.view(np.int64)
    assert (difference.high == (noise >> 63).astype(np.uint32)).all()
    bits = scheme.drowning_bits
    assert (np.abs(noise) <= 1 << bits - 1).all()
    counts = np.bincount((noise.reshape(-1) >> bits - 5) + 16, minlength=32)
    assert stats.chisquare(counts).pvalue > 1e-4
    again = scheme.share(group.secrets[1], summed.c1, rng=RNG)
    assert abs(np.corrcoef(noise.reshape(-1), (again + -bare).low.view(np.int64).reshape(-1))[0, 1]) < 0.06


def test_two_encryptions_of_one_plaintext_have_nothing_in_common() -> None:
    group = Group(MultipartyBfv(2, degree=TOY))
    values = np.zeros((1, TOY), np.int64)
    one, other = (group.scheme.encrypt(group.key, values, rng=RNG) for _ in range(2))
    assert (one.c0.low != other.c0.low).all()
    assert (one.c1.low != other.c1.low).all()


def test_ciphertexts_look_uniform() -> None:
    group = Group(MultipartyBfv(2))
    made = group.scheme.encrypt(group.key, np.full((8, 4096), 7), rng=RNG)
    for half in (made.c0, made.c1):
        for words in (half.high >> np.uint32(26), half.low >> np.uint64(58)):
            assert (
                stats.chisquare(np.bincount(words.reshape(-1).astype(np.int64), minlength=64)).pvalue > 1e-4
            )


def test_sizes_are_what_is_sent() -> None:
    group = Group(MultipartyBfv(2, degree=TOY))
    made = group.scheme.encrypt(group.key, np.zeros((3, TOY), np.int64), rng=RNG)
    assert len(made.tobytes()) == 3 * group.scheme.ciphertext_bytes
    assert len(made.c1.tobytes()) == 3 * group.scheme.half_bytes
    assert MultipartyBfv(2).ciphertext_bytes == 98_304


def test_ternaries_are_uniform() -> None:
    counts = np.bincount(ternary.draw((300, 1000), rng=RNG).reshape(-1) + 1, minlength=3)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_what_does_not_fit_is_refused() -> None:
    group = Group(MultipartyBfv(2, 16, TOY))
    for value in (1 << 15, -(1 << 15) - 1):
        with pytest.raises(OutOfRange, match="2\\^15"):
            group.scheme.encrypt(group.key, np.full((1, TOY), value), rng=RNG)
    with pytest.raises(ValueError, match="at least 2"):
        MultipartyBfv(1)
    with pytest.raises(ValueError, match="leaves no room"):
        MultipartyBfv(60_000)


def test_the_common_polynomial_follows_from_its_seed_alone() -> None:
    scheme = MultipartyBfv(2)
    assert (scheme.common(b"x").low == scheme.common(b"x").low).all()
    assert (scheme.common(b"x").low != scheme.common(b"y").low).any()
    assert repr(scheme.draw(rng=RNG)) == "Secret(...)"
