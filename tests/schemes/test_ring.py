import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mdl.errors import OutOfRange
from mdl.schemes.rlwe import ring

LONGEST = 1448
"""The largest integer that all 2048 coefficients of a key may have."""

EXTREMES = {
    "constant": np.full(ring.DEGREE, LONGEST),
    "alternating": LONGEST * (-1) ** np.arange(ring.DEGREE),
    "one coefficient": ring.NORM_LIMIT * (np.arange(ring.DEGREE) == 5),
    "a wave": np.rint(LONGEST * np.cos(np.arange(ring.DEGREE) / 7)),
    "random signs": LONGEST * np.random.default_rng(1).choice([-1, 1], ring.DEGREE),
}


def schoolbook(polynomial: NDArray[np.int64], key: NDArray[np.int64]) -> ring.Words:
    """Multiply modulo x^N + 1 in integers of 64 bits: exact, as coefficients stay below 2^31 * |key|_1."""
    product = np.convolve(polynomial, key)
    folded = product[: len(key)]
    folded[:-1] -= product[len(key) :]
    return folded.astype(np.uint32)


def centred(index: int, degree: int) -> NDArray[np.int64]:
    return ring.public_polynomial(index, degree).view(np.int32).astype(np.int64)


def products(keys: NDArray[np.int64], width: int) -> ring.Words:
    rows = np.zeros((len(keys), width), np.uint32)
    ring.add_products(rows, keys.astype(np.int32))
    return rows


@pytest.mark.parametrize("name", EXTREMES)
def test_products_with_the_longest_keys_are_exact(name: str) -> None:
    key = EXTREMES[name].astype(np.int64)
    rows = products(key[np.newaxis], 10 * ring.DEGREE)
    expected = [schoolbook(centred(index, ring.DEGREE), key) for index in range(10)]
    np.testing.assert_array_equal(rows[0], np.concatenate(expected))


@given(
    seed=st.integers(0, 1 << 32),
    log_degree=st.integers(1, 6),
    count=st.integers(1, 20),
    width=st.integers(1, 400),
    largest=st.sampled_from([1, 40, 8000]),
)
@settings(deadline=None)
def test_products_are_exact_whatever_the_shape(
    seed: int, log_degree: int, count: int, width: int, largest: int
) -> None:
    degree = 1 << log_degree
    keys = np.random.default_rng(seed).integers(-largest, largest, (count, degree), endpoint=True)
    expected = [
        np.concatenate([schoolbook(centred(index, degree), key) for index in range(-(-width // degree))])
        for key in keys
    ]
    np.testing.assert_array_equal(products(keys, width), np.array(expected)[:, :width])


def test_products_are_added_to_what_is_there_modulo_q() -> None:
    keys = np.random.default_rng(2).integers(-40, 41, (3, 16))
    rows = np.random.default_rng(3).integers(0, 1 << 32, (3, 50), dtype=np.uint32)
    start = rows.copy()
    ring.add_products(rows, keys.astype(np.int32))
    np.testing.assert_array_equal(rows, start + products(keys, 50))
    ring.add_products(rows, -keys.astype(np.int32))
    np.testing.assert_array_equal(rows, start)


def test_a_shorter_row_is_the_beginning_of_a_longer_one() -> None:
    keys = np.random.default_rng(4).integers(-40, 41, (2, 16))
    np.testing.assert_array_equal(products(keys, 21), products(keys, 400)[:, :21])


def test_x_to_the_power_of_the_degree_is_minus_one() -> None:
    one, x = np.zeros((1, 8), np.int64), np.zeros((1, 8), np.int64)
    one[0, 0] = x[0, 1] = 1
    polynomial = products(one, 8)[0]
    np.testing.assert_array_equal(polynomial, ring.public_polynomial(0, 8))
    np.testing.assert_array_equal(products(x, 8)[0], np.append(-polynomial[7:], polynomial[:7]))


@pytest.mark.parametrize("key", [[ring.NORM_LIMIT + 1, 0], [ring.NORM_LIMIT, 1]])
def test_a_key_that_products_are_not_exact_for_is_refused(key: list[int]) -> None:
    with pytest.raises(OutOfRange):
        products(np.array([[1, 1], key]), 4)


def test_public_polynomials_are_what_the_published_string_gives() -> None:
    first = hashlib.shake_256(b"mdl: public polynomial 3 of degree 2048").digest(4)
    assert int(ring.public_polynomial(3)[0]) == int.from_bytes(first, "little")
    digest = hashlib.sha256(b"".join(ring.public_polynomial(index).tobytes() for index in range(3)))
    assert digest.hexdigest() == "a7ca7ebe693103f8a46149d7e1bbb31f39a34883e71eabb6716d6145145563c9"


def test_public_polynomials_look_uniform() -> None:
    """Each of the 32 bits is set in half of 2^17 coefficients, within five standard deviations."""
    words = np.concatenate([ring.public_polynomial(index) for index in range(64)])
    set_bits = (words[:, np.newaxis] >> np.arange(32, dtype=np.uint32) & 1).sum(axis=0)
    assert np.abs(set_bits - len(words) / 2).max() < 5 * np.sqrt(len(words)) / 2
