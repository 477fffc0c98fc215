import numpy as np
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.schemes import combs
from mdl.schemes.combs import Comb, Shape, comb, powers

MODULI = st.integers(2, 1 << 128)


@given(
    data=st.data(),
    modulus=MODULI,
    bits=st.integers(1, 90),
    teeth=st.integers(1, 8),
    tables=st.integers(1, 12),
)
@settings(max_examples=150, deadline=None)
def test_a_comb_of_any_shape_gives_powers(
    data: st.DataObject, modulus: int, bits: int, teeth: int, tables: int
) -> None:
    shape = Shape(bits, teeth, tables)
    base = data.draw(st.integers(0, modulus - 1))
    largest = (1 << bits) - 1
    drawn = data.draw(st.lists(st.integers(0, largest), max_size=4))
    table = comb(mpz(base), mpz(modulus), shape)
    for exponent, digits in zip(
        [0, largest, *drawn], shape.digits([0, largest, *drawn]).tolist(), strict=True
    ):
        assert table.power(digits) % modulus == pow(base, exponent, modulus)


@given(data=st.data(), modulus=MODULI, bits=st.integers(1, 400), count=st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_many_powers_of_one_base(data: st.DataObject, modulus: int, bits: int, count: int) -> None:
    base = data.draw(st.integers(0, modulus - 1))
    seed = data.draw(st.integers(0, 1 << 32))
    rng = np.random.default_rng(seed)
    exponents = [int.from_bytes(rng.bytes(50), "big") >> (400 - bits) for _ in range(count)]
    expected = [pow(base, exponent, modulus) for exponent in exponents]
    assert [power % modulus for power in powers(mpz(base), mpz(modulus), exponents, bits)] == expected


@pytest.mark.parametrize(("count", "by_table"), [(1, False), (2, False), (20, True), (128, True)])
def test_a_table_is_built_where_it_pays(count: int, by_table: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Shape] = []

    def counted(base: mpz, modulus: mpz, shape: Shape) -> Comb:
        built.append(shape)
        return comb(base, modulus, shape)

    monkeypatch.setattr(combs, "comb", counted)
    powers(mpz(3), mpz(1 << 61), [5] * count, 350)
    assert len(built) == by_table


def test_tables_are_as_large_as_they_are_said_to_be() -> None:
    table = comb(mpz(3), mpz(1 << 61), Shape(256, teeth=8, tables=2))
    assert (table.shape.steps, [len(entries) for entries in table.entries]) == (16, [256, 256])
