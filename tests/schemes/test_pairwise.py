from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange, SchemeError
from mdl.party import PartyId
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.pairwise import Pairwise
from mdl.schemes.prf import KEY_BYTES, Prf, inputs
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.settings import PairwiseSettings, Requirements
from mdl.schemes.threshold import Ciphertext, Context, KeyShare
from mdl.vectors import Integers
from tests.conformance.threshold_encryption import (
    BOUND,
    KEYED,
    POINTS,
    SCENARIOS,
    Case,
    Scenario,
    exchange,
    keys,
    never_the_sum,
    title,
)

GRID = FixedPoint(range=16, fraction_bits=12)
LEAST, MEMBERS = 3, 5


def case(block: int, grid: FixedPoint = GRID) -> Case:
    scheme = Pairwise(block=block, members_least=LEAST, fixed_point=grid, members_limit=MEMBERS)
    return Case(f"blocks of {block}, ±{grid.limit}", scheme, block, grid.limit, MEMBERS, LEAST)


FOUR_BYTES = FixedPoint(range=((1 << 31) - 1) // MEMBERS, fraction_bits=0)
EIGHT_BYTES = FixedPoint(range=((1 << 31) - 1) // MEMBERS + 1, fraction_bits=0)
WIDEST = FixedPoint(range=((1 << 53) - 1) // MEMBERS, fraction_bits=0)
CASES = [case(1), case(3), case(2, FOUR_BYTES), case(2, EIGHT_BYTES), case(5, WIDEST)]
SINGLE = CASES[0]
RNG = insecure_seeded(0)


@pytest.mark.parametrize("tested", CASES, ids=title)
@pytest.mark.parametrize("scenario", [*SCENARIOS, *KEYED, *BOUND], ids=title)
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_pairwise_keeps_the_contract(scenario: Scenario, tested: Case, data: st.DataObject) -> None:
    scenario(tested, data)


def uploaded(
    context: Context, plaintexts: Sequence[Integers], tested: Case = SINGLE
) -> dict[PartyId, Ciphertext]:
    public_key, key_shares = keys(tested)
    return {
        member: tested.scheme.encrypt(public_key, key_shares[member], plaintext, context, rng=RNG)
        for member, plaintext in zip(context.members, plaintexts, strict=True)
    }


def entries_of(ciphertext: Ciphertext) -> NDArray[np.int64]:
    return np.frombuffer(ciphertext.body, "<u4").astype(np.int64)


# The bytes, by the definition in the module's docstring.


def pair_words(own: KeyShare, peer: PartyId, public_key: bytes, context: Context) -> NDArray[np.uint32]:
    """The words that a pair shares at positions 0 and 1, by the standards' functions alone."""
    rows = [public_key[at : at + 34] for at in range(0, len(public_key), 34)]
    public = {int.from_bytes(row[:2], "big"): row[2:] for row in rows}
    private = X25519PrivateKey.from_private_bytes(own.secret)
    secret = private.exchange(X25519PublicKey.from_public_bytes(public[peer]))
    lower, higher = sorted((own.point, peer))
    info = b"mdl: masks of a pair" + bytes([0, lower, 0, higher]) + context.run
    key = HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(secret)
    return Prf(key).words(inputs(bytes(16), context.epoch, np.array([0, 1])))


@pytest.mark.parametrize("member", [1, 3, 6])
def test_bodies_are_the_textbooks(member: PartyId) -> None:
    context = Context(b"some run", 7, [1, 2, 3, 5], members=(1, 3, 6))
    plaintext = np.array([[5], [-1], [65_536], [0]])
    public_key, key_shares = keys(SINGLE)
    body = SINGLE.scheme.encrypt(public_key, key_shares[member], plaintext, context, rng=RNG).body
    due = plaintext.reshape(-1).copy()
    for peer in set(context.members) - {member}:
        words = pair_words(key_shares[member], peer, public_key, context)[[1, 2, 3, 5]].astype(np.int64)
        due += words if peer > member else -words
    assert (np.frombuffer(body, "<u4") == due % (1 << 32)).all()


def test_words_have_four_bytes_where_the_sums_allow() -> None:
    assert [tested.scheme.body_bytes // tested.block for tested in CASES] == [4, 4, 4, 8, 8]
    assert 2 * FOUR_BYTES.bound(MEMBERS) + 1 <= 1 << 32 < 2 * EIGHT_BYTES.bound(MEMBERS) + 1


@pytest.mark.parametrize("block", [1, 4, 40_000])
def test_many_entries_are_summed_as_exactly_as_few(block: int) -> None:
    rows = 40_000 // block
    context = Context(b"run", 1, range(5, 5 + rows), members=(2, 4, 5))
    random = np.random.default_rng(0)
    plaintexts = [random.integers(-GRID.limit, GRID.limit + 1, (rows, block)) for _ in context.members]
    uploads = uploaded(context, plaintexts, case(block))
    scheme = case(block).scheme
    body = scheme.add([upload.body for upload in uploads.values()], context)
    np.testing.assert_array_equal(scheme.combine(body, {}, context), sum(plaintexts))


def test_it_draws_nothing_and_both_ends_of_a_run_agree() -> None:
    context = Context(b"run", 1, range(3), members=(1, 2, 3))
    plaintexts = [np.full((3, 1), value) for value in (1, 2, 3)]
    assert uploaded(context, plaintexts) == uploaded(context, plaintexts)


# Who learns what.

UNLIKELY, BUCKETS, DEALS, ROWS = 44.3, 16, 25, 80
"""`UNLIKELY`: what a sum of squares over 15 degrees of freedom exceeds once in 10,000 times."""


def unknown_part(values: tuple[int, int, int], seed: int, colluders: Sequence[PartyId]) -> NDArray[np.int64]:
    """What is left of worker 1's bodies when colluding members have subtracted the masks that they know.

    Keys are fresh, and the sum over workers 1, 2 and 3 is known.
    """
    scheme = Pairwise(block=1, members_least=3, fixed_point=GRID, members_limit=3)
    public_key, key_shares = scheme.deal((1, 2, 3), rng=insecure_seeded(seed))
    context = Context(b"run", 1, range(ROWS), members=(1, 2, 3))
    bodies = [
        scheme.encrypt(public_key, key_shares[member], np.full((ROWS, 1), value), context, rng=RNG).body
        for member, value in zip(context.members, values, strict=True)
    ]
    assert (scheme.combine(scheme.add(bodies, context), {}, context) == sum(values)).all()
    left = np.frombuffer(bodies[0], "<u4").astype(np.int64)
    zeros = np.zeros((ROWS, 1), np.int64)
    for colluder in colluders:
        # A set of the two has one mask, which the colluder makes as well, with the other sign.
        pair = replace(context, members=(1, colluder))
        alone = replace(scheme, members_least=2)
        mask = alone.encrypt(public_key, key_shares[colluder], zeros, pair, rng=RNG).body
        left += np.frombuffer(mask, "<u4")
    return left % (1 << 32)


@pytest.mark.parametrize("values", [(0, 0, 9), (50_000, -50_000, 9), (-65_536, 65_536, 9)])
def test_of_entries_with_one_sum_the_manager_and_a_member_see_the_same(
    values: tuple[int, int, int],
) -> None:
    left = np.concatenate([unknown_part(values, seed, [3]) for seed in range(DEALS)])
    counts = np.bincount(left * BUCKETS >> 32, minlength=BUCKETS)
    due = DEALS * ROWS / BUCKETS
    assert ((counts - due) ** 2 / due).sum() < UNLIKELY


def test_all_other_members_read_what_the_sum_shows_them_anyway() -> None:
    assert (unknown_part((50_000, 1, 2), 0, [2, 3]) == 50_000).all()


def test_a_second_body_for_the_same_epoch_and_block_would_give_a_difference_away() -> None:
    context = Context(b"run", 1, range(3), members=(1, 2, 3))
    plaintexts = [np.zeros((3, 1), np.int64)] * 3
    first = entries_of(uploaded(context, plaintexts)[1])
    again = entries_of(uploaded(context, [np.array([[5], [-7], [0]]), *plaintexts[1:]])[1])
    assert ((again - first) % (1 << 32)).tolist() == [5, (1 << 32) - 7, 0]


@pytest.mark.parametrize("change", [{"run": b"other"}, {"epoch": 2}, {"members": (1, 2, 4)}])
def test_masks_depend_on_run_epoch_and_set(change: dict[str, Any]) -> None:
    context = Context(b"run", 1, range(200), members=(1, 2, 3))
    plaintexts = [np.zeros((200, 1), np.int64)] * 3
    bodies = [entries_of(uploaded(c, plaintexts)[1]) for c in (context, replace(context, **change))]
    assert not (bodies[0] == bodies[1]).any()


# What is wrong, and what is noticed of it.


@pytest.mark.parametrize("members", [(1, 2), (2, 3, 4), (1, 2, 2), (1, 1, 2, 3)])
def test_a_worker_encrypts_for_no_set_but_a_large_enough_one_with_itself(members: tuple[int, ...]) -> None:
    public_key, key_shares = keys(SINGLE)
    context = Context(b"run", 1, [0], members=members)
    with pytest.raises(SchemeError):
        SINGLE.scheme.encrypt(public_key, key_shares[1], np.array([[1]]), context, rng=RNG)


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_a_missing_body_voids_the_sum(data: st.DataObject) -> None:
    done = exchange(SINGLE, data, least=LEAST + 1)
    lost = data.draw(st.integers(0, len(done.context.members) - 1))
    members = tuple(m for at, m in enumerate(done.context.members) if at != lost)
    rest = replace(
        done,
        context=replace(done.context, members=members),
        plaintexts=[x for at, x in enumerate(done.plaintexts) if at != lost],
        ciphertexts=[c for at, c in enumerate(done.ciphertexts) if at != lost],
    )
    never_the_sum(rest, rest.shares())


def test_a_missing_body_is_noticed_but_for_chance() -> None:
    rows = 1000
    context = Context(b"run", 1, range(rows), members=(1, 2, 3, 4))
    uploads = uploaded(context, [np.zeros((rows, 1), np.int64)] * 4)
    three = replace(context, members=(1, 2, 3))
    body = SINGLE.scheme.add([uploads[member].body for member in three.members], three)
    with pytest.raises(OutOfRange):
        SINGLE.scheme.combine(body, {}, three)
    # Entry by entry it would go unnoticed where what is left is small: (2 bound + 1) / 2^32 of the time.
    total = np.frombuffer(body, "<i4")
    assert (np.abs(total) <= GRID.bound(3)).sum() <= 2


@pytest.mark.parametrize("shift", [1, -5])
def test_a_small_error_in_a_body_goes_unnoticed(shift: int) -> None:
    context = Context(b"run", 1, range(2), members=(1, 2, 3))
    uploads = uploaded(context, [np.zeros((2, 1), np.int64)] * 3)
    entries = entries_of(uploads[2])
    entries[0] += shift
    wrong = [uploads[1].body, (entries % (1 << 32)).astype("<u4").tobytes(), uploads[3].body]
    assert SINGLE.scheme.combine(SINGLE.scheme.add(wrong, context), {}, context).tolist() == [[shift], [0]]


def test_who_has_no_public_key_is_blamed() -> None:
    public_key, key_shares = keys(SINGLE)
    context = Context(b"run", 1, [0], members=(1, 2, 9))
    with pytest.raises(InvalidShare) as refused:
        SINGLE.scheme.encrypt(public_key, key_shares[1], np.array([[1]]), context, rng=RNG)
    assert refused.value.culprits == (9,)


def test_a_public_key_that_makes_no_secret_is_blamed_on_its_owner() -> None:
    public_key, key_shares = keys(SINGLE)
    worthless = public_key.replace(public_key[34 + 2 : 2 * 34], bytes(32))
    context = Context(b"run", 1, [0], members=(1, 2, 3))
    with pytest.raises(InvalidShare) as refused:
        SINGLE.scheme.encrypt(worthless, key_shares[1], np.array([[1]]), context, rng=RNG)
    assert refused.value.culprits == (2,)


def test_malformed_keys_are_refused() -> None:
    public_key, key_shares = keys(SINGLE)
    for spoilt in (public_key[:-1], public_key[34:], b""):
        with pytest.raises(InvalidShare):
            SINGLE.scheme.check_key_share(spoilt, key_shares[1])
    with pytest.raises(InvalidShare):
        SINGLE.scheme.check_key_share(public_key, KeyShare(1, key_shares[1].secret[:-1]))


@pytest.mark.parametrize("points", [(0, 1, 2), (1, 1, 2), (1, 2, 1 << 16)])
def test_points_that_are_none_are_refused(points: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="points must be"):
        SINGLE.scheme.deal(points, rng=RNG)


def test_a_share_with_bytes_in_it_is_refused() -> None:
    context = Context(b"run", 1, [0], members=(1, 2, 3), openers=(3,))
    with pytest.raises(InvalidShare) as refused:
        SINGLE.scheme.combine(bytes(4), {3: b"x"}, context)
    assert refused.value.culprits == (3,)


def test_shares_of_others_than_the_openers_are_refused() -> None:
    with pytest.raises(NotEnoughShares):
        SINGLE.scheme.combine(bytes(4), {1: b""}, Context(b"run", 1, [0], members=(1, 2, 3)))


def test_a_sum_of_ones_own_that_is_malformed_is_blamed_on_nobody() -> None:
    with pytest.raises(InvalidShare) as refused:
        SINGLE.scheme.combine(b"", {}, Context(b"run", 1, [0], members=(1, 2, 3)))
    assert refused.value.culprits == ()


def test_more_members_than_the_proof_allows_are_refused() -> None:
    context = Context(b"run", 1, [0], members=POINTS)
    for refuse in (
        lambda: SINGLE.scheme.add([b""] * 6, context),
        lambda: SINGLE.scheme.combine(b"", {}, context),
        lambda: uploaded(context, [np.zeros((1, 1), np.int64)] * 6),
    ):
        with pytest.raises(OutOfRange, match="6 members"):
            refuse()


@pytest.mark.parametrize("field", ["block", "members_least", "members_limit"])
def test_a_scheme_without_sense_is_refused(field: str) -> None:
    changed: Any = {field: 0}
    with pytest.raises(ValueError, match="at least 1"):
        replace(pairwise(SINGLE), **changed)


def pairwise(tested: Case) -> Pairwise:
    assert isinstance(tested.scheme, Pairwise)
    return tested.scheme


def test_sums_that_are_not_exact_are_refused() -> None:
    with pytest.raises(ValueError, match=r"with 0 fraction bits system\.range may be at most"):
        case(1, FixedPoint(range=WIDEST.limit + 1, fraction_bits=0))


# Its table.


def wanted(*, threshold: int = 4, members: int = 8, grid: FixedPoint = GRID) -> Requirements:
    return Requirements(workers=8, threshold=threshold, members=members, block=3, fixed_point=grid)


def test_the_table_builds_the_scheme() -> None:
    assert PairwiseSettings().problems(wanted()) == []
    assert PairwiseSettings().build(wanted()) == Pairwise(3, 4, GRID, 8)
    assert PairwiseSettings().members_first
    assert (PairwiseSettings().security_bits, PairwiseSettings().heavy) == (128, False)


@pytest.mark.parametrize(
    ("problem", "required"),
    [
        ("must be at least 1, not 0", wanted(threshold=0)),
        ("fraction bits system.range may be at most", wanted(grid=FixedPoint(1 << 19, 32))),
        ("smaller than the smallest, of 4", wanted(members=3)),
    ],
)
def test_what_cannot_be_built_is_a_problem(problem: str, required: Requirements) -> None:
    (found,) = PairwiseSettings().problems(required)
    assert problem in found
    with pytest.raises(ValueError, match=problem):
        PairwiseSettings().build(required)


def test_it_is_described_with_its_assumption_and_what_it_needs() -> None:
    assert PairwiseSettings().describe(wanted()) == (
        "Masks between every two members that cancel in the sum, from AES-128 under keys by X25519 (128 bits "
        "of security, not post-quantum): at least 4 members, known before they encrypt, of whom each must "
        "deliver. "
        "Sums reach 524,288, exact in integers."
    )
