from collections.abc import Sequence
from functools import cache
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.errors import InvalidShare, NotEnoughShares, SchemeError
from mdl.party import PartyId
from mdl.schemes import shamir
from mdl.schemes.mersenne import PRIME
from mdl.schemes.prf import KEY_BYTES, inputs
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.subset_keys import HeldKeys, check, deal, held_keys, key_count

SIZES = [(n, m) for n in range(1, 7) for m in range(1, n + 1)]
INPUT = inputs(bytes(8), 1, np.array([3]))


@cache
def dealt(workers: int, threshold: int) -> tuple[bytes, dict[PartyId, bytes]]:
    public, secrets = deal(range(1, workers + 1), threshold, rng=insecure_seeded(workers))
    return public, dict(secrets)


def everybody(workers: int, threshold: int) -> dict[PartyId, HeldKeys]:
    return {point: held_keys(point, secret) for point, secret in dealt(workers, threshold)[1].items()}


def secret_of(dealer: HeldKeys) -> int:
    """The sum of all functions of a dealer at `INPUT`."""
    return sum(int(function.words(INPUT)[0]) for function in dealer.secret.values()) % PRIME


def share_of(holder: HeldKeys, dealer: PartyId) -> int:
    factors = holder.factors(PRIME)
    functions = holder.of(dealer).items()
    return sum(factors[subset] * int(function.words(INPUT)[0]) for subset, function in functions) % PRIME


@pytest.mark.parametrize(("workers", "threshold"), SIZES)
def test_every_worker_stores_as_many_keys_as_announced(workers: int, threshold: int) -> None:
    for held in everybody(workers, threshold).values():
        extra = workers - 1 if workers == threshold else 0
        assert len(held.keys) == comb(workers - 1, threshold - 1)
        assert len(held.own) == extra
        assert len(held.secret) == key_count(workers, threshold) == len(held.keys) + extra
        assert (held.points, held.threshold) == (tuple(range(1, workers + 1)), threshold)


@pytest.mark.parametrize(("workers", "threshold"), SIZES)
def test_any_m_shares_are_interpolated_to_the_dealers_secret(workers: int, threshold: int) -> None:
    held = everybody(workers, threshold)
    for dealer in held:
        shares = {point: share_of(holder, dealer) for point, holder in held.items()}
        for openers in combinations(held, threshold):
            answers = {point: shares[point] for point in openers}
            assert shamir.reconstruct(answers, PRIME) == secret_of(held[dealer])


@pytest.mark.parametrize(("workers", "threshold"), [(n, m) for n, m in SIZES if m > 1])
def test_every_coalition_lacks_a_key_of_every_dealer_outside_it(workers: int, threshold: int) -> None:
    held = everybody(workers, threshold)
    for size in range(threshold):
        for coalition in combinations(held, size):
            theirs = {
                key for point in coalition for key in [*held[point].keys.values(), *held[point].own.values()]
            }
            known = {
                function.key
                for point in coalition
                for dealer in held
                for function in [*held[point].of(dealer).values(), *held[point].secret.values()]
            }
            for dealer in set(held) - set(coalition):
                own = {function.key for function in held[dealer].secret.values()}
                assert own - known
                # What it lacks does not follow from what it holds: the key above is not its either.
                lacking = [T for T in held[dealer].keys if set(coalition) <= set(T)]
                assert lacking
                assert not {held[dealer].keys[T] for T in lacking} & theirs


Row = list[int]


def rank(rows: Sequence[Row]) -> int:
    """The rank over Z_p, p = PRIME, by elimination."""
    left, found = [list(row) for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in left if row[column]), None)
        if pivot is None:
            continue
        left.remove(pivot)
        found += 1
        inverse = pow(pivot[column], -1, PRIME)
        left = [
            [(a - row[column] * inverse * b) % PRIME for a, b in zip(row, pivot, strict=True)] for row in left
        ]
    return found


def learnt(held: dict[PartyId, HeldKeys], members: Sequence[PartyId], coalition: Sequence[PartyId]) -> int:
    """How many independent sums of the honest members' secrets a coalition and the manager compute.

    Unknowns are the honest members' functions that nobody in the coalition has; seen are all shares of the
    members' secrets, which follow from any m.
    """
    honest = [member for member in members if member not in coalition]
    theirs = {(i, T) for point in coalition for i in honest for T in held[point].of(i)}
    unknown = [(i, T) for i in honest for T in held[i].secret if (i, T) not in theirs]
    shares = [
        [holder.factors(PRIME)[T] if T in holder.of(i) else 0 for i, T in unknown] for holder in held.values()
    ]
    secrets = [[int(i == member) for i, _ in unknown] for member in honest]
    return rank(shares) + rank(secrets) - rank([*shares, *secrets])


@pytest.mark.parametrize(("workers", "threshold"), [(n, m) for n, m in SIZES if m >= 2 and n <= 5])
def test_no_coalition_below_m_learns_more_of_the_secrets_than_their_sum(workers: int, threshold: int) -> None:
    """All active sets of at least two, all coalitions that leave two of them honest."""
    held = everybody(workers, threshold)
    for size in range(2, workers + 1):
        for members in combinations(held, size):
            for count in range(threshold):
                for coalition in combinations(held, count):
                    if len(set(members) - set(coalition)) >= 2:
                        assert learnt(held, members, coalition) == 1


def test_m_workers_have_every_function() -> None:
    held = everybody(4, 2)
    for coalition in combinations(held, 2):
        for dealer in set(held) - set(coalition):
            theirs = {f.key for point in coalition for f in held[point].of(dealer).values()}
            assert {f.key for f in held[dealer].secret.values()} == theirs


def test_without_the_keys_of_its_own_sets_a_share_would_be_a_dealers_bare_secret() -> None:
    """If n = m; so it is that the authority gives dealers these keys there."""
    bare = {
        point: HeldKeys(held.point, held.points, held.threshold, held.keys, {})
        for point, held in everybody(3, 3).items()
    }
    assert learnt(bare, (1, 2, 3), ()) == 3


def test_two_dealers_and_two_sets_have_functions_of_their_own() -> None:
    held = everybody(5, 3)
    functions = [f.key for dealer in held for f in held[dealer].secret.values()]
    assert len(set(functions)) == len(functions) == 5 * comb(4, 2)


def test_dealer_and_holder_have_the_same_functions() -> None:
    held = everybody(5, 3)
    own = held[2].secret
    shared = held[4].of(2)
    assert set(shared) == {subset for subset in own if 4 not in subset}
    assert all(own[subset].key == function.key for subset, function in shared.items())


@pytest.mark.parametrize(("workers", "threshold"), SIZES)
def test_dealt_keys_pass_their_check(workers: int, threshold: int) -> None:
    public, secrets = dealt(workers, threshold)
    for point, secret in secrets.items():
        check(public, point, secret)


@given(data=st.data())
def test_an_altered_key_is_noticed(data: st.DataObject) -> None:
    public, secrets = dealt(5, 3)
    point = data.draw(st.sampled_from(sorted(secrets)))
    altered = bytearray(secrets[point])
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidShare):
        check(public, point, bytes(altered))


@given(data=st.data())
def test_a_digest_altered_or_cut_off_is_noticed_by_who_holds_the_key(data: st.DataObject) -> None:
    public, secrets = dealt(4, 2)
    header, width = len(public) - 4 * 32, 32
    at = data.draw(st.integers(header, len(public) - 1))
    altered = bytearray(public)
    altered[at] ^= data.draw(st.integers(1, 255))
    without = 1 + (at - header) // width
    for point, secret in secrets.items():
        if point == without:
            check(bytes(altered), point, secret)
        else:
            with pytest.raises(InvalidShare):
                check(bytes(altered), point, secret)
        with pytest.raises(InvalidShare):
            check(public[:-1], point, secret)


def test_the_keys_of_another_are_noticed() -> None:
    public, secrets = dealt(5, 3)
    with pytest.raises(InvalidShare):
        check(public, 1, secrets[2])


def test_keys_of_another_deal_are_noticed() -> None:
    public, _ = dealt(5, 3)
    _, others = deal(range(1, 6), 3, rng=insecure_seeded(99))
    with pytest.raises(InvalidShare):
        check(public, 1, others[1])
    fewer, _ = dealt(4, 3)
    with pytest.raises(InvalidShare):
        check(fewer, 1, others[1])


@pytest.mark.parametrize("secret", [b"", b"\0\x02", b"\0\x02\0\x03\0\x01\0\x02\0\x03" + bytes(3 * KEY_BYTES)])
def test_malformed_keys_are_refused(secret: bytes) -> None:
    with pytest.raises(InvalidShare):
        held_keys(1, secret)


def test_keys_for_somebody_else_are_refused() -> None:
    _, secrets = dealt(3, 2)
    with pytest.raises(InvalidShare):
        held_keys(4, secrets[1])


def test_a_dealer_who_was_not_dealt_to_is_refused() -> None:
    with pytest.raises(SchemeError, match="worker 9 has no keys"):
        everybody(3, 2)[1].of(9)


@pytest.mark.parametrize("points", [(0, 1, 2), (1, 1, 2), (1, 2, 1 << 16)])
def test_points_that_are_none_are_refused(points: Sequence[int]) -> None:
    with pytest.raises(ValueError, match="points must be"):
        deal(points, 2, rng=insecure_seeded(0))


def test_too_few_points_are_refused() -> None:
    with pytest.raises(NotEnoughShares):
        deal((1, 2), 3, rng=insecure_seeded(0))


def test_keys_do_not_print() -> None:
    held = everybody(3, 2)[1]
    assert repr(held) == "HeldKeys(point=1, points=(1, 2, 3), threshold=2)"


def test_functions_are_made_once() -> None:
    held = everybody(3, 2)[1]
    assert held.of(2) is held.of(2)
    assert held_keys(1, dealt(3, 2)[1][1]) is held
