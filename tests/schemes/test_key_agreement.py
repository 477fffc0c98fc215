"""Agreements: both ends come to the same secret, and nobody's key is changed on the way."""

from collections.abc import Callable
from itertools import combinations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mdl.errors import InvalidShare
from mdl.schemes.key_agreement import ANNOUNCEMENT_BYTES, Agreement, Identity, deal
from mdl.schemes.randomness import SystemRandomness

RUN = b"0123456789abcdef"
RNG = SystemRandomness()


def identities(workers: int = 4) -> list[Identity]:
    return deal(range(1, workers + 1), rng=RNG)


def announced(agreements: dict[int, Agreement]) -> dict[int, bytes]:
    return {point: agreement.announcement for point, agreement in agreements.items()}


def agreements(dealt: list[Identity], run: bytes = RUN, generation: int = 1) -> dict[int, Agreement]:
    return {each.point: Agreement(each, run, generation, rng=RNG) for each in dealt}


def test_both_ends_of_every_pair_have_one_secret_and_no_two_pairs_the_same() -> None:
    sides = agreements(identities())
    sent = announced(sides)
    secrets = {point: side.agree(sent) for point, side in sides.items()}
    found = set()
    for one, other in combinations(secrets, 2):
        assert secrets[one][other] == secrets[other][one]
        found.add(secrets[one][other])
    assert len(found) == 6
    assert all(len(announcement) == ANNOUNCEMENT_BYTES for announcement in sent.values())


def test_two_generations_have_nothing_in_common() -> None:
    dealt = identities(2)
    secrets = set()
    for generation in (1, 2):
        sides = agreements(dealt, generation=generation)
        secrets.add(sides[1].agree(announced(sides))[2])
    assert len(secrets) == 2


@pytest.mark.parametrize("at", [0, 31, 32, 95])
def test_a_key_that_was_changed_on_the_way_is_refused_and_named(at: int) -> None:
    sides = agreements(identities())
    sent = announced(sides)
    changed = bytearray(sent[3])
    changed[at] ^= 1
    with pytest.raises(InvalidShare, match="did not sign") as caught:
        sides[1].agree({**sent, 3: bytes(changed)})
    assert list(caught.value.culprits) == [3]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda dealt: agreements(dealt, generation=2)[2], id="generation"),
        pytest.param(lambda dealt: agreements(dealt, run=b"another run 0123")[2], id="run"),
        pytest.param(lambda dealt: agreements(dealt)[3], id="worker"),
        pytest.param(lambda dealt: agreements(identities())[2], id="outsider"),
    ],
)
def test_a_key_that_was_signed_elsewhere_is_refused(other: Callable[[list[Identity]], Agreement]) -> None:
    dealt = identities()
    sides = agreements(dealt)
    with pytest.raises(InvalidShare, match="did not sign"):
        sides[1].agree({**announced(sides), 2: other(dealt).announcement})


def test_a_worker_insists_on_its_own_key() -> None:
    sides = agreements(identities())
    sent = announced(sides)
    with pytest.raises(InvalidShare, match="one's own"):
        sides[1].agree({**sent, 1: sent[2]})
    with pytest.raises(InvalidShare, match="one's own"):
        sides[1].agree({point: sent[point] for point in (2, 3, 4)})


def test_a_key_of_small_order_makes_no_secret() -> None:
    dealt = identities(2)
    sides = agreements(dealt)
    zero = bytes(32)
    signed = sides[2]._signed(2, zero)
    forged = zero + Ed25519PrivateKey.from_private_bytes(dealt[1].private).sign(signed)
    with pytest.raises(InvalidShare, match="makes no secret"):
        sides[1].agree({1: sides[1].announcement, 2: forged})


def test_the_private_half_is_dropped_once_used() -> None:
    sides = agreements(identities())
    sent = announced(sides)
    sides[1].agree(sent)
    with pytest.raises(AssertionError, match="once"):
        sides[1].agree(sent)


def test_an_identity_does_not_show_its_key() -> None:
    [one, _] = identities(2)
    assert repr(one.private) not in repr(one)
