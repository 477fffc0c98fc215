import numpy as np
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import OutOfRange
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.packing import Packing

GRIDS = st.builds(
    FixedPoint, range=st.sampled_from([0.75, 1, 16, 31]), fraction_bits=st.sampled_from([1, 6, 12, 32])
)
PACKINGS = st.builds(
    Packing, modulus_bits=st.sampled_from([512, 2048]), fixed_point=GRIDS, members_limit=st.integers(1, 40)
)


@given(data=st.data(), packing=PACKINGS, block=st.integers(1, 150), blocks=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_sums_of_plaintexts_are_plaintexts_of_sums(
    data: st.DataObject, packing: Packing, block: int, blocks: int
) -> None:
    members = data.draw(st.integers(1, packing.members_limit))
    limit = packing.fixed_point.limit
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    entries = rng.choice([-limit, 0, limit, limit - 1], size=(members, blocks, block))
    written = [packing.write(rows) for rows in entries]
    assert {len(row) for rows in written for row in rows} == {packing.plaintexts(block)}
    sums = [[sum(each, mpz(0)) for each in zip(*rows, strict=True)] for rows in zip(*written, strict=True)]
    np.testing.assert_array_equal(packing.read(sums, block, members), entries.sum(axis=0))


@given(packing=PACKINGS, sign=st.sampled_from([-1, 1]))
@settings(max_examples=60, deadline=None)
def test_the_largest_sums_stay_in_their_slots_and_below_the_modulus(packing: Packing, sign: int) -> None:
    limit, members = packing.fixed_point.limit, packing.members_limit
    entries = np.full((1, packing.slots), sign * limit)
    ((plaintext,),) = packing.write(entries)
    assert members * plaintext < 1 << (packing.modulus_bits - 1)
    np.testing.assert_array_equal(
        packing.read([[members * plaintext]], packing.slots, members), members * entries
    )


@given(packing=PACKINGS)
def test_no_slot_is_wasted_and_no_bit(packing: Packing) -> None:
    largest = 2 * packing.fixed_point.bound(packing.members_limit)
    assert 1 << (packing.slot_bits - 1) <= largest < 1 << packing.slot_bits
    used = packing.slots * packing.slot_bits
    assert used < packing.modulus_bits <= used + packing.slot_bits


def test_the_default_grid_packs_97_entries_for_8_members() -> None:
    packing = Packing(2048, FixedPoint(range=16, fraction_bits=12), 8)
    assert (packing.slot_bits, packing.slots, packing.plaintexts(97), packing.plaintexts(98)) == (
        21,
        97,
        1,
        2,
    )


SMALL = Packing(64, FixedPoint(range=1, fraction_bits=3), 2)


def test_the_known_plaintext() -> None:
    assert SMALL.slot_bits == 6
    assert SMALL.write(np.array([[-8, 8, 1]])) == [[(0 << 0) + (16 << 6) + (9 << 12)]]


@pytest.mark.parametrize(
    ("plaintext", "block", "members"),
    [(33, 1, 2), (17, 1, 1), (1 << 6, 1, 2), (33 << 6, 2, 2), (1 << 60, 10, 2)],
    ids=["sum", "sum of fewer", "slot too many", "second sum", "beyond all slots"],
)
def test_what_is_no_sum_is_refused(plaintext: int, block: int, members: int) -> None:
    with pytest.raises(OutOfRange):
        SMALL.read([[mpz(plaintext)]], block, members)


def test_the_edges_of_sums_are_read() -> None:
    np.testing.assert_array_equal(SMALL.read([[mpz(32)], [mpz(0)]], 1, 2), [[16], [-16]])


def test_sums_too_wide_for_a_slot_are_a_problem() -> None:
    wide = FixedPoint(range=1 << 19, fraction_bits=32)
    assert Packing(2048, wide, 1 << 10).problems() == []
    (problem,) = Packing(2048, wide, 1 << 11).problems()
    assert "take slots of 64 bits, but 63 fit" in problem
