"""Entries lie where shifts by constants meet them, and nothing else comes into an output."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mdl.mpc.blind.arithmetic import weighted
from mdl.mpc.blind.lattice.layout import UNSEEN, ZERO, Layout, layout, most_rows
from mdl.mpc.blind.plan import Affine, Convolution, Dense, Shape
from tests.mpc.blind.lattice.affines import KINDS, affines

DEGREE = 256
COSTS = 17, 10


def multiplied(found: Layout, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Multiply by shifts of plain polynomials; what is unseen is large, so that it would be noticed."""
    flat = np.append(values.reshape(-1).numpy(), [0, 1 << 40])
    entries = found.entries
    polynomials = flat[np.where(entries == UNSEEN, -1, np.where(entries == ZERO, -2, entries))]
    outputs = found.outputs.reshape(-1)
    columns = list(zip(*(each.tolist() for each in found.terms), strict=True))
    results = []
    for output in range(found.window.outputs):
        reply, number = divmod(output, found.merged)
        total = np.zeros(found.degree, np.int64)
        for other in range(reply * found.merged, min((reply + 1) * found.merged, found.window.outputs)):
            for (polynomial, shift), factor in zip(columns, weight[other].tolist(), strict=True):
                power = other % found.merged * found.distance - shift
                total += factor * _shifted(polynomials[polynomial], power)
        results.append(total[outputs + number * found.distance].reshape(found.outputs.shape))
    return torch.from_numpy(np.stack(results, 1))


def _shifted(polynomial: np.ndarray, power: int) -> np.ndarray:
    """Multiply by a power of x."""
    around = np.concatenate([-polynomial, polynomial, -polynomial])
    start = len(polynomial) - power
    return around[start : start + len(polynomial)]


def numbers(*shape: int) -> torch.Tensor:
    return torch.randint(-50, 50, shape)


def check(found: Layout, affine: Affine, shape: Shape) -> None:
    values, weight = numbers(found.rows, *shape), numbers(*affine.weight_shape)
    expected = weighted(affine, values, weight)
    assert torch.equal(multiplied(found, values, weight).reshape(expected.shape), expected)


@given(kind=affines(), data=st.data())
def test_shifts_times_weights_are_the_product(kind: tuple[Affine, Shape], data: st.DataObject) -> None:
    affine, shape = kind
    rows = data.draw(st.integers(1, min(4, most_rows(affine, shape, DEGREE))))
    check(layout(affine, shape, rows, DEGREE, COSTS), affine, shape)


@pytest.mark.parametrize("costs", [(1, 1000), (1000, 1), COSTS], ids=["cheap zeros", "dear zeros", "both"])
@pytest.mark.parametrize(("affine", "shape"), KINDS, ids=str)
def test_whatever_is_cheaper_the_product_is_right(
    affine: Affine, shape: Shape, costs: tuple[int, int]
) -> None:
    check(layout(affine, shape, 1, DEGREE, costs), affine, shape)


def test_outputs_share_a_polynomial_only_where_that_saves_bytes() -> None:
    affine = Dense(16, 10)
    assert layout(affine, (16,), 1, DEGREE, (1, 1000)).merged == 10
    assert layout(affine, (16,), 1, DEGREE, (1000, 1)).merged == 1
    assert layout(affine, (16,), DEGREE, DEGREE, (1, 1000)).merged == 1


def test_each_entry_that_is_seen_is_in_one_place() -> None:
    found = layout(Convolution(3, 4, 7, 4, 2), (3, 9, 13), 2, DEGREE, COSTS)
    entries = found.entries[found.entries >= 0]
    assert len(set(entries.tolist())) == len(entries) == 2 * 3 * 9 * 13


def test_as_many_rows_as_fit_do_and_no_more() -> None:
    affine, shape = Convolution(1, 1, 3, 1, 1), (1, 4, 4)
    most = most_rows(affine, shape, DEGREE)
    assert most == DEGREE // 36
    check(layout(affine, shape, most, DEGREE, COSTS), affine, shape)
    with pytest.raises(ValueError, match="does not fit polynomials of degree 32"):
        most_rows(affine, shape, 32)
