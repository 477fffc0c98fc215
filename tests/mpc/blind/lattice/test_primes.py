"""Residues are lifted and divided as integers are."""

import os
from fractions import Fraction
from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mdl.mpc.blind.lattice.primes import (
    ALL,
    PLAIN,
    PLAIN_MODULUS,
    SCALE,
    SCALE_MODULUS,
    centred,
    divided,
    drawn,
    minus,
    plus,
    reduced,
    times,
)
from mdl.mpc.keystream import Keystream
from mdl.schemes.number_theoretic import Residues

Q = PLAIN_MODULUS * SCALE_MODULUS


def residues(values: list[int], primes: tuple[int, ...]) -> list[Residues]:
    return [np.array([value % prime for value in values], np.uint64) for prime in primes]


def is_prime(number: int) -> bool:
    return all(number % factor for factor in range(2, int(number**0.5) + 1))


def test_moduli_are_different_primes_that_allow_transforms_of_8192_coefficients() -> None:
    assert len(set(ALL)) == len(ALL) == len(PLAIN) + len(SCALE)
    for prime in ALL:
        assert is_prime(prime)
        assert prime % (1 << 14) == 1
        assert prime < 1 << 31


def test_moduli_are_of_the_sizes_that_the_proofs_take() -> None:
    assert PLAIN[0] < PLAIN[1]
    assert 1 << 61 < PLAIN_MODULUS < 1 << 62
    assert SCALE_MODULUS > 1 << 123
    assert prod(ALL).bit_length() == 186


HALF = PLAIN_MODULUS // 2
EDGES = [0, 1, -1, HALF, -HALF, PLAIN[0], PLAIN[1] - 1, -PLAIN[1]]


@given(values=st.lists(st.one_of(st.integers(-HALF, HALF), st.sampled_from(EDGES)), min_size=1, max_size=20))
def test_numbers_near_zero_are_their_residues_lifted(values: list[int]) -> None:
    assert centred(residues(values, PLAIN)).tolist() == values
    signed = np.array(values)
    for expected, prime in zip(residues(values, PLAIN), PLAIN, strict=True):
        np.testing.assert_array_equal(reduced(signed, prime), expected)


def test_residues_of_the_one_prime_may_exceed_the_other_prime() -> None:
    values = [PLAIN[1] - 1, PLAIN[0], 3 * PLAIN[1] - 1, 3 * PLAIN[0] - 1]
    assert centred(residues(values, PLAIN)).tolist() == values


@given(one=st.integers(0, ALL[1] - 1), two=st.integers(0, ALL[1] - 1))
def test_entries_are_computed_with_modulo_a_prime(one: int, two: int) -> None:
    prime = ALL[1]
    a, b = residues([one, 0, prime - 1], (prime,))[0], residues([two, prime - 1, prime - 1], (prime,))[0]
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    assert times(a, b, prime).tolist() == [x * y % prime for x, y in pairs]
    assert plus(a, b, prime).tolist() == [(x + y) % prime for x, y in pairs]
    assert minus(a, b, prime).tolist() == [(x - y) % prime for x, y in pairs]


MULTIPLES = st.builds(
    lambda multiple, beside: (multiple * SCALE_MODULUS + beside) % Q,
    st.sampled_from([0, 1, HALF, PLAIN_MODULUS - 1]),
    st.integers(-2, 2),
)


@given(values=st.lists(st.one_of(st.integers(0, Q - 1), MULTIPLES), min_size=1, max_size=10))
def test_quotient_and_rest_are_those_of_a_number_nearby(values: list[int]) -> None:
    quotients, above = divided(residues(values, ALL))
    assert (above >= 0).all()
    assert (above < 1).all()
    whole = centred(quotients).tolist()
    for place, value in enumerate(values):
        apart = (whole[place] + Fraction(above[place]) - Fraction(value, SCALE_MODULUS)) % PLAIN_MODULUS
        assert min(apart, PLAIN_MODULUS - apart) < Fraction(1, 2**50)


def test_draws_are_uniform_residues() -> None:
    for found, prime in zip(drawn(Keystream(os.urandom(16)), (4000,), ALL), ALL, strict=True):
        assert found.max() < prime
        counts = np.bincount((found * np.uint64(16) // np.uint64(prime)).astype(int), minlength=16)
        # 250 in each sixteenth, six standard deviations of 15.3.
        assert np.abs(counts - 250).max() < 92
