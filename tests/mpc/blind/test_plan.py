"""Plans: what another party announces is cut into steps, or refused."""

import msgspec
import pytest

from mdl.mpc.blind.plan import (
    Centre,
    Convolution,
    Dense,
    Flatten,
    MaxPool,
    Plan,
    Quadratic,
    Relu,
    Sums,
    compares,
    steps,
)

USUAL: Plan = (
    Convolution(3, 16, 5, 2, 2),
    Quadratic(3, 4),
    Sums(2, 2),
    Convolution(16, 32, 3, 1, 1),
    Relu(),
    MaxPool(2, 2),
    Flatten(),
    Dense(512, 10),
)


def test_steps_have_the_shapes_of_the_layers() -> None:
    one, two, three = steps(USUAL, (3, 32, 32))
    assert (one.masked, one.product, one.output) == ((3, 32, 32), (16, 16, 16), (16, 16, 16))
    assert (two.local, two.masked, two.product) == ([Sums(2, 2)], (16, 8, 8), (32, 8, 8))
    assert (two.activated, two.output) == ([(32, 8, 8), (32, 8, 8)], (32, 4, 4))
    assert (three.masked, three.product) == ((512,), (10,))


def test_which_plans_compare() -> None:
    assert compares(USUAL)
    assert not compares((Dense(4, 2), Quadratic(3, 4), Dense(2, 2)))


def test_plans_travel() -> None:
    data = msgspec.msgpack.encode(USUAL)
    assert msgspec.msgpack.decode(data, type=Plan) == USUAL


@pytest.mark.parametrize(
    ("plan", "shape"),
    [
        ((), (4,)),
        ((Flatten(),), (2, 2, 2)),
        ((Dense(4, 2), Relu()), (4,)),
        ((Quadratic(3, 4), Dense(4, 2)), (4,)),
        ((Dense(4, 2),), (5,)),
        ((Dense(0, 2),), (0,)),
        ((Dense(4, -2),), (4,)),
        ((Dense(4, 1 << 25),), (4,)),
        ((Dense(4, 2), Quadratic(-1, 4), Dense(2, 2)), (4,)),
        ((Convolution(3, 2, 3, 1, 0), Flatten(), Dense(2, 2)), (2, 3, 3)),
        ((Convolution(3, 2, 5, 1, 0), Flatten(), Dense(2, 2)), (3, 3, 3)),
        ((Convolution(3, 2, 3, 0, 0), Flatten(), Dense(2, 2)), (3, 3, 3)),
        ((Convolution(3, 2, 3, 1, 1),), (3, 3, 3)),
        ((Sums(2, 2), Dense(4, 2)), (4,)),
        ((Flatten(), Centre(2048, 2), Dense(4, 2)), (1, 2, 2)),
        ((Centre(2048, -1), Dense(4, 2)), (4,)),
        ((Centre(1 << 40, 1), Dense(4, 2)), (4,)),
        ((Dense(4, 2), Quadratic(64, 4), Dense(2, 2)), (4,)),
        ((Dense(4, 2), Quadratic(3, 1 << 62), Dense(2, 2)), (4,)),
        ((Convolution(1, 1, 1, 10**9, 10**9), Flatten(), Dense(9, 10)), (1, 1, 1)),
        ((Sums(0, 2), Flatten(), Dense(4, 2)), (1, 4, 4)),
    ],
)
def test_what_is_no_network_for_such_examples_is_refused(plan: Plan, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        steps(plan, shape)
