import math

import numpy as np
import pytest
from gmpy2 import mpz, powmod
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mdl.errors import OutOfRange
from mdl.schemes.encodings import (
    TABLE_LIMIT,
    EncodingName,
    Exponential,
    Lifted,
    capacity_problems,
    encoding,
    explain_capacity,
)
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.groups import GROUP_NAMES, group, modular_group
from mdl.schemes.modular import ModularGroup
from mdl.schemes.prime_order import AnyGroup, Exponents

SCHNORR, SAFE, PAPER, LARGE = map(
    modular_group, ("insecure_schnorr96", "insecure64", "insecure256", "ffdhe2048")
)


def sum_of(chosen: Lifted | Exponential, entries: list[int]) -> int:
    """Encode entries one by one, multiply, decode."""
    columns = [chosen.elements(np.array([entry])) for entry in entries]
    return int(chosen.decode(chosen.group.multiply(columns), len(entries))[0])


def draw_entries(data: st.DataObject, limit: int, members: int) -> list[int]:
    entry = st.integers(-limit, limit) | st.sampled_from([-limit, limit])
    return data.draw(st.lists(entry, min_size=1, max_size=members))


@pytest.mark.parametrize("chosen", [SCHNORR, SAFE, group("secp256k1")], ids=lambda chosen: chosen.name)
@given(data=st.data())
@settings(deadline=None)
def test_lifted_sums_are_exact(chosen: AnyGroup, data: st.DataObject) -> None:
    lifted = Lifted(chosen, FixedPoint(range=2, fraction_bits=5), members=5)
    entries = draw_entries(data, 64, 5)
    assert sum_of(lifted, entries) == sum(entries)


@given(
    chosen=st.sampled_from([SAFE, PAPER, LARGE]),
    largest=st.sampled_from([0.5, 1.0, 3.7, 16.0]),
    fraction_bits=st.integers(1, 32),
    members=st.integers(1, 20),
    data=st.data(),
)
@settings(max_examples=300, deadline=None)
def test_exponential_sums_are_exact_whenever_they_are_said_to_fit(
    chosen: ModularGroup, largest: float, fraction_bits: int, members: int, data: st.DataObject
) -> None:
    exponential = Exponential(chosen, FixedPoint(range=largest, fraction_bits=fraction_bits), members)
    assume(not exponential.problems())
    entries = draw_entries(data, exponential.fixed_point.limit, members)
    assert sum_of(exponential, entries) == sum(entries)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("chosen", [PAPER, LARGE, modular_group("ffdhe3072")], ids=lambda chosen: chosen.name)
def test_exponential_sums_are_exact_where_they_only_just_fit(chosen: ModularGroup, sign: int) -> None:
    for members in (1, 2, 4, 8, 16):
        grids = [FixedPoint(range=1, fraction_bits=bits) for bits in range(33)]
        fitting = [grid for grid in grids if not Exponential(chosen, grid, members).problems()]
        if fitting:
            finest = Exponential(chosen, fitting[-1], members)
            entries = [sign * finest.fixed_point.limit] * (members - 1) + [sign]
            assert sum_of(finest, entries) == sum(entries)


@given(fraction_bits=st.integers(0, 32), members=st.integers(1, 30), largest=st.floats(1, 300))
def test_the_error_of_all_factors_stays_below_the_proved_part_of_a_step(
    fraction_bits: int, members: int, largest: float
) -> None:
    exponential = Exponential(
        group("ffdhe3072"), FixedPoint(range=largest, fraction_bits=fraction_bits), members
    )
    assume(not exponential.problems())
    limit = exponential.fixed_point.limit
    factors = exponential.elements(np.array([-limit, limit, 1 - limit, 0]))
    for value, factor in zip([-limit, limit, 1 - limit, 0], factors, strict=True):
        error = math.log(int(factor)) - exponential.scale_bits * math.log(2) - value * 2.0**-fraction_bits
        assert members * abs(error) < 0.4546 * 2.0**-fraction_bits + 2.0**-35


@pytest.mark.parametrize("name", ["lifted", "exponential"])
def test_an_element_that_is_no_sum_is_refused(name: EncodingName) -> None:
    chosen = encoding(name, PAPER, FixedPoint(range=1, fraction_bits=4), members=2)
    alien = PAPER.canonical(powmod(PAPER.g, 1 << 100, PAPER.p))
    with pytest.raises(OutOfRange, match="1 of 2 elements are no sums of 2 entries"):
        chosen.decode([*PAPER.multiply([chosen.elements(np.array([1]))] * 2), alien], 2)


@pytest.mark.parametrize("name", ["lifted", "exponential"])
def test_a_sum_too_large_for_its_members_is_refused(name: EncodingName) -> None:
    chosen = encoding(name, PAPER, FixedPoint(range=1, fraction_bits=4), members=3)
    columns = [chosen.elements(np.array([16]))] * 3
    assert chosen.decode(PAPER.multiply(columns), 3) == [48]
    if isinstance(chosen, Exponential):
        columns[0] = [columns[0][0] << chosen.scale_bits]
    with pytest.raises(OutOfRange):
        chosen.decode(PAPER.multiply(columns), 2)


def test_no_rows_decode_to_no_sums() -> None:
    for chosen in (Lifted(SCHNORR, FixedPoint(1, 4), 2), Exponential(SAFE, FixedPoint(1, 4), 2)):
        assert chosen.decode(chosen.elements(np.array([], np.int64)), 2).shape == (0,)


@pytest.mark.parametrize("name", GROUP_NAMES)
def test_every_possible_sum_is_told_from_every_other(name: str) -> None:
    # More sums than p has bits: where the generator is 2, the first of them are powers of two as integers.
    lifted = Lifted(group(name), FixedPoint(range=16, fraction_bits=8), members=1)
    sums = np.arange(-4096, 4097)
    np.testing.assert_array_equal(lifted.decode(lifted.elements(sums), 1), sums)


@pytest.mark.parametrize("name", ["lifted", "exponential"])
def test_a_masked_value_is_its_element_times_the_mask(name: EncodingName) -> None:
    chosen = encoding(name, PAPER, FixedPoint(range=1, fraction_bits=4), members=2)
    values, nonces = np.array([-16, 0, 3]), Exponents([5, 0, 1 << 200])
    base = PAPER.power_table([PAPER.g], range(PAPER.nonce_bound))
    masks = PAPER.powers([PAPER.g], nonces)
    assert chosen.masked(values, base, nonces) == PAPER.multiply([chosen.elements(values), masks])


def test_lifted_elements_are_powers_of_the_generator() -> None:
    lifted = Lifted(SCHNORR, FixedPoint(range=1, fraction_bits=8), members=3)
    powers = [powmod(SCHNORR.g, v, SCHNORR.p) for v in (-256, -1, 0, 1, 256)]
    assert lifted.elements(np.array([-256, -1, 0, 1, 256])) == powers


def test_exponential_elements_are_the_papers_scaled_exponentials() -> None:
    exponential = Exponential(PAPER, FixedPoint(range=1, fraction_bits=4), members=3)
    expected = [mpz(round(2**exponential.scale_bits * math.exp(v / 16))) for v in (-16, 0, 5, 16)]
    assert exponential.elements(np.array([-16, 0, 5, 16])) == expected


def test_the_default_grid_fits_eight_members_by_table_and_four_by_the_papers_key() -> None:
    grid = FixedPoint(range=16, fraction_bits=12)
    assert capacity_problems("lifted", group("schnorr2048"), grid, 8) == []
    assert "1,048,577 possible sums, of 4,194,304" in explain_capacity(
        "lifted", group("schnorr2048"), grid, 8
    )
    assert capacity_problems("exponential", PAPER, grid, 4) == []
    assert "4 factors of 62.1 bits make a product of 249.3 bits" in explain_capacity(
        "exponential", PAPER, grid, 4
    )


def test_a_table_that_would_be_too_large_is_refused_with_the_numbers() -> None:
    members = TABLE_LIMIT // (2 << 16) + 1
    grid = FixedPoint(range=16, fraction_bits=12)
    (problem,) = capacity_problems("lifted", group("schnorr2048"), grid, members)
    assert f"{members} members with range 16 and 12 fraction bits have 4,325,377 possible sums" in problem
    assert problem.endswith(
        "range may be at most 15.5152, or with this range system.fraction_bits at most 11"
    )
    assert capacity_problems("lifted", group("schnorr2048"), FixedPoint(15.5152, 12), members) == []
    assert capacity_problems("lifted", group("schnorr2048"), FixedPoint(15.5154, 12), members) != []
    assert problem in explain_capacity("lifted", group("schnorr2048"), grid, members)


def test_more_sums_than_elements_are_refused() -> None:
    (problem,) = capacity_problems("lifted", SAFE, FixedPoint(range=1 << 20, fraction_bits=31), 1 << 12)
    assert "insecure64 has only" in problem


def test_the_papers_256_bit_key_has_no_room_for_eight_members_at_32_bits() -> None:
    grid = FixedPoint(range=1, fraction_bits=32)
    (problem,) = capacity_problems("exponential", PAPER, grid, 8)
    assert "insecure256 has room for 254" in problem


def test_a_factor_beyond_double_precision_is_refused() -> None:
    assert capacity_problems("exponential", group("ffdhe3072"), FixedPoint(range=400, fraction_bits=2), 1)


def test_exponentials_are_refused_on_a_curve() -> None:
    (problem,) = capacity_problems("exponential", group("secp256k1"), FixedPoint(range=1, fraction_bits=2), 2)
    assert problem.endswith('set system.scheme.encoding = "lifted"')


def test_exponentials_are_refused_in_a_schnorr_group() -> None:
    (problem,) = capacity_problems("exponential", SCHNORR, FixedPoint(range=1, fraction_bits=2), 2)
    assert "safe-prime" in problem
