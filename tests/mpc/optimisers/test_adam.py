"""Adam and AMSGrad in secret: near what they are in floats, the same for all engines, resumable."""

import copy
import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax
from torch.nn.utils import parameters_to_vector

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import decoded
from mdl.mpc.networks import secretly
from mdl.mpc.optimisers import Adam
from mdl.mpc.optimisers.adam import BETA_1, BETA_2, EPSILON
from mdl.mpc.training import step
from tests.mpc.parties import plainly, replicated, shared
from tests.mpc.trained import BITS, Batch, convolutional, dense, training

RATE = 0.01
Make = Callable[[], tuple[nn.Sequential, list[Batch]]]
RULES = [partial(Adam, amsgrad=True), partial(Adam, amsgrad=False)]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


def in_floats(network: nn.Sequential, batches: list[Batch], epsilon: float, *, amsgrad: bool) -> Tensor:
    """The rule as written, by autograd."""
    network = copy.deepcopy(network).double()
    parameters = list(network.parameters())
    first, second, largest = ([torch.zeros_like(each) for each in parameters] for _ in range(3))
    for t, (images, labels) in enumerate(batches, 1):
        network.zero_grad()
        (-(log_softmax(network(decoded(images)), 1) * labels).sum() / 2**BITS).backward()
        for p, m, v, top in zip(parameters, first, second, largest, strict=True):
            assert p.grad is not None
            m += (1 - BETA_1) * (p.grad - m)
            v += (1 - BETA_2) * (p.grad**2 - v)
            torch.maximum(top, v, out=top)
            spread = (top if amsgrad else v) / (1 - BETA_2**t) + epsilon**2
            p.data -= RATE * m / (1 - BETA_1**t) / spread.sqrt()
    return parameters_to_vector(network.parameters()).detach()


def apart(found: Tensor, network: nn.Sequential, batches: list[Batch], rule: partial[Adam]) -> float:
    """How far parameters are from those of training in floats, relative to how far these have moved."""
    start = parameters_to_vector(network.parameters()).detach()
    expected = in_floats(network, batches, EPSILON, amsgrad=rule.keywords["amsgrad"])
    assert float((expected - start).abs().max()) > RATE
    return float((found - expected).norm() / (expected - start).norm())


def many(batches: list[Batch]) -> list[Batch]:
    """The same batches again and again."""
    return batches * 3


@pytest.mark.parametrize("amsgrad", [True, False])
def test_the_rule_is_that_of_torch_but_for_epsilon(amsgrad: bool) -> None:
    network, batches = dense()
    expected = copy.deepcopy(network).double()
    optimiser = torch.optim.Adam(expected.parameters(), lr=RATE, amsgrad=amsgrad, eps=1e-14)
    for images, labels in many(batches):
        optimiser.zero_grad()
        (-(log_softmax(expected(decoded(images)), 1) * labels).sum() / 2**BITS).backward()
        optimiser.step()
    found = in_floats(network, many(batches), 1e-14, amsgrad=amsgrad)
    torch.testing.assert_close(found, parameters_to_vector(expected.parameters()).detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("make", [dense, convolutional])
@pytest.mark.parametrize("rule", RULES)
def test_steps_are_those_in_floats(make: Make, rule: partial[Adam]) -> None:
    network, batches = make()
    found = plainly(training(network, many(batches), RATE, rule))
    assert apart(found, network, many(batches), rule) < 0.02


@pytest.mark.parametrize("rule", RULES)
def test_rounded_at_random_they_are_nearly_so(rule: partial[Adam]) -> None:
    network, batches = dense()
    found, _ = replicated(training(network, batches[:2], RATE, rule))
    assert apart(found, network, batches[:2], rule) < 0.02


@pytest.mark.parametrize(("amsgrad", "expected"), [(True, 100.0), (False, 0.999 * 4)])
def test_the_largest_moment_so_far_divides_and_is_kept(amsgrad: bool, expected: float) -> None:
    """Of gradients that are zero, after many steps of which some were large."""
    network, batches = dense()
    images, _ = batches[0]
    found: dict[str, Tensor] = {}

    async def program(engine: Engine) -> Tensor:
        secret, optimiser = secretly(engine, network), Adam(RATE, BITS, amsgrad)
        ones = secret.layers[1].parameters["weight"] * 0 + (1 << 20)
        begun = optimiser.state(secret.layers)
        moments = {name: each * 0 + (1 << 20) * 4 for name, each in begun.items()}
        moments["first"] = moments["first"] * 0 + (1 << 16)
        if amsgrad:
            moments["largest"] = moments["largest"] * 0 + (1 << 20) * 100
        optimiser.restore(moments, 10_000)
        none = [(number, ones[:1, :1].expand(16, size) * 0) for number, size in ((3, 10), (1, 20))]
        await secret.forward(engine, await shared(engine, images), training=True)
        await optimiser.step(engine, secret.layers, none)
        found.update({name: each.parts[0] for name, each in optimiser.state(secret.layers).items()})
        return await secret.opened(engine)

    start = parameters_to_vector(network.parameters()).detach()
    moved = start - plainly(program)
    torch.testing.assert_close(
        moved, torch.full_like(moved, RATE * 0.9 / math.sqrt(expected)), rtol=0.004, atol=2**-16
    )
    assert set(found.get("largest", torch.tensor([100 << 20])).tolist()) == {100 << 20}
    torch.testing.assert_close(
        decoded(found["second"], fraction_bits=20), torch.full_like(moved, 0.999 * 4), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("make", [dense, convolutional])
@pytest.mark.parametrize("rule", RULES)
def test_rounded_to_the_nearest_three_parties_train_as_one_does(make: Make, rule: partial[Adam]) -> None:
    program = training(*make(), RATE, rule)
    assert torch.equal(replicated(program, "nearest")[0], plainly(program))


def test_parameters_are_moved_in_parts_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    program = training(*dense(), RATE, Adam)
    whole = plainly(program)
    monkeypatch.setattr("mdl.mpc.optimisers.adam._AT_ONCE", 100)
    assert torch.equal(plainly(program), whole)


@pytest.mark.parametrize("rule", RULES)
def test_it_goes_on_from_its_state(rule: partial[Adam]) -> None:
    network, batches = dense()
    before, after = batches[:2], batches[2:]

    async def program(engine: Engine) -> Tensor:
        secret, optimiser = secretly(engine, network), rule(RATE, BITS)
        for images, labels in before:
            await step(engine, secret, optimiser, await shared(engine, images), await shared(engine, labels))
        resumed = rule(RATE, BITS)
        assert resumed.state(secret.layers).keys() == optimiser.state(secret.layers).keys()
        resumed.restore(optimiser.state(secret.layers), len(before))
        for images, labels in after:
            await step(engine, secret, resumed, await shared(engine, images), await shared(engine, labels))
        return await secret.opened(engine)

    assert torch.equal(plainly(program), plainly(training(network, batches, RATE, rule)))


def test_large_gradients_do_not_overflow() -> None:
    """Second moments of one step are below 2^11 up to a mean of 11."""
    network, batches = dense()
    images, labels = batches[0]
    huge: list[Batch] = [(images * 12, labels)]
    start = parameters_to_vector(network.parameters()).detach().double()
    moved = plainly(training(network, huge, RATE, Adam)) - start
    assert 0.99 * RATE < float(moved.abs().max()) < 1.01 * RATE
