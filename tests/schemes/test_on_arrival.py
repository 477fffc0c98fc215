"""Shares on arrival: what the manager holds after every arrival, element for element."""

import pickle
from collections.abc import Sequence

import numpy as np
import pytest
from gmpy2 import mpz, powmod
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import InvalidShare, NotEnoughShares
from mdl.schemes.elgamal import ElGamal
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.groups import modular_group
from mdl.schemes.on_arrival import (
    Arrived,
    encrypt_keeping,
    open_sets,
    questions,
    raise_to_nonces,
    raise_to_share,
    seat,
)
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.shamir import lagrange_at_zero
from mdl.schemes.threshold import Context

BLOCK, THRESHOLD, POINTS = 2, 3, range(1, 7)
SCHEME = ElGamal("insecure_schnorr96", "lifted", BLOCK, THRESHOLD, FixedPoint(2, 6), members_limit=6)
GROUP = modular_group(SCHEME.group)
PUBLIC_KEY, KEY_SHARES = SCHEME.deal(POINTS, rng=insecure_seeded(1))


def arrive(state: Arrived, worker: int, value: int) -> tuple[Arrived, list[int]]:
    """Play both halves of one arrival to one block; give the state after it, and the nonces."""
    context = Context(b"run", 1, [0])
    plaintext = np.full((1, BLOCK), value)
    upload, nonces = encrypt_keeping(
        SCHEME, PUBLIC_KEY, KEY_SHARES[worker], plaintext, context, rng=insecure_seeded(worker)
    )
    shown, own = questions(SCHEME, PUBLIC_KEY, worker, [state], upload.hint)
    raised = raise_to_nonces(SCHEME, shown, [len(state.members)], nonces)
    answer = raise_to_share(SCHEME, KEY_SHARES[worker], own, 1)
    return seat(SCHEME, worker, [state], upload, raised=raised, own=answer)[0], nonces[0]


def power(exponent: int) -> mpz:
    return GROUP.canonical(powmod(GROUP.g, exponent, GROUP.p))


def secret(worker: int) -> int:
    return int.from_bytes(KEY_SHARES[worker].secret, "big")


@given(order=st.permutations(POINTS), values=st.lists(st.integers(-100, 100), min_size=6, max_size=6))
@settings(max_examples=30, deadline=None)
def test_after_every_arrival_each_answer_is_that_of_the_set_so_far(
    order: Sequence[int], values: Sequence[int]
) -> None:
    """Lemma 2: d_j = g^{s_j z_j r}, for every member of every set on the way."""
    state, total = Arrived(), [0] * BLOCK
    for worker, value in zip(order, values, strict=True):
        state, nonces = arrive(state, worker, value)
        total = [r + own for r, own in zip(total, nonces, strict=True)]
        z = lagrange_at_zero(state.members, int(GROUP.q))
        assert GROUP.unpack(state.hint) == [power(r) for r in total]
        for j, d in zip(state.members, state.answers, strict=True):
            assert GROUP.unpack(d) == [power(secret(j) * z[j] * r) for r in total]
    assert state.members == tuple(order)


@given(order=st.permutations(POINTS), count=st.integers(THRESHOLD, 6))
@settings(max_examples=20, deadline=None)
def test_any_set_of_at_least_m_opens_its_sum(order: Sequence[int], count: int) -> None:
    state = Arrived()
    for worker in order[:count]:
        state, _ = arrive(state, worker, 10 * worker)
    assert open_sets(SCHEME, [state]).tolist() == [[10 * sum(order[:count])] * BLOCK]


def test_a_set_below_m_is_not_opened() -> None:
    state = Arrived()
    for worker in (1, 2):
        state, _ = arrive(state, worker, 1)
    with pytest.raises(NotEnoughShares, match="2 members, threshold 3"):
        open_sets(SCHEME, [state])


def test_below_m_the_answers_do_not_multiply_to_the_mask() -> None:
    state, nonces = Arrived(), 0
    for count, worker in enumerate((1, 2, 5), start=1):
        state, own = arrive(state, worker, 1)
        nonces += own[0]
        masks = GROUP.multiply([GROUP.unpack(d) for d in state.answers])
        h = GROUP.unpack(PUBLIC_KEY)[0]
        assert (masks[0] == powmod(h, nonces, GROUP.p)) == (count == THRESHOLD)


def test_the_nonces_kept_are_those_of_the_hints() -> None:
    context, plaintext = Context(b"run", 1, [4, 9]), np.array([[1, 2], [3, 4]])
    kept, nonces = encrypt_keeping(
        SCHEME, PUBLIC_KEY, KEY_SHARES[1], plaintext, context, rng=insecure_seeded(5)
    )
    assert kept == SCHEME.encrypt(PUBLIC_KEY, KEY_SHARES[1], plaintext, context, rng=insecure_seeded(5))
    assert GROUP.unpack(kept.hint) == [power(r) for row in nonces for r in row]


def test_the_newcomer_is_shown_public_keys_to_their_coefficients() -> None:
    state = Arrived()
    for worker in (5, 2):
        state, _ = arrive(state, worker, 1)
    shown, _ = questions(SCHEME, PUBLIC_KEY, 4, [state], GROUP.pack([GROUP.g] * BLOCK))
    z = lagrange_at_zero([5, 2, 4], int(GROUP.q))
    assert GROUP.unpack(shown) == [power(secret(j) * z[j]) for j in (5, 2)]


def test_what_the_manager_holds_survives_pickling() -> None:
    state, _ = arrive(Arrived(), 1, 1)
    assert pickle.loads(pickle.dumps(state)) == state  # noqa: S301


def test_a_public_key_that_is_none_is_refused() -> None:
    state, _ = arrive(Arrived(), 1, 1)
    with pytest.raises(InvalidShare):
        questions(SCHEME, PUBLIC_KEY[:-1], 2, [state], GROUP.pack([GROUP.g] * BLOCK))
