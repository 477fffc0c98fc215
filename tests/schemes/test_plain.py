import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange
from mdl.schemes.plain import Plain
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.threshold import Context, KeyShare
from tests.conformance.threshold_encryption import SCENARIOS, Case, Scenario, title

NARROW = Case("narrow", Plain(block=3, bound=400, members_limit=4), block=3, limit=100, members_limit=4)
WIDE = Case("wide", Plain(block=2, bound=1 << 40, members_limit=4), block=2, limit=1 << 38, members_limit=4)
CONTEXT = Context(b"run", 1, blocks=[7], members=(1, 2))
RNG = insecure_seeded(0)


@pytest.mark.parametrize("case", [NARROW, WIDE], ids=title)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=title)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_the_oracle_keeps_the_contract(scenario: Scenario, case: Case, data: st.DataObject) -> None:
    scenario(case, data)


def test_small_sums_travel_as_four_bytes_and_large_ones_as_eight() -> None:
    assert Plain(block=5, bound=(1 << 31) - 1).body_bytes == 20
    assert Plain(block=5, bound=1 << 31).body_bytes == 40


def test_entries_are_little_endian() -> None:
    body = Plain(block=2, bound=9).encrypt(b"", KeyShare(1, b""), np.array([[1, -2]]), CONTEXT, rng=RNG).body
    assert body == struct.pack("<ii", 1, -2)


def test_a_peer_whose_entry_no_member_may_send_is_blamed() -> None:
    scheme = Plain(block=1, bound=10, members_limit=2)
    bodies = [struct.pack("<i", 5), struct.pack("<i", -6)]
    with pytest.raises(InvalidShare) as refused:
        scheme.add(bodies, CONTEXT)
    assert refused.value.culprits == (2,)


def test_a_sum_that_these_members_cannot_have_is_refused() -> None:
    scheme = Plain(block=1, bound=10, members_limit=2)
    with pytest.raises(OutOfRange):
        scheme.combine(struct.pack("<i", 6), {}, replace(CONTEXT, members=(1,)))


def test_a_share_with_bytes_in_it_is_refused() -> None:
    context = replace(CONTEXT, openers=(3,))
    with pytest.raises(InvalidShare):
        Plain(block=1, bound=10).combine(struct.pack("<i", 6), {3: b"x"}, context)


def test_a_key_where_there_is_none_is_refused() -> None:
    with pytest.raises(InvalidShare):
        Plain(block=1, bound=10).check_key_share(b"key", KeyShare(1, b""))


def test_shares_of_others_than_the_openers_are_refused() -> None:
    with pytest.raises(NotEnoughShares):
        Plain(block=1, bound=10).combine(struct.pack("<i", 6), {1: b""}, CONTEXT)


@pytest.mark.parametrize(("block", "bound", "members"), [(0, 1, 1), (1, 0, 1), (1, 1 << 53, 1), (1, 1, 2)])
def test_a_plain_scheme_without_sense_is_refused(block: int, bound: int, members: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        Plain(block=block, bound=bound, members_limit=members)
