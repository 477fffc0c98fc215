"""Products with ternary polynomials are exact, in the worst case too."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mdl.mpc.blind.lattice.coefficients import Coefficients
from mdl.mpc.blind.lattice.ternary import LARGEST_DEGREE, product, spectra, transforms
from mdl.mpc.keystream import Keystream
from tests.mpc.blind.lattice.integers import MODULUS, coefficients, integers

LARGE_DIGITS = sum(1 << 24 * place + 23 for place in range(6)) % MODULUS
"""All balanced digits are -2^23."""


def schoolbook(one: Any, two: Any) -> Any:
    degree = len(one)
    found = np.zeros(degree, dtype=object)
    for power, factor in enumerate(two.tolist()):
        found += factor * np.concatenate([-one[degree - power :], one[: degree - power]])
    return found % MODULUS


@given(log_degree=st.integers(1, 5), seed=st.integers(0, 1 << 32))
def test_products_are_those_of_integers(log_degree: int, seed: int) -> None:
    degree = 1 << log_degree
    s = np.random.default_rng(seed).integers(-1, 2, degree).astype(np.int8)
    drawn = Coefficients.drawn(Keystream(seed.to_bytes(16, "big")), torch.Size([3, degree]))
    found = integers(product(transforms(drawn), spectra(s)))
    for polynomial, row in zip(integers(drawn), found, strict=True):
        assert row.tolist() == schoolbook(polynomial, s).tolist()


@pytest.mark.parametrize("sign", ["ones", "alternating"])
@pytest.mark.parametrize("value", [LARGE_DIGITS, MODULUS - LARGE_DIGITS, MODULUS // 2, 1])
def test_the_largest_products_are_exact(value: int, sign: str) -> None:
    degree = LARGEST_DEGREE
    signs = np.ones(degree, np.int8)
    signs[1::2] = 1 if sign == "ones" else -1
    polynomial = np.array([value * int(each) for each in signs], dtype=object)
    found = integers(product(transforms(coefficients(polynomial)), spectra(signs)))
    # Coefficient k of the product has k + 1 terms that do not wrap, and N - k - 1 that do.
    places = np.arange(degree, dtype=object)
    expected = value * (2 * (places + 1) - degree) * signs.astype(object)
    assert (found == expected % MODULUS).all()


def test_random_polynomials_of_the_largest_degree_times_a_power_of_x() -> None:
    degree, power = LARGEST_DEGREE, 5000
    one = Coefficients.drawn(Keystream(bytes(16)), torch.Size([degree]))
    x = np.zeros(degree, np.int8)
    x[power] = -1
    values = integers(one)
    expected = np.concatenate([values[degree - power :], -values[: degree - power]]) % MODULUS
    assert (integers(product(transforms(one), spectra(x))) == expected).all()
