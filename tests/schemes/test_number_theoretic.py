"""Transforms multiply polynomials modulo x^N + 1, for every prime that is used."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mdl.schemes.number_theoretic import Residues, transform

LARGEST = 2147352577
"""The largest prime below 2^31 that is 1 modulo 2^14."""
PRIMES = (LARGEST, 2146418689, 40961, 97)
DEGREE = 16


def schoolbook(one: Residues, two: Residues, prime: int) -> list[int]:
    """Multiply modulo x^N + 1 in Python's integers."""
    degree = len(one)
    found = [0] * degree
    for i, a in enumerate(one.tolist()):
        for j, b in enumerate(two.tolist()):
            found[(i + j) % degree] += a * b if i + j < degree else -a * b
    return [each % prime for each in found]


def product(one: Residues, two: Residues, prime: int) -> Residues:
    around = transform(prime, len(one))
    return around.inverse(around(one) * around(two) % np.uint64(prime))


def residues(prime: int, *shape: int, seed: int = 1) -> NDArray[np.uint64]:
    return np.random.default_rng(seed).integers(0, prime, shape).astype(np.uint64)


@given(prime=st.sampled_from(PRIMES), log_degree=st.integers(1, 4), seed=st.integers(0, 1 << 32))
def test_products_of_values_are_those_of_polynomials(prime: int, log_degree: int, seed: int) -> None:
    one, two = residues(prime, 2, 1 << log_degree, seed=seed)
    assert product(one, two, prime).tolist() == schoolbook(one, two, prime)


@pytest.mark.parametrize("prime", PRIMES)
def test_the_largest_residues_do_not_overflow(prime: int) -> None:
    largest = np.full(DEGREE, prime - 1, np.uint64)
    assert product(largest, largest, prime).tolist() == schoolbook(largest, largest, prime)


@pytest.mark.parametrize("shape", [(DEGREE,), (DEGREE, 1), (DEGREE, 33), (DEGREE, 2, 3)])
def test_a_batch_is_transformed_like_its_members_and_left_as_it_was(shape: tuple[int, ...]) -> None:
    around = transform(LARGEST, DEGREE)
    batch = residues(LARGEST, *shape)
    kept = batch.copy()
    values = around(batch)
    np.testing.assert_array_equal(batch, kept)
    columns = values.reshape(DEGREE, -1).T
    for column, polynomial in zip(columns, batch.reshape(DEGREE, -1).T, strict=True):
        np.testing.assert_array_equal(column, around(polynomial))
    np.testing.assert_array_equal(around.inverse(values), batch)


def test_at_the_largest_degree_x_turns_the_last_coefficient_into_the_first_ones_negative() -> None:
    degree = 8192
    one = residues(LARGEST, degree)
    x = np.zeros(degree, np.uint64)
    x[1] = 1
    found = product(one, x, LARGEST)
    np.testing.assert_array_equal(found[1:], one[:-1])
    assert found[0] == LARGEST - one[-1]


@pytest.mark.parametrize(("prime", "degree"), [(97, 24), (97, 64), (2**61 - 1, 16)])
def test_what_has_no_transform_is_refused(prime: int, degree: int) -> None:
    with pytest.raises(AssertionError):
        transform(prime, degree)
