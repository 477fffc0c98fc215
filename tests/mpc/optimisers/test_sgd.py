"""Gradient descent with momentum in secret: rates of any size on average, resumable, one rounding a step."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import FRACTION_BITS, PARAMETER_BITS, decoded
from mdl.mpc.layers import Sum
from mdl.mpc.layers.layer import Unweighted
from mdl.mpc.networks import secretly
from mdl.mpc.optimisers import Sgd
from mdl.mpc.plain import Plain
from mdl.mpc.secret import Secret
from mdl.mpc.training import step
from tests.mpc.parties import plainly, replicated, shared
from tests.mpc.trained import BITS, Batch, dense, in_floats, training


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(4)


class Sloped(Unweighted):
    """One parameter, and always the same gradient by it."""

    def __init__(self, slope: Secret) -> None:
        super().__init__()
        self.slope, self.parameters = slope, {"weight": slope * 0}

    async def forward(self, engine: Engine, x: Secret, *, training: bool) -> Secret:
        raise AssertionError

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        raise AssertionError

    def gradients(self, gradient: Secret) -> Mapping[str, Sum]:
        return {"weight": Sum(self.slope)}


def moved(optimiser: Sgd, slopes: list[float]) -> list[float]:
    """Where the parameter is after each of so many steps; the gradient's sum over the batch is given."""

    async def program(engine: Engine) -> list[float]:
        layer, found = Sloped(engine.public(torch.zeros(1, dtype=torch.int64))), []
        for slope in slopes:
            layer.slope = engine.public(torch.tensor([round(slope * 2**FRACTION_BITS)]))
            await optimiser.step(engine, [layer], [(0, layer.slope)])
            at = await engine.open(layer.parameters["weight"])
            found.append(float(decoded(at, fraction_bits=PARAMETER_BITS)))
        return found

    return plainly(program)


@pytest.mark.parametrize("rate", [0.05, 0.01, 1e-3, 3.3e-5, 1e-6])
@pytest.mark.parametrize("bits", [0, 7, 11])
def test_all_steps_together_are_those_of_the_rate_though_factors_are_integers(rate: float, bits: int) -> None:
    """At 1e-6 most factors are zero; a single integer would be off by half of itself."""
    count, slope = 400, 100.0
    found = moved(Sgd(rate, bits, momentum=0.0), [slope] * count)[-1]
    # Half a factor in all; such gradients are never rounded.
    within = 1.001 * slope * 2.0 ** -(PARAMETER_BITS + 1)
    assert found == pytest.approx(-rate * count * slope / 2**bits, rel=0, abs=within)


@pytest.mark.parametrize("slope", [0.37, -0.011])
def test_each_step_is_rounded_once(slope: float) -> None:
    count, units = 50, 2.0**-PARAMETER_BITS
    found = moved(Sgd(0.01, 7, momentum=0.0), [slope] * count)[-1]
    grid = round(slope * 2**FRACTION_BITS) / 2**FRACTION_BITS
    assert abs(found + 0.01 * count * grid / 2**7) < units * (count / 2 + abs(grid))


@pytest.mark.parametrize(("momentum", "held"), [(0.9, 4), (0.99, 49)])
@pytest.mark.parametrize("slope", [1.0, -1.0])
def test_a_velocity_dies_away_but_for_units_that_rounding_holds(
    momentum: float, held: int, slope: float
) -> None:
    """Nine tenths of four units, to the nearest, are four: the parameter goes on by 2.4 10^-7 a step."""
    count = 4000
    found = moved(Sgd(0.01, 0, momentum), [slope] * 20 + [0.0] * count)
    expected = -slope * 20 * 0.01 / (1 - momentum)
    assert found[-1] == pytest.approx(expected, rel=0, abs=(20 + count) * held * 2.0**-PARAMETER_BITS)
    assert abs(found[-1] - found[-101]) == 100 * held * 2.0**-PARAMETER_BITS


def test_who_takes_up_a_state_takes_the_steps_that_were_to_come() -> None:
    """The rate is no multiple of a factor: which one comes next depends on how many steps there were."""
    network, batches = dense()
    batches = batches * 2

    async def interrupted(engine: Engine) -> Tensor:
        secret = secretly(engine, network)
        optimiser = Sgd(2.3e-5, BITS)
        for number, (images, labels) in enumerate(batches):
            if number == 3:
                kept, optimiser = optimiser.state(secret.layers), Sgd(2.3e-5, BITS)
                optimiser.restore(kept, number)
            values, targets = await shared(engine, images), await shared(engine, labels, 1)
            await step(engine, secret, optimiser, values, targets)
        return await secret.opened(engine)

    assert torch.equal(plainly(interrupted), plainly(training(network, batches, 2.3e-5)))


def test_small_steps_add_up() -> None:
    """Each moves parameters by less than the unit in which values are computed, and none is lost."""
    network, batches = dense()
    many: list[Batch] = batches * 20
    start = parameters_to_vector(network.parameters()).detach().double()
    expected = in_floats(network, many, 2e-5) - start
    assert float(expected.abs().max()) / len(many) < 2.0**-FRACTION_BITS
    for found in (plainly(training(network, many, 2e-5)), replicated(training(network, many, 2e-5))[0]):
        apart = float((found - start - expected).norm() / expected.norm())
        assert apart < 0.05


def test_before_its_first_step_it_remembers_zeros() -> None:
    network, _ = dense()
    secret = secretly(Plain(), network)
    state = Sgd(0.1, BITS).state(secret.layers)
    assert sorted(state) == ["1.bias.velocity", "1.weight.velocity", "3.bias.velocity", "3.weight.velocity"]
    assert all(not bool(each.parts[0].any()) for each in state.values())
