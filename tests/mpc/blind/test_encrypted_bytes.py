"""How batches are cut, and what a network's images take."""

import pytest
import torch

from mdl.mpc.blind.encrypted_bytes import batches, check_fits, laid_out, offline_bytes, square_bytes
from mdl.mpc.blind.plan import Convolution, Dense, Flatten, MaxPool, Relu, steps
from mdl.mpc.blind.plan import Quadratic as QuadraticStage
from mdl.mpc.blind.translation import plan_of
from tests.mpc.blind.lattice.affines import step
from tests.mpc.blind.pairs import convnet

INSECURE = 128


def test_a_batch_is_cut_into_equal_parts_that_fit() -> None:
    first = step(Convolution(1, 1, 3, 1, 1), (1, 4, 4))
    assert [each.rows for each in laid_out(first, 11, INSECURE)] == [2, 3, 3, 3]
    assert [each.rows for each in laid_out(first, 3, INSECURE)] == [3]
    with pytest.raises(ValueError, match="does not fit"):
        list(laid_out(step(Convolution(1, 1, 3, 1, 1), (1, 12, 12)), 1, INSECURE))


def test_polynomials_come_in_batches() -> None:
    assert batches(1, 8) == [1]
    assert batches(8 * 16, 8) == [16]
    assert batches(8 * 33 + 1, 8) == [16, 16, 2]


def test_four_hundred_images_take_a_hundred_and_thirty_thousand_bytes_each() -> None:
    shape = (3, 32, 32)
    sizes = offline_bytes(steps(plan_of(convnet()), shape), 400)
    per_image = [(each.product.total / 400, each.squares.total / 400) for each in sizes]
    assert per_image == [(51134.2, 26752.0), (32179.2, 13376.0), (6657.25, 0.0)]


def test_squares_are_counted_alone_among_activations() -> None:
    plan = Dense(4, 6), QuadraticStage(1, 1), Relu(), QuadraticStage(0, 0), Dense(6, 2)
    first, last = offline_bytes(steps(plan, (4,)), 10)
    assert first.squares == square_bytes(torch.Size([10, 6])) + square_bytes(torch.Size([10, 6]))
    assert last.squares.total == 0


@pytest.mark.parametrize(("side", "fits"), [(88, True), (89, False)])
def test_images_must_fit_a_polynomial(side: int, fits: bool) -> None:
    plan = Convolution(1, 1, 3, 1, 1), MaxPool(side, side), Flatten(), Dense(1, 2)
    found = steps(plan, (1, side, side))
    if fits:
        check_fits(found)
        return
    with pytest.raises(ValueError, match="does not fit polynomials of degree 8192"):
        check_fits(found)
