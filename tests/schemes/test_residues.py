from typing import Final

import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from mdl.errors import InvalidShare
from mdl.schemes.residues import Residues

N: Final = 1019 * 1283
RESIDUES: Final = Residues(mpz(N))
UNITS = st.integers(1, N - 1).filter(lambda x: x % 1019 and x % 1283).map(mpz)


@given(units=st.lists(UNITS))
def test_what_is_packed_is_unpacked(units: list[mpz]) -> None:
    packed = RESIDUES.pack(units)
    assert len(packed) == RESIDUES.width * len(units) == 3 * len(units)
    assert RESIDUES.unpack(packed, len(units), ()) == units


@given(units=st.lists(UNITS))
def test_inverses_are_inverses(units: list[mpz]) -> None:
    inverted = RESIDUES.inverses(units)
    assert [x * y % N for x, y in zip(units, inverted, strict=True)] == [1] * len(units)


@given(columns=st.lists(st.lists(UNITS, min_size=3, max_size=3), min_size=1, max_size=4))
def test_columns_are_multiplied_row_by_row(columns: list[list[mpz]]) -> None:
    products = RESIDUES.multiply(columns)
    for row, product in zip(zip(*columns, strict=True), products, strict=True):
        expected = 1
        for factor in row:
            expected = expected * int(factor) % N
        assert product % N == expected
    assert RESIDUES.multiply_sent(dict(enumerate(columns, start=1))) == products


@pytest.mark.parametrize("packed", [b"\0\0\0", N.to_bytes(3, "big"), b"\0\0", b"\0\0\1\0\0\1"])
def test_what_is_no_residue_is_blamed_on_its_sender(packed: bytes) -> None:
    with pytest.raises(InvalidShare) as refused:
        RESIDUES.unpack(packed, 1, [5])
    assert refused.value.culprits == (5,)


@given(units=st.lists(UNITS, min_size=2, max_size=2), factor=st.sampled_from([1019, 1283]))
def test_what_shares_a_factor_is_blamed_on_its_sender(units: list[mpz], factor: int) -> None:
    with pytest.raises(InvalidShare) as refused:
        RESIDUES.multiply_sent({2: units, 7: [units[0], mpz(factor)]})
    assert refused.value.culprits == (7,)
    assert RESIDUES.are_units(units)
