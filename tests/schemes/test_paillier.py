"""The scheme keeps the contract; and what the factors, tricks and faults can do, and what they cannot."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpz, powmod
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange, SchemeError
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.packing import Packing
from mdl.schemes.paillier import Paillier
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.safe_primes import safe_prime
from mdl.schemes.threshold import Context
from tests.conformance.threshold_encryption import (
    HIDING,
    SCENARIOS,
    Case,
    Exchange,
    Scenario,
    exchange,
    keys,
    never_the_sum,
    title,
)

WORKERS, THRESHOLD, MEMBERS = 6, 3, 4
N_BYTES = 64


def case(name: str, grid: FixedPoint, block: int) -> Case:
    scheme = Paillier(512, block, THRESHOLD, WORKERS, grid, MEMBERS)
    return Case(name, scheme, block, grid.limit, MEMBERS)


ONE = case("one plaintext, half full", FixedPoint(range=2, fraction_bits=6), 7)
SEVERAL = case("three plaintexts", FixedPoint(range=1 << 31, fraction_bits=20), 23)
CASES = [ONE, SEVERAL]


def paillier(tested: Case) -> Paillier:
    assert isinstance(tested.scheme, Paillier)
    return tested.scheme


def factors(tested: Case) -> tuple[mpz, mpz]:
    """Give p and q: whoever knows what the authority draws first knows them."""
    rng = insecure_seeded(1)
    p, q = safe_prime(256, rng=rng), safe_prime(256, rng=rng)
    assert p * q == modulus_of(tested)
    return p, q


def modulus_of(tested: Case) -> mpz:
    return mpz.from_bytes(keys(tested)[0][:N_BYTES], "big")


def residues(packed: bytes, width: int) -> list[mpz]:
    return [mpz.from_bytes(packed[at : at + width], "big") for at in range(0, len(packed), width)]


def bodies_of(tested: Case, packed: bytes) -> list[mpz]:
    """Give what rows of body hold beside the modulus."""
    width = paillier(tested).body_bytes
    rows = [packed[at : at + width] for at in range(0, len(packed), width)]
    assert {row[:N_BYTES] for row in rows} == {keys(tested)[0][:N_BYTES]}
    return [body for row in rows for body in residues(row[N_BYTES:], 2 * N_BYTES)]


def encrypt(tested: Case, plaintext: list[list[int]], seed: int) -> tuple[bytes, bytes]:
    context = Context(b"run", 1, range(len(plaintext)), members=(1,))
    public_key, key_shares = keys(tested)
    ciphertext = tested.scheme.encrypt(
        public_key, key_shares[1], np.array(plaintext), context, rng=insecure_seeded(seed)
    )
    return ciphertext.body, ciphertext.hint


def answer(tested: Case, hint: bytes, openers: tuple[int, ...] = (1, 2, 3)) -> bytes:
    context = Context(b"run", 1, [0], members=(1,), openers=openers)
    return tested.scheme.decryption_share(keys(tested)[1][1], [hint], context, rng=insecure_seeded(0))


def with_residue(packed: bytes, start: int, width: int, value: mpz) -> bytes:
    return packed[:start] + int(value).to_bytes(width, "big") + packed[start + width :]


@pytest.mark.parametrize("tested", CASES, ids=title)
@pytest.mark.parametrize("scenario", [*SCENARIOS, *HIDING], ids=title)
@given(data=st.data())
@settings(max_examples=6, deadline=None)
def test_paillier_keeps_the_contract(scenario: Scenario, tested: Case, data: st.DataObject) -> None:
    scenario(tested, data)


@pytest.mark.parametrize("members", [(1,), (1, 2, 3, 4)])
def test_a_grid_of_several_lines_opens_the_exact_sum(members: tuple[int, ...]) -> None:
    grid = FixedPoint(range=1 << 31, fraction_bits=20)
    scheme = Paillier(512, 1153, THRESHOLD, WORKERS, grid, MEMBERS)
    assert (scheme.plaintexts, scheme.lines, scheme.columns) == (129, 2, 65)
    rng = insecure_seeded(4)
    public_key, key_shares = scheme.deal(range(1, 7), rng=rng)
    context = Context(b"run", 1, [3, 9], members, openers=(2, 4, 5))
    drawn = np.random.default_rng(0).integers(-grid.limit, grid.limit + 1, (len(members), 2, 1153))
    sent = [scheme.encrypt(public_key, key_shares[1], plain, context, rng=rng) for plain in drawn]
    assert len(sent[0].hint) == 2 * scheme.hint_bytes == 2 * 2 * N_BYTES
    hints = [ciphertext.hint for ciphertext in sent]
    shares = {j: scheme.decryption_share(key_shares[j], hints, context, rng=rng) for j in context.openers}
    body = scheme.add([ciphertext.body for ciphertext in sent], context)
    np.testing.assert_array_equal(scheme.combine(body, shares, context), drawn.sum(axis=0))


def test_the_default_modulus_opens_the_exact_sum() -> None:
    grid = FixedPoint(range=16, fraction_bits=12)
    scheme = Paillier(2048, 98, 2, 3, grid, 2)
    assert (scheme.packing.slots, scheme.body_bytes, scheme.hint_bytes, scheme.share_bytes) == (
        107,
        256 + 512,
        256,
        512,
    )
    rng = insecure_seeded(8)
    public_key, key_shares = scheme.deal((1, 2, 3), rng=rng)
    scheme.check_key_share(public_key, key_shares[3])
    context = Context(b"run", 1, [0], members=(1, 2), openers=(1, 3))
    drawn = np.random.default_rng(0).integers(-grid.limit, grid.limit + 1, (2, 1, 98))
    sent = [scheme.encrypt(public_key, key_shares[1], plain, context, rng=rng) for plain in drawn]
    hints = [ciphertext.hint for ciphertext in sent]
    shares = {j: scheme.decryption_share(key_shares[j], hints, context, rng=rng) for j in (1, 3)}
    body = scheme.add([ciphertext.body for ciphertext in sent], context)
    np.testing.assert_array_equal(scheme.combine(body, shares, context), drawn.sum(axis=0))


@pytest.mark.parametrize("tested", CASES, ids=title)
@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_whoever_knows_the_factors_reads_the_packed_plaintexts(tested: Case, data: st.DataObject) -> None:
    """The known answer: a body to the order of the group of N-th powers is (1 + N)^(M order)."""
    (p, q), N, block = factors(tested), modulus_of(tested), tested.block
    entry = st.integers(-tested.limit, tested.limit)
    entries = data.draw(st.lists(entry, min_size=block, max_size=block))
    body, _ = encrypt(tested, [entries], seed=5)
    packing = Packing(512, paillier(tested).fixed_point, MEMBERS)
    order = (p - 1) // 2 * ((q - 1) // 2)
    for place, c in enumerate(bodies_of(tested, body)):
        opened = powmod(c, order, N * N)
        assert opened % N == 1
        M = (opened - 1) // N * powmod(order, -1, N) % N
        held = entries[place * packing.slots : (place + 1) * packing.slots]
        assert sum((v + tested.limit) << (packing.slot_bits * at) for at, v in enumerate(held)) == M


def test_hints_and_answers_lie_in_the_groups_that_the_proof_is_about() -> None:
    (p, q), N = factors(SEVERAL), modulus_of(SEVERAL)
    order = (p - 1) // 2 * ((q - 1) // 2)
    _, hint = encrypt(SEVERAL, [[0] * SEVERAL.block], seed=6)
    assert {powmod(x, order, N) for x in residues(hint, N_BYTES)} == {1}
    assert {powmod(x, order, N * N) for x in residues(answer(SEVERAL, hint), 2 * N_BYTES)} == {1}
    public = keys(SEVERAL)[0]
    columns = residues(public[2 * N_BYTES :][: 3 * 2 * N_BYTES], 2 * N_BYTES)
    assert {powmod(h, order, N * N) for h in columns} == {1}
    assert len(set(columns)) == 3


def test_the_bytes_are_the_known_ones() -> None:
    """Bytes that change by accident would end every run whose parties are of two versions."""
    body, hint = encrypt(ONE, [[-128, -1, 0, 1, 128, 5, 6]], seed=2)
    told = {
        "public_key": keys(ONE)[0],
        "secret": keys(ONE)[1][1].secret,
        "body": body,
        "hint": hint,
        "answer": answer(ONE, hint),
    }
    assert {name: hashlib.sha256(data).hexdigest()[:32] for name, data in told.items()} == KNOWN


KNOWN = {
    "public_key": "3184c0b7708ccfb6ddf43c87d720eb84",
    "secret": "8954ccf584d34abbe325e84710d01340",
    "body": "fbf1e4fd1852a8ccecc3afff99887401",
    "hint": "89e2fd473bc03bbdf9152c1d01975181",
    "answer": "9948343819e34054e092bec007edceca",
}


@pytest.mark.parametrize("alien", ["one", "minus one", "minus the hint"])
def test_no_hint_makes_an_opener_raise_an_element_of_small_order(alien: str) -> None:
    N = modulus_of(ONE)
    _, hint = encrypt(ONE, [[0] * ONE.block], seed=7)
    value = {"one": mpz(1), "minus one": N - 1, "minus the hint": N - mpz.from_bytes(hint, "big")}[alien]
    answered = answer(ONE, int(value).to_bytes(N_BYTES, "big"))
    expected = answer(ONE, hint) if alien == "minus the hint" else (1).to_bytes(2 * N_BYTES, "big")
    assert answered == expected


def test_a_body_that_was_shifted_shifts_the_sum_and_nothing_tells() -> None:
    context = Context(b"run", 1, [0], members=(1,), openers=(1, 2, 3))
    body, hint = encrypt(ONE, [[1, 2, 3, 4, 5, 6, 7]], seed=1)
    N = modulus_of(ONE)
    (c,) = bodies_of(ONE, body)
    shift = mpz(10) << (2 * paillier(ONE).packing.slot_bits)
    shifted = with_residue(body, N_BYTES, 2 * N_BYTES, c * (1 + shift * N) % (N * N))
    key_shares = keys(ONE)[1]
    shares = {
        j: ONE.scheme.decryption_share(key_shares[j], [hint], context, rng=insecure_seeded(0))
        for j in context.openers
    }
    np.testing.assert_array_equal(ONE.scheme.combine(shifted, shares, context), [[1, 2, 13, 4, 5, 6, 7]])


@pytest.mark.parametrize("tested", CASES, ids=title)
@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_an_answer_that_is_another_power_is_always_noticed(tested: Case, data: st.DataObject) -> None:
    done, N = exchange(tested, data), modulus_of(tested)
    shares = done.shares()
    forger = data.draw(st.sampled_from(done.context.openers))
    own = mpz.from_bytes(shares[forger][: 2 * N_BYTES], "big")
    other = data.draw(st.sampled_from([2, own * 4 % (N * N), powmod(own, 2, N * N), powmod(own, N, N * N)]))
    forged = with_residue(shares[forger], 0, 2 * N_BYTES, mpz(other))
    with pytest.raises(OutOfRange):
        done.open({**shares, forger: forged})


def test_an_answer_that_hides_a_shift_is_taken_for_an_update() -> None:
    """The (1 + N)-part of an answer is not bound to anything: an opener can shift a sum as a member can."""
    public_key, key_shares = keys(ONE)
    context = Context(b"run", 1, [0], members=(2,), openers=(1, 2, 3))
    plaintext = np.arange(1, 8, dtype=np.int64)[None]
    ciphertext = ONE.scheme.encrypt(public_key, key_shares[2], plaintext, context, rng=insecure_seeded(3))
    done, N = Exchange(ONE, context, public_key, key_shares, [plaintext], [ciphertext]), modulus_of(ONE)
    shares = done.shares()
    common, coefficients = paillier(ONE).sharing.lagrange((1, 2, 3))
    inverse = powmod(-common * coefficients[0], -1, N)
    own = mpz.from_bytes(shares[1], "big")
    forged = own * (1 + N * inverse) % (N * N)
    opened = done.open({**shares, 1: int(forged).to_bytes(2 * N_BYTES, "big")})
    np.testing.assert_array_equal(opened - done.sum, [[1, 0, 0, 0, 0, 0, 0]])


@pytest.mark.parametrize("tested", CASES, ids=title)
@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_fewer_than_the_threshold_open_nothing_even_uncounted(tested: Case, data: st.DataObject) -> None:
    done = exchange(tested, data)
    fewer = tuple(sorted(data.draw(st.permutations(done.context.openers))[: THRESHOLD - 1]))
    shares = {opener: done.share(opener) for opener in fewer}
    uncounted = replace(tested, scheme=replace(paillier(tested), threshold=THRESHOLD - 1))
    lesser = replace(done, case=uncounted, context=replace(done.context, openers=fewer))
    never_the_sum(lesser, shares)


@pytest.mark.parametrize("what", ["body", "hint", "share"])
@pytest.mark.parametrize("kind", ["zero", "too large", "no unit"])
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_what_is_no_unit_is_blamed_on_its_sender(what: str, kind: str, data: st.DataObject) -> None:
    done = exchange(SEVERAL, data)
    (p, _), N = factors(SEVERAL), modulus_of(SEVERAL)
    width = N_BYTES if what == "hint" else 2 * N_BYTES
    bound = N if what == "hint" else N * N
    alien = {"zero": mpz(0), "too large": bound, "no unit": p}[kind]
    spoilt = [with_residue(packed_of(done, what), N_BYTES if what == "body" else 0, width, alien)]
    with pytest.raises(InvalidShare) as refused:
        use(done, what, spoilt[0])
    assert refused.value.culprits == (
        done.context.openers[0] if what == "share" else done.context.members[0],
    )


def packed_of(done: Exchange, what: str) -> bytes:
    """Give what the first sender sends."""
    if what == "share":
        return done.share(done.context.openers[0])
    return done.ciphertexts[0].body if what == "body" else done.ciphertexts[0].hint


def use(done: Exchange, what: str, spoilt: bytes) -> None:
    """Use everything as it was sent, but what the first sender sent."""
    first = done.ciphertexts[0]
    if what == "share":
        done.open({**done.shares(), done.context.openers[0]: spoilt})
    elif what == "body":
        _ = replace(done, ciphertexts=[replace(first, body=spoilt), *done.ciphertexts[1:]]).body
    else:
        replace(done, ciphertexts=[replace(first, hint=spoilt), *done.ciphertexts[1:]]).shares()


def test_equal_nonces_would_give_the_difference_of_two_updates_away() -> None:
    N = modulus_of(ONE)
    mine, yours = [[50, 7, 0, 0, 0, 0, 0]], [[20, 3, 0, 0, 0, 0, 0]]
    (a,), (b,) = (bodies_of(ONE, encrypt(ONE, plaintext, seed=9)[0]) for plaintext in (mine, yours))
    difference = (a * powmod(b, -1, N * N) % (N * N) - 1) // N
    assert difference == 30 + (4 << paillier(ONE).packing.slot_bits)


def test_a_body_under_another_modulus_is_blamed_on_its_sender() -> None:
    context = Context(b"run", 1, [0, 1], members=(2, 4, 5))
    body, _ = encrypt(ONE, [[0] * 7] * 2, seed=1)
    foreign = (modulus_of(ONE) - 2).to_bytes(N_BYTES, "big")
    width = len(body) // 2
    renamed = foreign + body[N_BYTES:width] + foreign + body[width + N_BYTES :]
    with pytest.raises(InvalidShare) as refused:
        ONE.scheme.add([body, renamed, body], context)
    assert refused.value.culprits == (4,)
    with pytest.raises(InvalidShare, match="different moduli") as refused:
        ONE.scheme.add([body, foreign + body[N_BYTES:], body], context)
    assert refused.value.culprits == (4,)
    with pytest.raises(InvalidShare, match="no modulus") as refused:
        ONE.scheme.add([body, bytes(width) * 2, body], context)
    assert refused.value.culprits == (4,)


def test_more_members_than_the_proof_allows_are_refused() -> None:
    context = Context(b"run", 1, [0], members=(1, 2, 3, 4, 5), openers=(1, 2, 3))
    body, _ = encrypt(ONE, [[0] * 7], seed=1)
    with pytest.raises(OutOfRange, match="fit for 4 only"):
        ONE.scheme.add([body] * 5, context)
    with pytest.raises(OutOfRange, match="fit for 4 only"):
        ONE.scheme.combine(body, {}, context)


@pytest.mark.parametrize("openers", [(1, 2, 2), (0, 1, 2), (1, 2, 7)])
def test_no_answer_is_given_among_openers_that_are_none(openers: tuple[int, ...]) -> None:
    _, hint = encrypt(ONE, [[0] * 7], seed=1)
    with pytest.raises(SchemeError, match="must be distinct"):
        answer(ONE, hint, openers)


def test_no_answer_is_given_among_fewer_openers_than_the_threshold() -> None:
    _, hint = encrypt(ONE, [[0] * 7], seed=1)
    with pytest.raises(NotEnoughShares):
        answer(ONE, hint, (1, 2))


@pytest.mark.parametrize("points", [(1, 2, 2), (0, 1, 2), (5, 6, 7)])
def test_points_are_distinct_and_among_the_workers(points: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be distinct"):
        ONE.scheme.deal(points, rng=insecure_seeded(0))


@pytest.mark.parametrize(
    "changes",
    [{"block": 0}, {"threshold": 0}, {"members_limit": 0}, {"threshold": 7}, {"members_limit": 2**12}],
)
def test_a_scheme_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"at least 1|slots"):
        replace(paillier(SEVERAL), **changes)


def test_an_answer_says_nothing_about_the_other_openers() -> None:
    _, hint = encrypt(ONE, [[0] * 7], seed=1)
    assert answer(ONE, hint, (1, 2, 3)) == answer(ONE, hint, (1, 4, 5, 6))
