"""Short keys: their distribution, the field they are shared in, and the two ways to share them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mdl.errors import InvalidShare, NotEnoughShares, SchemeError
from mdl.party import PartyId
from mdl.schemes import shamir, subset_keys
from mdl.schemes.prf import derive, inputs
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.rlwe import binomial, field
from mdl.schemes.rlwe.field import P
from mdl.schemes.rlwe.keys import Dealt, KeySharing
from mdl.schemes.rlwe.pseudo_random import PseudoRandomKeys
from mdl.schemes.rlwe.sealed import SealedKeys
from mdl.schemes.threshold import Context, KeyShare

POINTS: Final = (1, 2, 3, 4, 5)
DEGREE: Final = 64
SHARINGS: Final[Sequence[KeySharing]] = (
    PseudoRandomKeys(workers=5, threshold=3, degree=DEGREE),
    SealedKeys(workers=5, threshold=3, degree=DEGREE),
)
SEALED: Final = SealedKeys(workers=5, threshold=3, degree=DEGREE)
CONTEXT: Final = Context(b"run", 7, blocks=[2, 3, 11], members=(1, 2, 4))

each_sharing = pytest.mark.parametrize("sharing", SHARINGS, ids=lambda sharing: type(sharing).__name__)


@dataclass(frozen=True)
class Drawn:
    """The keys of all members of a context."""

    public: bytes
    secrets: Mapping[PartyId, KeyShare]
    dealt: Sequence[Dealt]

    def sums(self, sharing: KeySharing, worker: PartyId, context: Context) -> field.Elements:
        hints = [sharing.shown(dealt.hint, worker) for dealt in self.dealt]
        return sharing.sums(self.secrets[worker], hints, context)


def draw(sharing: KeySharing, context: Context = CONTEXT, seed: int = 1) -> Drawn:
    rng = insecure_seeded(seed)
    public, secrets = sharing.deal(POINTS, rng=rng)
    shares = {point: KeyShare(point, secret) for point, secret in secrets.items()}
    dealt = [sharing.draw(shares[member], context, rng=rng) for member in context.members]
    return Drawn(public, shares, dealt)


def interpolate(shares: Mapping[PartyId, field.Elements]) -> field.Elements:
    z = shamir.lagrange_at_zero(list(shares), P)
    terms = [z[point] * share.astype(np.int64) for point, share in shares.items()]
    return field.reduce(np.sum(terms, axis=0))


# ------------------------------------------------------------------------------------------ binomial values


def test_a_value_is_how_many_of_64_bits_are_set() -> None:
    uniform = np.array([0] * 8 + [255] * 8 + [1, 0, 0, 128, 0, 0, 0, 3], np.uint8)
    np.testing.assert_array_equal(binomial.counts(uniform), [0, 64, 4])


@pytest.mark.parametrize("shape", [(3, 5), (2, 20_000), (0, 7)])
def test_values_are_added_in_place_modulo_q(shape: tuple[int, int]) -> None:
    values, words = np.zeros(shape, np.int32), np.full(shape, 5, np.uint32)
    binomial.add(values, rng=insecure_seeded(1))
    binomial.add(words, rng=insecure_seeded(1))
    np.testing.assert_array_equal(words.view(np.int32), values + 5)


def test_values_have_the_moments_and_the_range_that_are_claimed() -> None:
    values = np.zeros(1 << 17, np.int32)
    binomial.add(values, rng=insecure_seeded(1))
    assert np.abs(values).max() <= binomial.LARGEST
    # Five standard deviations of the mean of so many values, and of their squares.
    assert abs(values.mean()) < 5 * 4 / np.sqrt(values.size)
    assert abs((values**2).mean() - 16) < 5 * 16 * np.sqrt(2 / values.size)


def test_values_do_not_repeat_from_piece_to_piece() -> None:
    values = np.zeros(1 << 15, np.int32)
    binomial.add(values, rng=insecure_seeded(1))
    pieces = values.reshape(4, -1)
    assert not any(np.array_equal(one, other) for one, other in combinations(pieces, 2))


# ------------------------------------------------------------------------------------------ the field


@given(values=st.lists(st.integers(-(2**52), 2**52), min_size=1), factor=st.integers(0, P - 1))
def test_the_field_is_that_of_pythons_integers(values: list[int], factor: int) -> None:
    elements = field.reduce(np.array(values))
    assert elements.tolist() == [value % P for value in values]
    assert field.reduce(np.array(values, np.float64)).tolist() == elements.tolist()
    assert field.scaled(elements, factor).tolist() == [value * factor % P for value in values]


def test_elements_are_read_nearest_to_zero() -> None:
    elements = np.array([0, 1, P // 2, P // 2 + 1, P - 1], np.uint16)
    assert field.centred(elements).tolist() == [0, 1, P // 2, -(P // 2), -1]


def test_elements_travel_as_little_endian_words() -> None:
    packed = field.pack(np.array([[1, 0x1234], [P - 1, 0]], np.uint16))
    assert packed == bytes([1, 0, 0x34, 0x12, 0xF0, 0xFF, 0, 0])
    np.testing.assert_array_equal(field.unpack(packed, 2, 2, []), [[1, 0x1234], [P - 1, 0]])


@pytest.mark.parametrize("packed", [b"", b"\1\0\2", b"\1\0\2\0\3\0", b"\1\0\xf1\xff"])
def test_what_is_no_row_of_elements_is_blamed_on_its_sender(packed: bytes) -> None:
    with pytest.raises(InvalidShare) as refused:
        field.unpack(packed, 2, 1, [3])
    assert refused.value.culprits == (3,)


def test_uniform_elements_are_uniform() -> None:
    """Chi-square over 64 classes, below 63 + 5 standard deviations; refused words would show at the top."""
    drawn = field.uniform(1 << 17, rng=insecure_seeded(1))
    assert len(drawn) == 1 << 17
    assert drawn.max() < P
    counts = np.histogram(drawn, bins=64, range=(0, P))[0]
    expected = len(drawn) / 64
    assert ((counts - expected) ** 2 / expected).sum() < 63 + 5 * np.sqrt(2 * 63)


# ------------------------------------------------------------------------------------------ sharing


@each_sharing
@given(seed=st.integers(0, 1 << 32), members=st.sets(st.sampled_from(POINTS), min_size=1))
@settings(max_examples=10, deadline=None)
def test_any_threshold_of_workers_hold_the_sum_of_the_keys(
    sharing: KeySharing, seed: int, members: set[PartyId]
) -> None:
    context = replace(CONTEXT, members=tuple(sorted(members)))
    drawn = draw(sharing, context, seed)
    total = np.sum([dealt.keys for dealt in drawn.dealt], axis=0)
    shares = {worker: drawn.sums(sharing, worker, context) for worker in POINTS}
    for least in (3, 4, 5):
        for openers in combinations(POINTS, least):
            opened = interpolate({worker: shares[worker] for worker in openers})
            np.testing.assert_array_equal(field.centred(opened), total)


@each_sharing
def test_keys_are_sums_of_as_many_binomial_values_as_is_said(sharing: KeySharing) -> None:
    """The variance of 3 * 2^13 coefficients, within five standard deviations."""
    wide = replace(sharing, degree=2048)  # type: ignore[type-var]
    keys = np.concatenate([draw(wide, seed=seed).dealt[0].keys for seed in range(4)])
    assert np.abs(keys).max() <= binomial.LARGEST * sharing.terms
    assert abs((keys**2).mean() / (16 * sharing.terms) - 1) < 5 * np.sqrt(2 / keys.size)


@each_sharing
def test_a_block_has_the_same_key_shares_in_whatever_company_it_is_opened(sharing: KeySharing) -> None:
    drawn = draw(sharing)
    together = drawn.sums(sharing, 5, CONTEXT)
    for row, block in enumerate(CONTEXT.blocks):
        width = sharing.hint_bytes
        alone = replace(
            drawn,
            dealt=[replace(dealt, hint=dealt.hint[row * width : (row + 1) * width]) for dealt in drawn.dealt],
        )
        here = replace(CONTEXT, blocks=[block])
        np.testing.assert_array_equal(alone.sums(sharing, 5, here), together[row : row + 1])


@each_sharing
def test_every_block_and_every_call_has_a_key_of_its_own(sharing: KeySharing) -> None:
    drawn = draw(sharing)
    rng = insecure_seeded(2)
    again = [sharing.draw(drawn.secrets[1], CONTEXT, rng=rng) for _ in range(2)]
    keys = np.concatenate([dealt.keys for dealt in [*drawn.dealt, *again]])
    assert len(np.unique(keys, axis=0)) == len(keys)


@each_sharing
def test_a_hint_that_is_cut_short_is_blamed_on_its_sender(sharing: KeySharing) -> None:
    drawn = draw(sharing)
    hints = [sharing.shown(dealt.hint, 5) for dealt in drawn.dealt]
    hints[1] = hints[1][:-1]
    with pytest.raises(InvalidShare) as refused:
        sharing.sums(drawn.secrets[5], hints, CONTEXT)
    assert refused.value.culprits == (2,)


@each_sharing
def test_an_unknown_member_is_refused(sharing: KeySharing) -> None:
    drawn = draw(sharing)
    with pytest.raises(SchemeError):
        drawn.sums(sharing, 5, replace(CONTEXT, members=(1, 2, 6)))


@each_sharing
def test_fresh_keys_do_not_print(sharing: KeySharing) -> None:
    dealt = draw(sharing).dealt[0]
    assert "keys" not in repr(dealt)


# ------------------------------------------------------------------------------------------ what is hidden


@pytest.mark.parametrize(("workers", "threshold"), [(n, m) for n in range(3, 6) for m in range(2, n)])
def test_no_coalition_below_the_threshold_learns_more_of_the_keys_than_their_sum(
    workers: int, threshold: int
) -> None:
    """By linear algebra over Z_p, for all active sets and coalitions with the manager.

    What is unknown are the terms r_{i,T} of the honest members i, where the whole coalition is in T. The
    manager knows every worker's share of the sum. Of all combinations of the honest members' keys, that
    leaves one to be computed, their sum.
    """
    points = range(1, workers + 1)
    _, secrets = subset_keys.deal(points, threshold, rng=insecure_seeded(1))
    factors = [subset_keys.held_keys(point, secrets[point]).factors(P) for point in points]
    for members, coalition in _sets_and_coalitions(workers, threshold):
        honest = [member for member in members if member not in coalition]
        unknown = [
            (member, subset)
            for member in honest
            for subset in combinations(points, threshold - 1)
            if member not in subset and coalition <= {*subset}
        ]
        shares = [[of.get(subset, 0) for _, subset in unknown] for of in factors]
        keys = [[int(dealer == member) for dealer, _ in unknown] for member in honest]
        computable = _rank(shares) + _rank(keys) - _rank(shares + keys)
        assert computable == 1


def _sets_and_coalitions(workers: int, threshold: int) -> Iterator[tuple[set[PartyId], set[PartyId]]]:
    """Give all that leave two members honest: the sum shows a single one anyway."""
    points = range(1, workers + 1)
    for size in range(threshold, workers + 1):
        for members in map(set, combinations(points, size)):
            for colluders in range(threshold):
                for coalition in map(set, combinations(points, colluders)):
                    if len(members - coalition) >= 2:
                        yield members, coalition


def _rank(matrix: Sequence[Sequence[int]]) -> int:
    """Eliminate over Z_p."""
    rows, rank = [list(row) for row in matrix], 0
    for column in range(len(rows[0])):
        pivot = next((at for at in range(rank, len(rows)) if rows[at][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        inverse = pow(rows[rank][column], -1, P)
        for at in range(rank + 1, len(rows)):
            factor = rows[at][column] * inverse
            rows[at] = [(low - factor * high) % P for low, high in zip(rows[at], rows[rank], strict=True)]
        rank += 1
    return rank


def test_threshold_less_one_workers_lack_a_term_that_is_distributed_as_an_error_is() -> None:
    sharing = PseudoRandomKeys(workers=5, threshold=3, degree=2048)
    drawn = draw(sharing)
    dealer, coalition = 1, (2, 5)
    held = [subset_keys.held_keys(point, drawn.secrets[point].secret) for point in coalition]
    known = {subset: function for keys in held for subset, function in keys.of(dealer).items()}
    assert sharing.terms - len(known) == 1
    lacking = drawn.dealt[0].keys.astype(np.int64)
    for row, block in enumerate(CONTEXT.blocks):
        at = inputs(drawn.dealt[0].hint[:8] * 1024, CONTEXT.epoch, block * 1024 + np.arange(1024))
        for function in known.values():
            lacking[row] -= binomial.counts(function.words(at)).astype(np.int64) - binomial.LARGEST
    assert np.abs(lacking).max() <= binomial.LARGEST
    assert abs(lacking.mean()) < 5 * 4 / np.sqrt(lacking.size)
    assert abs((lacking**2).mean() - 16) < 5 * 16 * np.sqrt(2 / lacking.size)


def test_what_is_sealed_to_threshold_less_one_workers_says_nothing_of_a_key() -> None:
    """Chi-square of any combination of two workers' shares against the key's coefficients.

    Interpolated as if two workers were enough, and otherwise combined, the shares fall into 16 classes
    independently of whether the coefficient is below, at or above zero; three workers' shares tell it.
    """
    sharing = SealedKeys(workers=5, threshold=3, degree=2048)
    context = replace(CONTEXT, members=(1,), blocks=range(8))
    drawn = draw(sharing, context)
    shares = {worker: drawn.sums(sharing, worker, context) for worker in (2, 3, 4)}
    sign = np.sign(drawn.dealt[0].keys).reshape(-1)
    z = shamir.lagrange_at_zero([2, 3], P)
    for first, second in [(1, 0), (0, 1), (1, 1), (z[2], z[3])]:
        combined = field.reduce(first * shares[2].astype(np.int64) + second * shares[3].astype(np.int64))
        assert _dependence(combined, sign) < 30 + 5 * np.sqrt(2 * 30)
    assert _dependence(interpolate(shares), sign) > 1_000


def _dependence(elements: field.Elements, sign: NDArray[np.int32]) -> float:
    """Give chi-square of a table of 16 by 3, of 30 degrees of freedom."""
    table = np.histogram2d(elements.reshape(-1), sign, bins=(16, 3), range=[(0, P), (-1.5, 1.5)])[0]
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(((table - expected) ** 2 / np.maximum(expected, 1e-9)).sum())


# ------------------------------------------------------------------------------------------ seals


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(CONTEXT, run=b"another run"),
        replace(CONTEXT, epoch=8),
        replace(CONTEXT, blocks=[2, 3, 12]),
        replace(CONTEXT, members=(3, 2, 4)),
    ],
    ids=["run", "epoch", "block", "sender"],
)
def test_a_sealed_share_opens_in_its_place_only(elsewhere: Context) -> None:
    with pytest.raises(InvalidShare) as refused:
        draw(SEALED).sums(SEALED, 5, elsewhere)
    assert refused.value.culprits[0] == elsewhere.members[0]


def test_a_share_that_is_sealed_to_another_does_not_open() -> None:
    drawn = draw(SEALED)
    with pytest.raises(InvalidShare):
        SEALED.sums(drawn.secrets[5], [SEALED.shown(dealt.hint, 3) for dealt in drawn.dealt], CONTEXT)


@given(at=st.integers(0, 3 * SEALED.shown_bytes - 1), change=st.integers(1, 255))
@settings(max_examples=50, deadline=None)
def test_a_sealed_share_that_was_altered_is_blamed_on_its_sender(at: int, change: int) -> None:
    drawn = draw(SEALED)
    hints = [SEALED.shown(dealt.hint, 5) for dealt in drawn.dealt]
    altered = bytearray(hints[2])
    altered[at] ^= change
    with pytest.raises(InvalidShare) as refused:
        SEALED.sums(drawn.secrets[5], [*hints[:2], bytes(altered)], CONTEXT)
    assert refused.value.culprits == (4,)


def test_a_sealed_word_that_is_no_element_is_blamed_on_its_sender() -> None:
    secrets = draw(SEALED).secrets
    seal = AESGCM(derive(secrets[4].secret[4 * 16 : 5 * 16], b"mdl: seals from 4 to 5 in run"))
    nonce, here = b"once only...", replace(CONTEXT, members=(4,), blocks=[2])
    for word, refused in ((b"\xf0\xff", False), (b"\xf1\xff", True)):
        hint = nonce + seal.encrypt(nonce, word * DEGREE, b"epoch 7, block 2")
        if refused:
            with pytest.raises(InvalidShare) as blamed:
                SEALED.sums(secrets[5], [hint], here)
            assert blamed.value.culprits == (4,)
        else:
            assert (SEALED.sums(secrets[5], [hint], here) == P - 1).all()


@pytest.mark.parametrize("opener", [0, 6, -1])
def test_nothing_is_shown_to_who_has_no_point(opener: PartyId) -> None:
    with pytest.raises(SchemeError):
        SEALED.shown(draw(SEALED).dealt[0].hint, opener)


def test_a_hint_that_is_no_whole_number_of_rows_is_refused() -> None:
    with pytest.raises(InvalidShare):
        SEALED.shown(draw(SEALED).dealt[0].hint[1:], 5)


@pytest.mark.parametrize("points", [(1, 2, 3, 4), (1, 2, 3, 4, 6), (1, 2, 3, 4, 4), (0, 1, 2, 3, 4)])
def test_shares_are_sealed_to_workers_1_to_n(points: Sequence[PartyId]) -> None:
    with pytest.raises(ValueError, match="points must be 1 to 5"):
        SEALED.deal(points, rng=insecure_seeded(1))


def test_fewer_points_than_the_threshold_cannot_be_dealt_to() -> None:
    with pytest.raises(NotEnoughShares):
        SEALED.deal((1, 2), rng=insecure_seeded(1))


@pytest.mark.parametrize(
    "alter",
    [
        lambda public, share: (public, replace(share, point=0)),
        lambda public, share: (public, replace(share, point=6)),
        lambda public, share: (public, replace(share, secret=share.secret[:-1])),
        lambda public, share: (public[:-1], share),
    ],
)
def test_keys_that_do_not_fit_the_digests_are_refused(alter: object) -> None:
    assert callable(alter)
    drawn = draw(SEALED)
    public, share = alter(drawn.public, drawn.secrets[2])
    with pytest.raises(InvalidShare):
        SEALED.check(public, share)


def test_two_workers_hold_one_key_and_each_way_is_sealed_under_another() -> None:
    """What 1 seals to 2 is not what 2 could have sealed to 1."""
    drawn = draw(SEALED, replace(CONTEXT, members=(1,)))
    to_two = SEALED.shown(drawn.dealt[0].hint, 2)
    assert drawn.secrets[1].secret[16:32] == drawn.secrets[2].secret[:16]
    with pytest.raises(InvalidShare):
        SEALED.sums(drawn.secrets[1], [to_two], replace(CONTEXT, members=(2,)))
