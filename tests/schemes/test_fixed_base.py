import pytest
from gmpy2 import mpz, powmod
from hypothesis import given
from hypothesis import strategies as st

from mdl.schemes.fixed_base import fixed_base
from mdl.schemes.groups import Group, group

TOYS = [group("insecure64"), group("insecure_schnorr96"), group("insecure256")]


@pytest.mark.parametrize("chosen", TOYS, ids=lambda chosen: chosen.name)
@given(data=st.data())
def test_powers_from_the_table_are_powers(chosen: Group, data: st.DataObject) -> None:
    exponents = data.draw(st.lists(st.integers(0, chosen.nonce_bound - 1), max_size=5))
    base = powmod(chosen.g, 12345, chosen.p)
    expected = [chosen.canonical(powmod(base, exponent, chosen.p)) for exponent in exponents]
    assert fixed_base(chosen, base).powers(exponents) == expected


@pytest.mark.parametrize("chosen", TOYS, ids=lambda chosen: chosen.name)
@given(start=st.integers(1, 1 << 60), exponent=st.integers(0, 1 << 40))
def test_a_start_is_multiplied_in(chosen: Group, start: int, exponent: int) -> None:
    expected = chosen.canonical(start * powmod(chosen.g, exponent, chosen.p) % chosen.p)
    assert fixed_base(chosen, chosen.g).times_powers([mpz(start)], [exponent]) == [expected]


def test_a_table_is_built_once_and_few_are_kept() -> None:
    chosen = group("insecure64")
    assert fixed_base(chosen, chosen.g) is fixed_base(chosen, chosen.g)
    assert fixed_base.cache_info().maxsize == 8


def test_a_table_does_not_print_its_entries() -> None:
    chosen = group("insecure64")
    assert len(repr(fixed_base(chosen, chosen.g))) < 300
