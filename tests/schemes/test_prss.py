from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange, SchemeError
from mdl.party import PartyId
from mdl.schemes import shamir
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.mersenne import PRIME
from mdl.schemes.prf import SALT_BYTES, derive
from mdl.schemes.prss import Prss
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.settings import PrssSettings, Requirements
from mdl.schemes.subset_keys import KEYS_LIMIT, held_keys
from mdl.schemes.threshold import Ciphertext, Context, KeyShare
from mdl.vectors import Integers
from tests.conformance.threshold_encryption import (
    BOUND,
    HIDING,
    POINTS,
    SCENARIOS,
    Case,
    Exchange,
    Scenario,
    exchange,
    keys,
    never_the_sum,
    title,
)

GRID = FixedPoint(range=16, fraction_bits=12)
MEMBERS = 4


def case(block: int, threshold: int, grid: FixedPoint = GRID) -> Case:
    scheme = Prss(block=block, threshold=threshold, fixed_point=grid, members_limit=MEMBERS)
    return Case(f"blocks of {block}, m = {threshold}", scheme, block, grid.limit, MEMBERS)


FULL = FixedPoint(range=(1 << 28) - 1, fraction_bits=0)
CASES = [case(1, 3), case(2, 2), case(3, 5), case(4, 3, FULL), case(6, 4)]
SINGLE = CASES[0]
RNG = insecure_seeded(0)


@pytest.mark.parametrize("tested", CASES, ids=title)
@pytest.mark.parametrize("scenario", [*SCENARIOS, *HIDING, *BOUND], ids=title)
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_prss_keeps_the_contract(scenario: Scenario, tested: Case, data: st.DataObject) -> None:
    scenario(tested, data)


def prss(tested: Case) -> Prss:
    assert isinstance(tested.scheme, Prss)
    return tested.scheme


def random_entries(seed: int, rows: int, block: int = 1) -> Integers:
    return np.random.default_rng(seed).integers(-GRID.limit, GRID.limit + 1, (rows, block))


def encrypted(
    tested: Case, context: Context, plaintexts: Sequence[Integers], seed: int = 5
) -> dict[PartyId, Ciphertext]:
    public_key, key_shares = keys(tested)
    rng = insecure_seeded(seed)
    return {
        member: tested.scheme.encrypt(public_key, key_shares[member], plaintext, context, rng=rng)
        for member, plaintext in zip(context.members, plaintexts, strict=True)
    }


def rows_of(ciphertext: Ciphertext, scheme: Prss, picked: Sequence[int]) -> Ciphertext:
    def pick(packed: bytes, width: int) -> bytes:
        return b"".join(packed[row * width : (row + 1) * width] for row in picked)

    return Ciphertext(pick(ciphertext.body, scheme.body_bytes), pick(ciphertext.hint, scheme.hint_bytes))


def opened(tested: Case, context: Context, ciphertexts: dict[PartyId, Ciphertext]) -> Integers:
    scheme, (_, key_shares) = tested.scheme, keys(tested)
    hints = [ciphertexts[member].hint for member in context.members]
    shares = {
        opener: scheme.decryption_share(key_shares[opener], hints, context, rng=RNG)
        for opener in context.openers
    }
    body = scheme.add([ciphertexts[member].body for member in context.members], context)
    return scheme.combine(body, shares, context)


# What the paper needs of it: a set for every parameter, opened by any m workers.


@pytest.mark.parametrize("block", [1, 2, 3, 4])
def test_every_block_may_have_a_set_and_openers_of_its_own(block: int) -> None:
    tested, blocks = case(block, 3), 60
    plaintexts = {point: random_entries(point, blocks, block) for point in POINTS}
    everything = Context(b"run", 1, range(blocks), members=POINTS)
    uploads = encrypted(tested, everything, list(plaintexts.values()))
    groups = list(zip(combinations(POINTS, 4), combinations(POINTS[::-1], 3), strict=False))
    chosen = np.random.default_rng(0).integers(len(groups), size=blocks)
    for which, (members, openers) in enumerate(groups):
        ids = np.flatnonzero(chosen == which).tolist()
        context = Context(b"run", 1, ids, members, tuple(sorted(openers)))
        some = {member: rows_of(uploads[member], prss(tested), ids) for member in members}
        due = sum(plaintexts[member][ids] for member in members)
        np.testing.assert_array_equal(opened(tested, context, some), due)


@given(again=st.lists(st.booleans(), min_size=20, max_size=20), block=st.sampled_from([1, 2, 4]))
@settings(max_examples=20, deadline=None)
def test_rows_of_two_calls_open_together(again: list[bool], block: int) -> None:
    tested = case(block, 3)
    context = Context(b"run", 1, range(20), members=(1, 4), openers=(2, 3, 5))
    mine, yours = random_entries(1, 20, block), random_entries(2, 20, block)
    first = encrypted(tested, context, [mine, yours])
    second = encrypted(tested, context, [mine, yours], seed=6)
    parts = [rows_of((second if new else first)[1], prss(tested), [row]) for row, new in enumerate(again)]
    mixed = Ciphertext(b"".join(part.body for part in parts), b"".join(part.hint for part in parts))
    np.testing.assert_array_equal(opened(tested, context, {**first, 1: mixed}), mine + yours)


def test_where_all_must_open_no_answer_is_a_members_own_mask() -> None:
    """n = m: the answers add to the masks, and none takes one member's mask off its ciphertext."""
    tested = case(1, len(POINTS))
    context = Context(b"run", 1, [7], members=(2, 3), openers=POINTS)
    uploads = encrypted(tested, context, [np.array([[5]]), np.array([[-7]])])
    assert opened(tested, context, uploads).tolist() == [[-2]]
    hints = [uploads[member].hint for member in context.members]
    for opener in POINTS:
        answer = tested.scheme.decryption_share(keys(tested)[1][opener], hints, context, rng=RNG)
        for member, entry in ((2, 5), (3, -7)):
            bare = np.frombuffer(uploads[member].body, "<u4").astype(np.int64) - np.frombuffer(answer, "<u4")
            assert int(bare[0]) % PRIME != entry % PRIME


# The bytes, by the definition in the module's docstring.


def textbook_mask(
    held: KeyShare, dealer: PartyId, salt: bytes, place: tuple[int, int, int]
) -> dict[Any, int]:
    """F(K_{dealer,T}, input) for all T without the two; the place is an epoch, a position and a word."""
    epoch, position, word = place
    block = salt + epoch.to_bytes(4, "little") + position.to_bytes(4, "little")
    values = {}
    for subset, key in held_keys(held.point, held.secret).keys.items():
        if dealer not in subset:
            own = algorithms.AES(derive(key, f"mdl: keys of dealer {dealer}".encode()))
            cipher = Cipher(own, modes.ECB())  # noqa: S305
            output = cipher.encryptor().update(block)
            values[subset] = int.from_bytes(output[4 * word : 4 * word + 4], "little", signed=True)
    return values


@pytest.mark.parametrize(
    ("block", "place"), [(1, (9, 3, 2)), (2, (9, 7, 1)), (4, (9, 14, 1)), (6, (9, 28, 1))]
)
def test_bodies_and_shares_are_the_textbooks(block: int, place: tuple[int, int, int]) -> None:
    tested = case(block, 3)
    context = Context(b"run", 9, [14], members=(1, 4), openers=(2, 4, 5))
    plaintexts = [random_entries(1, 1, block), random_entries(2, 1, block)]
    uploads = encrypted(tested, context, plaintexts)
    (_, key_shares), entry = keys(tested), 1 if block > 1 else 0
    for (member, upload), plaintext in zip(uploads.items(), plaintexts, strict=True):
        mask = sum(textbook_mask(key_shares[member], member, upload.hint, place).values())
        body = np.frombuffer(upload.body, "<u4")
        assert body[entry] == (int(plaintext[0, entry]) + mask) % PRIME
    share = tested.scheme.decryption_share(
        key_shares[4], [upload.hint for upload in uploads.values()], context, rng=RNG
    )
    factors = held_keys(4, key_shares[4].secret).factors(PRIME)
    due = sum(
        factors[subset] * value
        for member, upload in uploads.items()
        for subset, value in textbook_mask(key_shares[4], member, upload.hint, place).items()
    )
    z = shamir.lagrange_at_zero(context.openers, PRIME)[4]
    assert np.frombuffer(share, "<u4")[entry] == z * due % PRIME


# Who learns what.


@pytest.mark.parametrize("tested", CASES, ids=title)
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_fewer_than_the_threshold_open_nothing_even_uncounted(tested: Case, data: st.DataObject) -> None:
    threshold = tested.scheme.threshold
    done = exchange(tested, data)
    fewer = tuple(data.draw(st.permutations(POINTS))[: threshold - 1])
    context = replace(done.context, openers=tuple(sorted(fewer)))
    uncounted = replace(tested, scheme=replace(prss(tested), threshold=threshold - 1))
    lesser = replace(done, case=uncounted, context=context)
    never_the_sum(lesser, lesser.shares())


DEALS, ROWS, BUCKETS = 25, 80, 16
UNLIKELY = 44.3
"""What a sum of squares over 15 degrees of freedom exceeds once in 10,000 times; the seeds are fixed."""


def unknown_part(values: tuple[int, int], seed: int, colluders: Sequence[PartyId]) -> NDArray[np.int64]:
    """What is left of worker 1's bodies when colluders have subtracted all they know of its masks.

    Keys are fresh, m = 2 of n = 3, and the sum over workers 1 and 2 is opened: the answers tell nothing but
    that sum, as worker 3 computes them from it and its own.
    """
    scheme = Prss(block=1, threshold=2, fixed_point=GRID, members_limit=2)
    rng = insecure_seeded(seed)
    public_key, key_shares = scheme.deal((1, 2, 3), rng=rng)
    context = Context(b"run", 1, range(ROWS), members=(1, 2), openers=(1, 3))
    uploads = [
        scheme.encrypt(public_key, key_shares[victim], np.full((ROWS, 1), value), context, rng=rng)
        for victim, value in zip(context.members, values, strict=True)
    ]
    hints, bodies = [upload.hint for upload in uploads], [upload.body for upload in uploads]
    shares = {
        opener: scheme.decryption_share(key_shares[opener], hints, context, rng=rng)
        for opener in context.openers
    }
    assert (scheme.combine(scheme.add(bodies, context), shares, context) == sum(values)).all()
    known = np.zeros(ROWS, np.int64)
    for row in range(ROWS):
        masks: dict[Any, int] = {}
        for colluder in colluders:
            masks |= textbook_mask(key_shares[colluder], 1, hints[0][:SALT_BYTES], (1, row // 4, row % 4))
        known[row] = sum(masks.values())
    left: NDArray[np.int64] = (np.frombuffer(bodies[0], "<u4") - known) % PRIME
    return left


@pytest.mark.parametrize("values", [(0, 0), (50_000, -50_000), (-65_536, 65_536)])
def test_of_entries_with_one_sum_the_manager_and_m_minus_1_colluders_see_the_same(
    values: tuple[int, int],
) -> None:
    left = np.concatenate([unknown_part(values, seed, [3]) for seed in range(DEALS)])
    counts = np.bincount(left * BUCKETS // PRIME, minlength=BUCKETS)
    due = DEALS * ROWS / BUCKETS
    assert ((counts - due) ** 2 / due).sum() < UNLIKELY


def test_m_colluders_read_everything() -> None:
    assert (unknown_part((50_000, -50_000), 0, [2, 3]) == 50_000).all()


def test_the_same_entries_are_masked_afresh_in_every_call() -> None:
    context = Context(b"run", 1, range(500), members=(1,))
    entries = random_entries(1, 500)
    bodies = [np.frombuffer(encrypted(SINGLE, context, [entries], seed)[1].body, "<u4") for seed in (1, 2)]
    assert not (bodies[0] == bodies[1]).any()


class StuckRandomness:
    """Draws the same salt again and again."""

    def bytes(self, count: int, /) -> Any:
        return b"\x07" * count

    def below(self, bound: int, /) -> int:
        return bound - 1


def test_equal_salts_would_give_the_difference_of_two_gradients_away() -> None:
    public_key, key_shares = keys(SINGLE)
    context = Context(b"run", 1, range(3))
    mine, yours = np.array([[50], [-7], [0]]), np.array([[20], [30], [0]])
    first, second = (
        np.frombuffer(
            SINGLE.scheme.encrypt(public_key, key_shares[1], plain, context, rng=StuckRandomness()).body,
            "<u4",
        ).astype(np.int64)
        for plain in (mine, yours)
    )
    assert ((first - second) % PRIME).tolist() == [30, PRIME - 37, 0]


# What is wrong, and what is noticed of it.


def altered(packed: bytes, row: int, shift: int) -> bytes:
    values = np.frombuffer(packed, "<u4").astype(np.int64)
    values[row] = (values[row] + shift) % PRIME
    return values.astype("<u4").tobytes()


@pytest.mark.parametrize("shift", [1, -5])
def test_a_small_shift_of_a_share_goes_unnoticed(shift: int) -> None:
    done = two_rows()
    shares = done.shares()
    wrong = {**shares, 2: altered(shares[2], 0, shift)}
    np.testing.assert_array_equal(done.open(wrong), done.sum - [[shift], [0]])


def test_a_random_shift_goes_unnoticed_as_often_as_announced() -> None:
    grid = FixedPoint(range=1 << 26, fraction_bits=0)
    tested, tries = case(1, 3, grid), 2000
    done = two_rows(tested, members=(1, 2, 3, 4))
    shares, shifts = done.shares(), np.random.default_rng(0).integers(1, PRIME, tries)
    unnoticed = 0
    for shift in shifts.tolist():
        try:
            done.open({**shares, 2: altered(shares[2], 0, shift)})
        except OutOfRange:
            continue
        unnoticed += 1
    announced = (2 * grid.bound(4) + 1) / PRIME
    # Five standard deviations: once in a million.
    assert abs(unnoticed - announced * tries) < 5 * (announced * tries) ** 0.5


def two_rows(tested: Case = SINGLE, members: tuple[PartyId, ...] = (1, 4)) -> Exchange:
    context = Context(b"run", 1, range(2), members=members, openers=(2, 3, 5))
    plaintexts = [np.zeros((2, tested.block), np.int64) for _ in members]
    uploads = encrypted(tested, context, plaintexts)
    return Exchange(tested, context, *keys(tested), plaintexts, list(uploads.values()))


@pytest.mark.parametrize("entry", [PRIME, (1 << 32) - 1])
@pytest.mark.parametrize("what", ["body", "share", "rebased share"])
def test_an_entry_that_is_no_residue_is_blamed_on_its_sender(what: str, entry: int) -> None:
    done, alien = two_rows(), np.array([0, entry], "<u4").tobytes()
    refuse(done, what, alien)


@pytest.mark.parametrize("what", ["body", "share", "rebased share", "hint"])
@pytest.mark.parametrize("length", [0, 7, 12])
def test_what_has_another_length_is_blamed_on_its_sender(what: str, length: int) -> None:
    refuse(two_rows(), what, bytes(length))


def refuse(done: Exchange, what: str, alien: bytes) -> None:
    """Put alien bytes in the place of what worker 4 or opener 5 sends, and have it blamed."""
    scheme, context, shares = done.case.scheme, done.context, done.shares()
    spoilt = replace(done, ciphertexts=[done.ciphertexts[0], Ciphertext(alien, alien)])
    uses: dict[str, Callable[[], object]] = {
        "body": lambda: spoilt.body,
        "hint": lambda: spoilt.share(5),
        "share": lambda: done.open({**shares, 5: alien}),
        "rebased share": lambda: scheme.rebase(alien, 5, context, (1, 5, 6)),
    }
    with pytest.raises(InvalidShare) as refused:
        uses[what]()
    assert refused.value.culprits == (4 if what in ("body", "hint") else 5,)


def test_a_sum_of_ones_own_that_is_malformed_is_blamed_on_nobody() -> None:
    done = two_rows()
    with pytest.raises(InvalidShare) as refused:
        done.case.scheme.combine(b"", done.shares(), done.context)
    assert refused.value.culprits == ()


def test_no_answer_is_given_among_fewer_openers_than_the_threshold() -> None:
    done = two_rows()
    with pytest.raises(NotEnoughShares):
        done.share(2, replace(done.context, openers=(2, 3)))


@pytest.mark.parametrize("openers", [(1, 2, 2), (0, 1, 2), (-1, 1, 2)])
def test_no_answer_is_given_among_openers_that_are_none(openers: tuple[int, ...]) -> None:
    done = two_rows()
    with pytest.raises(SchemeError, match="points must be"):
        done.share(2, replace(done.context, openers=openers))


def test_no_answer_is_given_for_members_without_keys() -> None:
    done = two_rows()
    with pytest.raises(SchemeError, match="worker 9 has no keys"):
        done.share(2, replace(done.context, members=(1, 9)))


def test_more_members_than_the_proof_allows_are_refused() -> None:
    context = Context(b"run", 1, [0], members=(1, 2, 3, 4, 5), openers=(1, 2, 3))
    with pytest.raises(OutOfRange, match="5 members"):
        SINGLE.scheme.add([b""] * 5, context)
    with pytest.raises(OutOfRange, match="5 members"):
        SINGLE.scheme.combine(b"", {}, context)


def test_nothing_is_summed_to_nothing() -> None:
    context = Context(b"run", 1, [], members=(1, 4), openers=(2, 3, 5))
    nothing = np.zeros((0, 1), np.int64)
    assert opened(SINGLE, context, encrypted(SINGLE, context, [nothing, nothing])).shape == (0, 1)


@pytest.mark.parametrize("field", ["block", "threshold", "members_limit"])
def test_a_scheme_without_sense_is_refused(field: str) -> None:
    changed: Any = {field: 0}
    with pytest.raises(ValueError, match="at least 1"):
        replace(prss(SINGLE), **changed)


def test_sums_that_do_not_fit_are_refused() -> None:
    assert 2 * FULL.bound(MEMBERS) + 1 <= PRIME < 2 * FixedPoint(1 << 28, 0).bound(MEMBERS) + 1
    with pytest.raises(ValueError, match=r"with 0 fraction bits system\.range may be at most"):
        case(1, 3, FixedPoint(range=1 << 28, fraction_bits=0))


# Its table.


def wanted(*, workers: int = 8, threshold: int = 4, members: int = 8, block: int = 1) -> Requirements:
    return Requirements(workers=workers, threshold=threshold, members=members, block=block, fixed_point=GRID)


def test_the_table_builds_the_scheme() -> None:
    assert PrssSettings().problems(wanted()) == []
    assert PrssSettings().build(wanted(block=3)) == Prss(3, 4, GRID, 8)
    assert (PrssSettings().security_bits, PrssSettings().heavy) == (128, False)
    assert not PrssSettings().members_first


@pytest.mark.parametrize(
    ("workers", "threshold", "keys_each", "fitting"), [(16, 8, "6,435", 4), (46, 4, "14,190", 3)]
)
def test_too_many_keys_are_refused_with_a_threshold_that_fits(
    workers: int, threshold: int, keys_each: str, fitting: int
) -> None:
    (problem,) = PrssSettings().problems(wanted(workers=workers, threshold=threshold))
    assert keys_each in problem
    assert f"{KEYS_LIMIT:,}" in problem
    assert "rlwe" in problem
    assert f"or a system.threshold of at most {fitting} (here m = {threshold})" in problem
    assert PrssSettings().problems(wanted(workers=workers, threshold=fitting)) == []
    assert PrssSettings().problems(wanted(workers=workers, threshold=fitting + 1)) != []
    with pytest.raises(ValueError, match="keys"):
        PrssSettings().build(wanted(workers=workers, threshold=threshold))


def test_a_threshold_that_protects_nobody_is_not_advised() -> None:
    (problem,) = PrssSettings().problems(wanted(workers=64, threshold=3))
    assert problem.endswith('or "elgamal"')


def test_sums_that_do_not_fit_are_a_problem() -> None:
    (problem,) = PrssSettings().problems(wanted(workers=100_000, threshold=1, members=100_000))
    assert "fraction bits system.range may be at most" in problem


def test_a_scheme_for_nobody_is_a_problem() -> None:
    (problem,) = PrssSettings().problems(wanted(threshold=0))
    assert "must be at least 1, not 0" in problem


def test_it_is_described_with_its_assumption_and_its_capacity() -> None:
    assert PrssSettings().describe(wanted()) == (
        "Masks from a pseudo-random function alone, AES-128 under 35 keys a worker (128 bits of security, "
        "post-quantum): every parameter has an active set of its own, opened by any 4 workers. Sums reach "
        "524,288, of 1,073,741,823 that a mask has room for."
    )
    assert "every 4 parameters have an active set" in PrssSettings().describe(wanted(block=4))


@pytest.mark.parametrize("tested", CASES, ids=title)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_many_requests_are_answered_together_as_one_by_one(tested: Case, data: st.DataObject) -> None:
    """Groups of scattered blocks with sets, salts and openers of their own; a member may occur in several."""
    scheme, (_, key_shares) = prss(tested), keys(tested)
    me = data.draw(st.sampled_from(POINTS))
    numbers = data.draw(st.permutations(range(30)))
    cuts = sorted(data.draw(st.sets(st.integers(1, 29), min_size=1, max_size=4)))
    requests = []
    for first, last in zip([0, *cuts], [*cuts, 30], strict=True):
        blocks = sorted(numbers[first:last])
        others = [point for point in POINTS if point != me]
        context = Context(
            b"run",
            7,
            blocks,
            members=tuple(sorted(data.draw(st.permutations(POINTS))[:MEMBERS])),
            openers=tuple(sorted([me, *data.draw(st.permutations(others))[: tested.scheme.threshold - 1]])),
        )
        salts = data.draw(st.lists(st.binary(min_size=8, max_size=8), min_size=4, max_size=4))
        requests.append(([salt * len(blocks) for salt in salts], context))
    together = scheme.decryption_shares(key_shares[me], requests)
    rng = insecure_seeded(0)
    one_by_one = [
        scheme.decryption_share(key_shares[me], hints, context, rng=rng) for hints, context in requests
    ]
    assert list(together) == one_by_one
