"""What every scheme must keep: the contract of `mdl.schemes.threshold.ThresholdEncryption`, as scenarios.

A scheme's test gives each scenario a `Case`. `SCENARIOS` hold for every scheme, `HIDING` for those that hide
by a threshold of shares. Of these, `KEYED` hold wherever there are keys. `BOUND` hold where what hides an
entry depends on its epoch and block.
"""

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, TypeAlias

import numpy as np
import pytest
from hypothesis import strategies as st

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange, SchemeError
from mdl.party import PartyId
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.threshold import Ciphertext, Context, KeyShare, ThresholdEncryption
from mdl.system import Randomness
from mdl.vectors import Integers

POINTS: Final = (1, 2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Case:
    """A scheme under test.

    Attributes:
        name: for the reader.
        scheme: what is tested.
        block: parameters in a block.
        limit: largest |entry|.
        members_limit: largest active set.
        members_least: smallest active set.
    """

    name: str
    scheme: ThresholdEncryption
    block: int
    limit: int
    members_limit: int
    members_least: int = 1


@dataclass(frozen=True)
class Exchange:
    """All that is sent when the members' entries are encrypted."""

    case: Case
    context: Context
    public_key: bytes
    key_shares: Mapping[PartyId, KeyShare]
    plaintexts: Sequence[Integers]
    ciphertexts: Sequence[Ciphertext]

    @property
    def sum(self) -> Integers:
        total: Integers = np.sum(self.plaintexts, axis=0, dtype=np.int64)
        return total

    @property
    def body(self) -> bytes:
        return self.case.scheme.add([ciphertext.body for ciphertext in self.ciphertexts], self.context)

    def encrypt(self, plaintext: Integers, rng: Randomness) -> Ciphertext:
        own = self.key_shares[self.context.members[0]]
        return self.case.scheme.encrypt(self.public_key, own, plaintext, self.context, rng=rng)

    def share(self, opener: PartyId, context: Context | None = None) -> bytes:
        hints = [self.case.scheme.shown(ciphertext.hint, opener) for ciphertext in self.ciphertexts]
        context = context or self.context
        return self.case.scheme.decryption_share(
            self.key_shares[opener], hints, context, rng=insecure_seeded(9)
        )

    def shares(self) -> dict[PartyId, bytes]:
        return {opener: self.share(opener) for opener in self.context.openers}

    def open(self, shares: Mapping[PartyId, bytes]) -> Integers:
        return self.case.scheme.combine(self.body, shares, self.context)


Scenario: TypeAlias = Callable[[Case, st.DataObject], None]


@cache
def keys(case: Case) -> tuple[bytes, Mapping[PartyId, KeyShare]]:
    return case.scheme.deal(POINTS, rng=insecure_seeded(1))


def entries(case: Case, blocks: int) -> st.SearchStrategy[Integers]:
    """Plaintexts of so many blocks; the extremes are drawn often."""
    entry = st.integers(-case.limit, case.limit) | st.sampled_from([-case.limit, -1, 0, 1, case.limit])
    flat = st.lists(entry, min_size=blocks * case.block, max_size=blocks * case.block)
    return flat.map(lambda values: np.array(values, np.int64).reshape(blocks, case.block))


def parties(least: int, most: int) -> st.SearchStrategy[tuple[PartyId, ...]]:
    return st.sets(st.sampled_from(POINTS), min_size=least, max_size=most).map(
        lambda drawn: tuple(sorted(drawn))
    )


def block_ids() -> st.SearchStrategy[list[int]]:
    """One to three blocks, neighbours or not, ascending."""
    neighbours = st.tuples(st.integers(0, 9), st.integers(1, 3)).map(
        lambda run: list(range(run[0], sum(run)))
    )
    return neighbours | st.sets(st.integers(0, 99), min_size=1, max_size=3).map(sorted)


def exchange(case: Case, data: st.DataObject, *, least: int = 1) -> Exchange:
    """Draw an active set of at least so many, openers (members or not) and entries, and encrypt."""
    blocks = data.draw(block_ids())
    context = Context(
        run=b"run",
        epoch=1,
        blocks=blocks,
        members=data.draw(parties(max(least, case.members_least), case.members_limit)),
        openers=data.draw(parties(case.scheme.threshold, len(POINTS))),
    )
    public_key, key_shares = keys(case)
    plaintexts = [data.draw(entries(case, len(blocks))) for _ in context.members]
    rng = insecure_seeded(data.draw(st.integers(0, 1 << 32)))
    ciphertexts = [
        case.scheme.encrypt(public_key, key_shares[member], plain, context, rng=rng)
        for member, plain in zip(context.members, plaintexts, strict=True)
    ]
    return Exchange(case, context, public_key, key_shares, plaintexts, ciphertexts)


def any_openers_read_the_exact_sum(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data)
    np.testing.assert_array_equal(done.open(done.shares()), done.sum)


def the_largest_sums_are_exact(case: Case, data: st.DataObject) -> None:
    drawn = exchange(case, data)
    context = replace(drawn.context, members=POINTS[: case.members_limit])
    sign = data.draw(st.sampled_from([-1, 1]))
    plaintext = np.full((len(context.blocks), case.block), sign * case.limit, np.int64)
    ciphertexts = [
        case.scheme.encrypt(
            drawn.public_key, drawn.key_shares[member], plaintext, context, rng=insecure_seeded(member)
        )
        for member in context.members
    ]
    done = replace(
        drawn, context=context, plaintexts=[plaintext] * len(context.members), ciphertexts=ciphertexts
    )
    np.testing.assert_array_equal(done.open(done.shares()), done.sum)


def rows_have_the_widths_that_are_announced(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data)
    rows, scheme = len(done.context.blocks), case.scheme
    assert {len(c.body) for c in done.ciphertexts} == {rows * scheme.body_bytes}
    assert {len(c.hint) for c in done.ciphertexts} == {rows * scheme.hint_bytes}
    assert {len(share) for share in done.shares().values()} <= {rows * scheme.share_bytes}
    assert len(done.body) == rows * scheme.body_bytes


def blocks_are_rows_that_can_be_cut_apart(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data)
    context = replace(done.context, blocks=done.context.blocks[:1])
    body = done.body[: case.scheme.body_bytes]
    shares = {opener: share[: case.scheme.share_bytes] for opener, share in done.shares().items()}
    np.testing.assert_array_equal(case.scheme.combine(body, shares, context), done.sum[:1])


def a_lost_opener_is_replaced_without_asking_the_others_again(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data)
    openers = data.draw(parties(max(case.scheme.threshold, 1), len(POINTS)))
    context = replace(done.context, openers=openers)
    scheme = case.scheme
    shares = {
        opener: scheme.rebase(done.share(opener), opener, done.context, openers)
        if opener in done.context.openers
        else done.share(opener, context)
        for opener in openers
    }
    np.testing.assert_array_equal(scheme.combine(done.body, shares, context), done.sum)


def a_missing_share_is_noticed(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data)
    shares = {opener: b"" for opener in POINTS if opener not in done.context.openers}
    with pytest.raises(NotEnoughShares):
        done.open(shares or {1: b""})


def an_entry_beyond_the_range_is_refused(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data)
    plaintext = done.plaintexts[0].copy()
    plaintext[0, 0] = data.draw(st.sampled_from([case.limit + 1, -case.limit - 1, -(2**63), 2**63 - 1]))
    with pytest.raises(OutOfRange):
        done.encrypt(plaintext, insecure_seeded(0))


def a_truncated_body_is_blamed_on_its_sender(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data)
    guilty = data.draw(st.integers(0, len(done.context.members) - 1))
    bodies = [ciphertext.body for ciphertext in done.ciphertexts]
    bodies[guilty] = bodies[guilty][:-1]
    with pytest.raises(InvalidShare) as refused:
        case.scheme.add(bodies, done.context)
    assert refused.value.culprits == (done.context.members[guilty],)


def dealt_key_shares_pass_their_check(case: Case, data: st.DataObject) -> None:
    public_key, key_shares = keys(case)
    assert sorted(key_shares) == list(POINTS)
    for share in key_shares.values():
        case.scheme.check_key_share(public_key, share)


def a_scheme_survives_pickling(case: Case, data: st.DataObject) -> None:
    assert pickle.loads(pickle.dumps(case.scheme)) == case.scheme  # noqa: S301


def one_share_too_few_is_refused(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data)
    shares = done.shares()
    del shares[data.draw(st.sampled_from(done.context.openers))]
    with pytest.raises(NotEnoughShares):
        done.open(shares)


def a_share_of_another_secret_never_opens_the_sum(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data)
    forger = data.draw(st.sampled_from(done.context.openers))
    # A member may know every share of what it encrypted itself: alone, it is no stranger.
    strangers = [point for point in POINTS if point != forger and (point,) != done.context.members]
    other = data.draw(st.sampled_from(strangers))
    forged = replace(done.key_shares[other], point=forger)
    tampered = replace(done, key_shares={**done.key_shares, forger: forged})
    never_opens(tampered)


def a_share_with_altered_bytes_never_opens_the_sum(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data)
    shares = done.shares()
    forger = data.draw(st.sampled_from(done.context.openers))
    altered = bytearray(shares[forger])
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= data.draw(st.integers(1, 255))
    never_the_sum(done, {**shares, forger: bytes(altered)})


def shares_for_another_set_never_open_the_sum(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data, least=2)
    left_out = data.draw(st.integers(0, len(done.context.members) - 1))
    members, ciphertexts = list(done.context.members), list(done.ciphertexts)
    del members[left_out], ciphertexts[left_out]
    smaller = replace(done, context=replace(done.context, members=tuple(members)), ciphertexts=ciphertexts)
    never_the_sum(done, smaller.shares())


def encrypting_twice_gives_other_bytes(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data)
    rng = insecure_seeded(3)
    first = done.encrypt(done.plaintexts[0], rng)
    second = done.encrypt(done.plaintexts[0], rng)
    assert first.body != second.body
    assert first.hint != second.hint


def a_foreign_key_share_is_refused(case: Case, data: st.DataObject) -> None:
    public_key, key_shares = keys(case)
    one, other = data.draw(st.permutations(POINTS))[:2]
    with pytest.raises(InvalidShare):
        case.scheme.check_key_share(public_key, replace(key_shares[one], point=other))


def too_few_points_cannot_be_dealt_to(case: Case, data: st.DataObject) -> None:
    needed = max(case.scheme.threshold, case.members_least)
    with pytest.raises(NotEnoughShares):
        case.scheme.deal(POINTS[: needed - 1], rng=insecure_seeded(0))


def secrets_do_not_print(case: Case, data: st.DataObject) -> None:
    for share in keys(case)[1].values():
        printed = f"{share} {share!r}"
        assert share.secret
        assert repr(share.secret)[2:-1] not in printed
        assert share.secret.hex() not in printed


def a_body_for_another_epoch_or_block_never_opens_the_sum(case: Case, data: st.DataObject) -> None:
    done = exchange(case, data, least=2)
    elsewhere = data.draw(
        st.sampled_from(
            [
                replace(done.context, epoch=2),
                replace(done.context, blocks=[block + 100 for block in done.context.blocks]),
            ]
        )
    )
    guilty = data.draw(st.integers(0, len(done.context.members) - 1))
    ciphertexts = list(done.ciphertexts)
    ciphertexts[guilty] = case.scheme.encrypt(
        done.public_key,
        done.key_shares[done.context.members[guilty]],
        done.plaintexts[guilty],
        elsewhere,
        rng=insecure_seeded(4),
    )
    moved = replace(done, ciphertexts=ciphertexts)
    never_opens(moved)


SCENARIOS: Final[Sequence[Scenario]] = (
    any_openers_read_the_exact_sum,
    the_largest_sums_are_exact,
    rows_have_the_widths_that_are_announced,
    blocks_are_rows_that_can_be_cut_apart,
    a_lost_opener_is_replaced_without_asking_the_others_again,
    a_missing_share_is_noticed,
    an_entry_beyond_the_range_is_refused,
    a_truncated_body_is_blamed_on_its_sender,
    dealt_key_shares_pass_their_check,
    a_scheme_survives_pickling,
)

KEYED: Final[Sequence[Scenario]] = (
    a_foreign_key_share_is_refused,
    too_few_points_cannot_be_dealt_to,
    secrets_do_not_print,
)

HIDING: Final[Sequence[Scenario]] = (
    one_share_too_few_is_refused,
    a_share_of_another_secret_never_opens_the_sum,
    a_share_with_altered_bytes_never_opens_the_sum,
    shares_for_another_set_never_open_the_sum,
    encrypting_twice_gives_other_bytes,
    *KEYED,
)

BOUND: Final[Sequence[Scenario]] = (a_body_for_another_epoch_or_block_never_opens_the_sum,)


def never_opens(tampered: Exchange) -> None:
    """Check that its shares, or opening with them, fail by name, or that they give something else."""
    try:
        shares = tampered.shares()
    except InvalidShare:
        return
    never_the_sum(tampered, shares)


def never_the_sum(done: Exchange, shares: Mapping[PartyId, bytes]) -> None:
    """Check that opening fails by name, or gives something else."""
    try:
        opened = done.open(shares)
    except (InvalidShare, SchemeError):
        return
    assert not np.array_equal(opened, done.sum)


def title(value: Any) -> str:
    """Name a case or a scenario in a test's id."""
    return value.name if isinstance(value, Case) else str(value.__name__)
