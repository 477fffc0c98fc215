import pytest
from gmpy2 import powmod
from hypothesis import given
from hypothesis import strategies as st

from mdl.schemes.fixed_base import KEPT_WIDTH, best_width, bits_of, kept_table
from mdl.schemes.groups import modular_group
from mdl.schemes.modular import ModularGroup, PlainBase, PowerTable
from mdl.schemes.prime_order import Exponents

TOYS = [modular_group(name) for name in ("insecure64", "insecure_schnorr96", "insecure256")]

USES = st.none() | st.sampled_from([1, 5, 20, 60, 400, 5000])


@pytest.mark.parametrize("chosen", TOYS, ids=lambda chosen: chosen.name)
@given(uses=USES, first=st.integers(-100, 100), data=st.data())
def test_powers_from_any_table_are_powers(
    chosen: ModularGroup, uses: int | None, first: int, data: st.DataObject
) -> None:
    count = data.draw(st.sampled_from([1, 2, 300, chosen.nonce_bound]))
    exponents = data.draw(st.lists(st.integers(0, count - 1), max_size=5))
    base = chosen.canonical(powmod(chosen.g, 12345, chosen.p))
    prepared = chosen.power_table([base], range(first, first + count), uses=uses)
    expected = [chosen.canonical(powmod(base, first + exponent, chosen.p)) for exponent in exponents]
    assert chosen.power_products([(prepared, Exponents(exponents))]) == expected


@pytest.mark.parametrize("chosen", TOYS, ids=lambda chosen: chosen.name)
@given(start=st.integers(1, 1 << 60), one=st.integers(0, 1 << 40), other=st.integers(0, 1 << 40))
def test_powers_of_several_bases_and_starts_are_multiplied(
    chosen: ModularGroup, start: int, one: int, other: int
) -> None:
    h = chosen.canonical(powmod(chosen.g, 99, chosen.p))
    tables = [chosen.power_table([base], range(1 << 40 | 1)) for base in (chosen.g, h)]
    terms = [(table, Exponents([x])) for table, x in zip(tables, (one, other), strict=True)]
    expected = chosen.canonical(start * powmod(chosen.g, one + 99 * other, chosen.p) % chosen.p)
    assert chosen.power_products(terms, starts=[start]) == [expected]


@given(
    values=st.lists(st.integers(0, (1 << 61) - 1), max_size=4),
    width=st.integers(1, 8),
)
def test_digits_make_up_their_exponent(values: list[int], width: int) -> None:
    count = -(-61 // width)
    digits = Exponents(values).digits(width, count)
    assert digits.shape == (len(values), count)
    assert [sum(int(d) << (width * i) for i, d in enumerate(row)) for row in digits] == values


@pytest.mark.parametrize("width", [3, 8])
@pytest.mark.parametrize("alien", [-1, 1 << 24])
def test_an_exponent_that_does_not_fit_its_digits_is_refused(width: int, alien: int) -> None:
    with pytest.raises(OverflowError):
        Exponents([0, alien]).digits(width, 24 // width)


def test_digits_are_cut_once() -> None:
    exponents = Exponents([5, 6])
    assert exponents.digits(4, 2) is exponents.digits(4, 2)


def test_a_table_is_as_wide_as_its_uses_pay_for() -> None:
    widths = [best_width(256, uses, entry=1, digit=1, plain=128) for uses in (0, 1, 20, 100, 1000, 10**6)]
    assert widths == [0, 0, 4, 5, 8, 8]
    assert best_width(256, None, entry=1, digit=1, plain=128) == KEPT_WIDTH


def test_the_width_chosen_is_the_cheapest() -> None:
    def products(width: int) -> float:
        return -(-256 // width) * (1 + (1 << width) / 374)

    assert best_width(256, 374, entry=1, digit=1, plain=128) == min(range(1, 9), key=products)


def test_a_base_that_is_raised_once_gets_no_table() -> None:
    chosen = modular_group("insecure256")
    exponents = range(int(chosen.q))
    assert isinstance(chosen.power_table([chosen.g], exponents, uses=1), PlainBase)
    assert isinstance(chosen.power_table([chosen.g], exponents, uses=400), PowerTable)


def test_the_bits_of_a_range_are_those_of_its_longest_offset() -> None:
    assert [bits_of(range(first, stop)) for first, stop in [(0, 1), (-3, 5), (-3, 6), (0, 1 << 256)]] == [
        0,
        3,
        4,
        256,
    ]


def test_a_table_is_built_once_and_few_are_kept() -> None:
    chosen = modular_group("insecure64")
    g, exponents = chosen.pack(chosen.generator), range(1 << 20)
    assert kept_table(chosen, g, exponents) is kept_table(chosen, g, range(1 << 20))
    assert kept_table.cache_info().maxsize == 8


def test_neither_a_table_nor_exponents_print_what_they_hold() -> None:
    chosen = modular_group("insecure64")
    assert len(repr(chosen.power_table(chosen.generator, range(1 << 20)))) < 300
    assert "77" not in repr(Exponents([77]))
