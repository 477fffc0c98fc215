from collections.abc import Callable

import pytest
from gmpy2 import is_prime, jacobi, mpz, powmod
from hypothesis import given
from hypothesis import strategies as st

from mdl.schemes.groups import GROUP_NAMES, MODULAR_NAMES, group, modular_group
from mdl.schemes.modular import KEY_MODULUS, ModularGroup, SafePrimeGroup, SchnorrGroup

GROUPS = [modular_group(name) for name in MODULAR_NAMES]
SAFE = modular_group("insecure64")
SCHNORR = modular_group("insecure_schnorr96")
TOYS = [SAFE, SCHNORR]

# RFC 7919, appendix A.1: the prime's first and last words.
FFDHE2048_HEAD = (
    "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1D8B9C583CE2D3695A9E13641146433FBCC939DCE249B3EF9"
)
FFDHE2048_TAIL = "886B423861285C97FFFFFFFFFFFFFFFF"
FFDHE3072_TAIL = "66C62E37FFFFFFFFFFFFFFFF"


def element(chosen: ModularGroup, exponent: int) -> mpz:
    return chosen.canonical(powmod(chosen.g, exponent, chosen.p))


EXPONENTS = st.lists(st.integers(0, 1 << 62), min_size=1, max_size=5)


@pytest.mark.parametrize("chosen", GROUPS, ids=lambda chosen: chosen.name)
def test_modulus_and_order_are_prime_and_the_generator_has_that_order(chosen: ModularGroup) -> None:
    assert is_prime(chosen.p, 30)
    assert is_prime(chosen.q, 30)
    assert chosen.canonical(chosen.g) == chosen.g != 1
    assert element(chosen, chosen.q) == 1


@pytest.mark.parametrize("chosen", GROUPS, ids=lambda chosen: chosen.name)
def test_each_kind_of_group_has_the_shape_that_its_membership_test_relies_on(chosen: ModularGroup) -> None:
    if isinstance(chosen, SafePrimeGroup):
        assert chosen.p == 2 * chosen.q + 1
        assert chosen.p % 4 == 3
    else:
        r, rest = divmod(chosen.p - 1, 2 * chosen.q)
        assert rest == 0
        assert is_prime(r, 30)
        assert r != chosen.q


@pytest.mark.parametrize(
    ("name", "bits", "security_bits"),
    [
        ("schnorr2048", 2048, 112),
        ("schnorr3072", 3072, 128),
        ("ffdhe2048", 2048, 112),
        ("ffdhe3072", 3072, 128),
        ("insecure256", 256, 0),
        ("insecure64", 64, 0),
        ("insecure_schnorr96", 96, 0),
    ],
)
def test_groups_say_how_secure_they_are(name: str, bits: int, security_bits: int) -> None:
    chosen = modular_group(name)
    assert (chosen.bits, chosen.security_bits, chosen.insecure) == (bits, security_bits, security_bits == 0)
    assert chosen.insecure == name.startswith("insecure")
    assert chosen.element_bytes == bits // 8


def test_the_rfc_groups_are_those_of_the_rfc() -> None:
    printed = f"{int(modular_group('ffdhe2048').p):X}"
    assert printed.startswith(FFDHE2048_HEAD)
    assert printed.endswith(FFDHE2048_TAIL)
    assert f"{int(modular_group('ffdhe3072').p):X}".endswith(FFDHE3072_TAIL)


@pytest.mark.parametrize("find", [group, modular_group])
def test_an_unknown_group_is_refused_with_the_names_of_the_known(find: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match="schnorr2048"):
        find("rot13")


def test_the_curve_is_no_group_of_integers() -> None:
    assert set(GROUP_NAMES) - set(MODULAR_NAMES) == {"secp256k1"}
    with pytest.raises(ValueError, match="no such group"):
        modular_group("secp256k1")


@given(x=st.integers(1, int(SAFE.p) - 1))
def test_x_and_minus_x_are_one_element_of_a_safe_prime_group(x: int) -> None:
    canonical = SAFE.canonical(mpz(x))
    assert canonical == SAFE.canonical(SAFE.p - x) == min(x, SAFE.p - x)
    assert 1 <= canonical <= SAFE.largest


@given(exponent=st.integers(0, int(SCHNORR.q) - 1))
def test_minus_an_element_is_no_element_of_a_schnorr_group(exponent: int) -> None:
    x = element(SCHNORR, exponent)
    assert SCHNORR.is_member(x)
    assert not SCHNORR.is_member(SCHNORR.p - x)


def test_what_the_schnorr_test_lets_through_has_no_small_order() -> None:
    chosen = modular_group("schnorr2048")
    passed = [mpz(x) for x in range(2, 30) if jacobi(x, chosen.p) == 1]
    r = (chosen.p - 1) // (2 * chosen.q)
    assert passed
    assert all(powmod(x, chosen.q * r, chosen.p) == 1 for x in passed)
    assert r.bit_length() > 1700


@pytest.mark.parametrize("chosen", TOYS, ids=lambda chosen: chosen.name)
@given(exponents=EXPONENTS)
def test_elements_come_back_from_their_bytes(chosen: ModularGroup, exponents: list[int]) -> None:
    elements = [element(chosen, exponent) for exponent in exponents]
    packed = chosen.pack(elements)
    assert len(packed) == len(elements) * chosen.element_bytes
    assert chosen.unpack(packed) == elements
    assert chosen.all_members(elements)


@pytest.mark.parametrize("chosen", TOYS, ids=lambda chosen: chosen.name)
def test_integers_outside_the_range_are_refused(chosen: ModularGroup) -> None:
    for alien in (mpz(0), chosen.largest + 1, mpz((1 << 8 * chosen.element_bytes) - 1)):
        with pytest.raises(ValueError, match="outside"):
            chosen.unpack(chosen.pack([mpz(1), alien]))


@pytest.mark.parametrize("chosen", TOYS, ids=lambda chosen: chosen.name)
def test_a_broken_element_is_refused(chosen: ModularGroup) -> None:
    with pytest.raises(ValueError, match="whole number"):
        chosen.unpack(chosen.pack([chosen.g])[:-1])


@pytest.mark.parametrize("chosen", TOYS, ids=lambda chosen: chosen.name)
@given(exponents=EXPONENTS)
def test_products_of_powers_are_powers_of_sums(chosen: ModularGroup, exponents: list[int]) -> None:
    columns = [[element(chosen, exponent), element(chosen, 2 * exponent)] for exponent in exponents]
    total = sum(exponents)
    assert chosen.multiply(columns) == [element(chosen, total), element(chosen, 2 * total)]


@pytest.mark.parametrize("chosen", TOYS, ids=lambda chosen: chosen.name)
@given(exponents=st.lists(st.integers(0, 1 << 62), max_size=5))
def test_an_element_times_its_inverse_is_one(chosen: ModularGroup, exponents: list[int]) -> None:
    elements = [element(chosen, exponent) for exponent in exponents]
    assert chosen.multiply([elements, chosen.inverses(elements)]) == [1] * len(elements)


def test_short_nonces_are_for_long_safe_primes_only() -> None:
    assert modular_group("ffdhe2048").nonce_bound == 1 << 256
    assert modular_group("insecure256").nonce_bound == modular_group("insecure256").q
    assert all(chosen.nonce_bound == chosen.q for chosen in GROUPS if isinstance(chosen, SchnorrGroup))


def test_the_keys_of_a_table_are_residues_modulo_a_prime_in_which_2_has_a_large_order() -> None:
    assert is_prime(KEY_MODULUS)
    powers = {int(powmod(2, exponent, KEY_MODULUS)) for exponent in range(3072)}
    assert len(powers) == 3072
