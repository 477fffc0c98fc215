"""The ring against Python's integers, which know nothing of transforms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.schemes.bfv.ring import COEFFICIENT_BYTES, DEGREE, Elements, product, spectra, total, transforms

Q = 1 << 96


def elements(values: list[int]) -> Elements:
    return Elements(
        np.array([value % Q & (1 << 64) - 1 for value in values], np.uint64),
        np.array([value % Q >> 64 for value in values], np.uint32),
    )


def integers(found: Elements) -> list[int]:
    return [int(low) + (int(high) << 64) for low, high in zip(found.low, found.high, strict=True)]


def negacyclic(a: list[int], b: list[int]) -> list[int]:
    """Multiply modulo x^N + 1 by packing polynomials into one integer each (Kronecker's substitution)."""
    width, degree = 96 + 40, len(a)
    packed = sum(value << width * at for at, value in enumerate(a))
    positive = sum(1 << width * at for at, value in enumerate(b) if value == 1)
    negative = sum(1 << width * at for at, value in enumerate(b) if value == -1)
    mask, result = (1 << width) - 1, [0] * degree
    for sign, factor in ((1, positive), (-1, negative)):
        whole = packed * factor
        for at in range(2 * degree):
            wrapped = 1 if at < degree else -1
            result[at % degree] += sign * wrapped * (whole >> width * at & mask)
    return [value % Q for value in result]


coefficients = st.lists(st.integers(0, Q - 1), min_size=16, max_size=16)
ternaries = st.lists(st.integers(-1, 1), min_size=16, max_size=16)


@given(a=coefficients, s=ternaries)
def test_products_are_those_of_integers(a: list[int], s: list[int]) -> None:
    found = product(transforms(elements(a)), spectra(np.array(s, np.int8)))
    assert integers(found) == negacyclic(a, s)


@pytest.mark.parametrize(
    "a", [0, 1, Q - 1, Q // 2, Q // 2 - 1, (Q - 1) // 3, sum(1 << 24 * k + 23 for k in range(4))]
)
@pytest.mark.parametrize("s", [-1, 1])
def test_the_largest_products_of_the_full_degree_are_exact(a: int, s: int) -> None:
    """All coefficients alike: no product is longer, and digits of the largest size occur."""
    found = product(transforms(elements([a] * DEGREE)), spectra(np.full(DEGREE, s, np.int8)))
    # The coefficient k of the square of 1 + x + ... is k + 1 - (N - k - 1).
    assert integers(found) == [s * a * (2 * k + 2 - DEGREE) % Q for k in range(DEGREE)]


def test_random_products_of_the_full_degree() -> None:
    rng = np.random.default_rng(5)
    a = [int.from_bytes(rng.bytes(12), "big") for _ in range(DEGREE)]
    s = rng.integers(-1, 2, DEGREE).astype(np.int8)
    found = product(transforms(elements(a)), spectra(s))
    assert integers(found) == negacyclic(a, s.tolist())


def test_a_known_answer() -> None:
    """(1 + 2x) * (x - x^3) = x + 2x^2 - x^3 - 2x^4, and x^4 = -1."""
    found = product(transforms(elements([1, 2, 0, 0])), spectra(np.array([0, 1, 0, -1], np.int8)))
    assert integers(found) == [2, 1, 2, Q - 1]


@given(a=coefficients, b=coefficients)
def test_sums_and_negatives(a: list[int], b: list[int]) -> None:
    assert integers(elements(a) + elements(b)) == [(x + y) % Q for x, y in zip(a, b, strict=True)]
    assert integers(-elements(a)) == [-x % Q for x in a]
    assert integers(total([elements(a), elements(b), elements(a)])) == [
        (2 * x + y) % Q for x, y in zip(a, b, strict=True)
    ]


@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=8))
def test_integers_are_embedded(values: list[int]) -> None:
    assert integers(Elements.of(np.array(values, np.int64))) == [value % Q for value in values]


@given(a=coefficients, shift=st.integers(64, 94))
def test_rounding_is_to_the_nearest(a: list[int], shift: int) -> None:
    for value, found in zip(a, elements(a).nearest(shift).tolist(), strict=True):
        signed = value - Q if value >= Q // 2 else value
        # Halfway up; what is rounded beyond the largest wraps around.
        assert (found - ((signed >> shift - 1) + 1 >> 1)) % (1 << 96 - shift) == 0


@given(a=coefficients, values=st.lists(st.integers(-(2**31), 2**31 - 1), min_size=16, max_size=16))
def test_what_is_raised_comes_back(a: list[int], values: list[int]) -> None:
    raised = elements(a).raised(np.array(values, np.int64), 64)
    assert integers(raised) == [(x + (y << 64)) % Q for x, y in zip(a, values, strict=True)]


def test_bytes_round_trip() -> None:
    rng = np.random.default_rng(1)
    made = Elements(
        rng.integers(0, 1 << 64, (3, 16), np.uint64), rng.integers(0, 1 << 32, (3, 16), np.uint32)
    )
    data = made.tobytes()
    assert len(data) == 3 * 16 * COEFFICIENT_BYTES
    again = Elements.read(data, 16)
    assert (again.low == made.low).all()
    assert (again.high == made.high).all()
    with pytest.raises(ValueError, match="no whole number"):
        Elements.read(data[:-1], 16)
