"""Both ways of multiplying matrices are exact modulo 2^64, and one of them is taken."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mdl.mpc import kernels
from mdl.mpc.kernels import Product, by_digits, by_words, matmul

LEAST, MOST = -(2**63), 2**63 - 1
EDGES = torch.tensor(
    [0, 1, -1, LEAST, LEAST + 1, MOST, MOST - 1, 2**21, 2**21 - 1, -(2**21), 2**43, -(2**43)]
)

WAYS: list[Product] = [by_words, by_digits, matmul]


def exactly(one: Tensor, two: Tensor) -> Tensor:
    """By Python's integers."""
    left, right = one.tolist(), list(zip(*two.tolist(), strict=True))
    rows = [[sum(a * b for a, b in zip(row, column, strict=True)) for column in right] for row in left]
    return torch.tensor([[(entry - LEAST) % 2**64 + LEAST for entry in row] for row in rows])


@pytest.mark.parametrize("way", WAYS)
@settings(deadline=None, max_examples=25)
@given(shape=st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 5)), seed=st.integers(0, 2**32))
def test_products_are_exact(way: Product, shape: tuple[int, int, int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows, inner, columns = shape
    one = torch.randint(LEAST, MOST, (rows, inner), generator=generator)
    two = torch.randint(LEAST, MOST, (inner, columns), generator=generator)
    assert torch.equal(way(one, two), exactly(one, two))


@pytest.mark.parametrize("way", WAYS)
def test_products_of_extreme_numbers_are_exact(way: Product) -> None:
    one, two = EDGES.reshape(-1, 1), EDGES.reshape(1, -1)
    assert torch.equal(way(one, two), exactly(one, two))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [LEAST, -(2**21), 2**21 - 1, MOST, -1 - 2**21 - (2**21 << 22)])
def test_sums_of_many_of_the_largest_products_are_exact(way: Product, value: int) -> None:
    """Beyond what floating point adds up exactly at once."""
    length = 2 * kernels._EXACT_LENGTH + 7
    one, two = torch.full((2, length), value), torch.full((length, 1), value)
    expected = (length * value * value - LEAST) % 2**64 + LEAST
    assert way(one, two).flatten().tolist() == [expected] * 2


def test_factors_may_be_transposed() -> None:
    one, two = torch.randint(LEAST, MOST, (9, 4)), torch.randint(LEAST, MOST, (9, 6))
    for way in WAYS:
        assert torch.equal(way(one.t(), two), exactly(one.t(), two))


def test_many_columns_are_multiplied_strip_by_strip(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = torch.randint(LEAST, MOST, (4, 9)), torch.randint(LEAST, MOST, (17, 9))
    whole = by_words(one, two.t())
    monkeypatch.setattr(kernels, "_STRIP", 5)
    assert torch.equal(by_words(one, two.t()), whole)
    assert torch.equal(by_words(one, two[:11].t()), whole[:, :11])


def test_few_columns_by_a_transpose_are_multiplied_as_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = torch.randint(LEAST, MOST, (9, 7)).t(), torch.randint(LEAST, MOST, (9, 3))
    monkeypatch.setattr(kernels, "_NARROW", 3)
    as_rows = by_words(one, two)
    assert not as_rows.is_contiguous()
    assert torch.equal(as_rows, exactly(one, two))
    as_they_are = [by_words(one.contiguous(), two)]
    monkeypatch.setattr(kernels, "_NARROW", 2)
    as_they_are.append(by_words(one, two))
    for found in as_they_are:
        assert found.is_contiguous()
        assert torch.equal(found, as_rows)


def test_one_way_is_found_once() -> None:
    assert kernels._fastest() is kernels._fastest()
    assert kernels._fastest() in (by_words, by_digits)


def test_the_faster_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for slow, fast in ((by_words, by_digits), (by_digits, by_words)):
        monkeypatch.setattr(kernels, "_seconds", lambda way, *_, slow=slow: float(way is slow))
        assert kernels._fastest.__wrapped__() is fast
