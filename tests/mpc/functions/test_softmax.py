"""Functions of secrets are near the true ones; rounded to the nearest, all engines agree on every bit."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mdl.errors import OutOfRange
from mdl.mpc import functions
from mdl.mpc.engine import Engine
from mdl.mpc.fixed import decoded, encoded
from mdl.mpc.functions.quotients import MOST_BELOW, _planned
from mdl.mpc.rounds import Protocol
from mdl.mpc.secret import Secret
from tests.mpc.parties import opened, plainly, replicated

UNIT = 2.0**-16
ONE = 1 << 16


def arguments(count: int = 4000) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    uniform = torch.rand(count, generator=generator, dtype=torch.float64) * -12
    return torch.cat([uniform, torch.tensor([0.0, -UNIT, -1.0, -math.log(2), -100.0, -8000.0]).double()])


async def exponentials(engine: Engine, secret: Secret) -> Secret:
    return await functions.powers_of_two(engine, await functions.binary_exponents(engine, secret))


async def quotients(engine: Engine, secret: Secret) -> Secret:
    """Shape (n, 3): the second and third columns by the first."""
    return await functions.quotients(engine, secret[:, 1:], secret[:, 0], 10)


async def probabilities(engine: Engine, secret: Secret) -> Secret:
    return (await functions.softmax(engine, secret)).probabilities


def logits() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    found = torch.randn(64, 10, generator=generator, dtype=torch.float64) * 5
    found[0] = 1.5  # all alike
    found[1, 3] = 900.0
    return found


def fractions(count: int, most: float) -> Tensor:
    """What is divided by, from end to end and near 1, where it is hardest, and two numbers to divide."""
    generator = torch.Generator().manual_seed(3)
    near_one = torch.linspace(1, min(most, 1.3), count // 2, dtype=torch.float64)
    below = torch.cat([near_one, torch.linspace(1, most, count - count // 2, dtype=torch.float64)])
    above = torch.rand(count, 2, generator=generator, dtype=torch.float64) * 2 - 1
    above[0], above[-1] = torch.tensor([1.0, -1.0]), torch.tensor([-1.0, 1.0])
    return torch.cat([below.reshape(-1, 1), above], 1)


@pytest.mark.parametrize("function", [exponentials, quotients, probabilities])
def test_rounded_to_the_nearest_three_parties_agree_with_one_on_every_bit(function: object) -> None:
    values = {exponentials: arguments(500), quotients: fractions(300, 10.0), probabilities: logits()}
    given = encoded(values[function])  # type: ignore[index]
    program = opened(function, given)  # type: ignore[arg-type]
    found, _ = replicated(program, "nearest")
    assert torch.equal(found, plainly(program))


@pytest.mark.parametrize(
    ("function", "base", "units", "rounds"),
    [
        pytest.param(functions.powers_of_two, 2.0, 1.5, 18, id="powers of two"),
        # A unit of the exponent is 0.7 of them.
        pytest.param(exponentials, math.e, 2.0, 20, id="powers of e"),
    ],
)
def test_powers_are_right_within_so_many_units(
    function: Callable[[Engine, Secret], Protocol[Secret]], base: float, units: float, rounds: int
) -> None:
    given = encoded(arguments())
    exact = base ** decoded(given)
    expected = torch.where(decoded(given) * math.log2(base) > -18, exact, 0)
    found, traffic = replicated(opened(function, given))
    assert float((decoded(found) - expected).abs().max()) <= units * UNIT
    assert traffic.rounds <= 1 + rounds + 1


def test_quotients_are_right_within_two_units() -> None:
    given = encoded(fractions(5000, 10.0))
    found, traffic = replicated(opened(quotients, given))
    exact = decoded(given[:, 1:]) / decoded(given[:, :1])
    assert float((decoded(found) - exact).abs().max()) <= 2 * UNIT
    assert traffic.rounds <= 1 + 12 + 1


@pytest.mark.parametrize("most", [1, 2, 3, 26, 100, 1000])
def test_they_converge_for_any_number_of_classes(most: int) -> None:
    async def of_many(engine: Engine, secret: Secret) -> Secret:
        return await functions.quotients(engine, secret[:, 1:], secret[:, 0], most, 22)

    given = encoded(fractions(500, most))
    exact = decoded(given[:, 1:]) / decoded(given[:, :1])
    for found in (plainly(opened(of_many, given)), replicated(opened(of_many, given))[0]):
        within = 2.0**-17 if most <= 100 else 2.0**-14
        assert float((decoded(found, fraction_bits=22) - exact).abs().max()) < within


def inverses(most: int, below: int) -> NDArray[np.int64]:
    """Give whatever may come out for 1/b, of 24 fraction bits: each rounding on the way up or down."""
    plan = _planned(most)

    def divided(numbers: NDArray[np.int64], drop: int) -> list[NDArray[np.int64]]:
        assert numbers.max() < 2**47 or drop == 32 + plan.slope_bits - 23
        return [numbers >> drop, -(-numbers >> drop)]

    line = np.array([(most + 1 << 16) - below])
    found = np.array(
        [
            (int(inverse[0]), (1 << 23) - int(rest[0]))
            for inverse in divided(line * plan.factor, 16 + plan.factor_bits - 23)
            for rest in divided(below * plan.slope * line, 32 + plan.slope_bits - 23)
        ]
    )
    *steps, last = plan.steps
    for step in steps:
        inverse, residual = found.T
        found = np.concatenate(
            [
                np.stack([product, square - step.shift], 1)
                for product in divided(inverse * (residual + step.one), 23 - step.up)
                for square in divided(residual * residual, 23 - step.residual_up)
            ]
        )
        found = np.unique(found, axis=0)
    inverse, residual = found.T
    return np.concatenate(divided(inverse * (residual + last.one), 46 - last.up - 24))


@pytest.mark.parametrize("most", [2, 10, 26, 91, 100, 500, 903, 998, 1000])
def test_however_it_is_rounded_an_inverse_is_as_near_as_is_said(most: int) -> None:
    """Near 1, and a little below, where roundings of the sum may have left it: there errors are largest."""
    within = 2.0**-17 if most <= 100 else 2.0**-14
    for below in [*range(ONE - 2, ONE + 20), *range(ONE + 20, ONE + 400, 31), most * ONE + 2]:
        found = inverses(most, below) / 2**24
        assert float(abs(found - ONE / below).max()) < within


def test_what_is_multiplied_on_the_way_is_small_for_any_number_of_classes() -> None:
    """Of reals, as the public numbers say; what is in secret is that but for its roundings."""
    for most in range(1, MOST_BELOW + 1):
        plan = _planned(most)
        below = torch.linspace(1, most, 500, dtype=torch.float64)
        line = most + 1 - below
        assert float(line.max()) * plan.factor * 2**16 < 2**47
        inverse = line * plan.factor / 2**plan.factor_bits
        residual = 1 - below * line * plan.slope / 2**plan.slope_bits
        for step in plan.steps:
            factor = residual + step.one * 2.0**-23
            assert float(residual.abs().max()) <= 1
            assert float((inverse * factor).abs().max()) * 2**46 < 2**47
            inverse = inverse * factor * 2.0**step.up
            residual = residual * residual * 2.0**step.residual_up - step.shift * 2.0**-23
        assert float((inverse - 1 / below).abs().max()) < 2.0**-17


def test_probabilities_are_right_within_a_ten_thousandth() -> None:
    found, _ = replicated(opened(probabilities, encoded(logits())))
    assert float((decoded(found) - torch.softmax(logits(), 1)).abs().max()) < 1e-4


@pytest.mark.parametrize("scale", [0.3, 1, 3, 5, 8])
def test_so_they_are_whatever_the_logits(scale: float) -> None:
    generator = torch.Generator().manual_seed(5)
    given = encoded(torch.randn(2000, 10, generator=generator, dtype=torch.float64) * scale)
    found, _ = replicated(opened(probabilities, given))
    assert float((decoded(found) - torch.softmax(decoded(given), 1)).abs().max()) < 1e-4


@pytest.mark.parametrize("powers", [17.5, 17.99, 18.01, 18.5])
def test_so_they_are_where_all_but_one_are_about_to_count_as_zero(powers: float) -> None:
    given = encoded(torch.tensor([[0.0] + [-powers * math.log(2)] * 9], dtype=torch.float64).expand(200, -1))
    found, _ = replicated(opened(probabilities, given))
    assert float((decoded(found) - torch.softmax(decoded(given), 1)).abs().max()) < 1e-4


def test_so_they_are_where_logits_are_nearly_the_same() -> None:
    """Rounded at random, the exponent of a smaller logit may be above that of the largest one."""
    generator = torch.Generator().manual_seed(6)
    given = torch.randint(-3, 4, (500, 10), generator=generator) + (1 << 18)
    exponents, _ = replicated(opened(functions.binary_exponents, given))
    above = exponents - exponents.gather(1, given.argmax(1, keepdim=True))
    assert above.max() == 1
    found, _ = replicated(opened(probabilities, given))
    assert float((decoded(found) - torch.softmax(decoded(given), 1)).abs().max()) < 1e-4


def test_powers_of_two_may_be_above_one() -> None:
    given = encoded(torch.linspace(-1, 1 - UNIT, 1000, dtype=torch.float64))
    found, _ = replicated(opened(functions.powers_of_two, given))
    assert float((decoded(found) - 2.0 ** decoded(given)).abs().max()) <= 1.5 * UNIT


@pytest.mark.parametrize("count", [2, 3, 10, 11])
def test_the_largest_is_found_and_of_equals_the_first(count: int) -> None:
    generator = torch.Generator().manual_seed(count)
    rows = torch.randint(-3, 4, (200, count), generator=generator) << 16

    async def where(engine: Engine, secret: Secret) -> Secret:
        at = await functions.largest(engine, secret)
        top = await functions.taken(engine, at, secret)
        return await engine.integers(at) + top.reshape(-1, 1).expand(*secret.shape)

    found, _ = replicated(opened(where, rows))
    first = torch.zeros_like(rows).scatter(1, rows.argmax(1, keepdim=True), 1)
    assert torch.equal(found, first + rows.max(1, keepdim=True).values)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(OutOfRange, match="16384"):
        encoded(torch.tensor([0.0, 16384.0]))
    with pytest.raises(OutOfRange):
        encoded(torch.tensor([math.nan]))
    assert torch.equal(
        decoded(encoded(torch.tensor([-1.5, 2.0**-16]))), torch.tensor([-1.5, 2.0**-16]).double()
    )
