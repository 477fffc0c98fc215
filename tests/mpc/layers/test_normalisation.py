"""Batch normalisation: training as autograd has it is in `test_networks`; here statistics and scoring."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import decoded
from mdl.mpc.networks import Network, secretly
from mdl.mpc.optimisers import Sgd
from mdl.mpc.secret import concatenated
from mdl.mpc.training import step
from tests.mpc.parties import Program, plainly, replicated, shared
from tests.mpc.trained import BITS, normalising


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


def training_then(network: nn.Sequential, into: nn.Sequential) -> Program[Tensor]:
    """Train for three steps, write the running statistics into a network, and give the scores of a batch."""
    _, batches = normalising()

    async def program(engine: Engine) -> Tensor:
        secret, optimiser = secretly(engine, network), Sgd(0.1, BITS)
        for images, labels in batches:
            await step(engine, secret, optimiser, await shared(engine, images), await shared(engine, labels))
        await secret.settle(engine, into)
        return await engine.open(await secret.forward(engine, await shared(engine, batches[0][0])))

    return program


def in_floats(network: nn.Sequential) -> tuple[nn.Sequential, Tensor]:
    _, batches = normalising()
    network = copy.deepcopy(network).double()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for images, labels in batches:
        optimiser.zero_grad()
        (-(log_softmax(network(decoded(images)), 1) * labels).sum() / 2**BITS).backward()
        optimiser.step()
    return network, network.eval()(decoded(batches[0][0])).detach()


def test_running_statistics_and_scores_are_those_of_torch() -> None:
    network, _ = normalising()
    into = copy.deepcopy(network)
    expected, scores = in_floats(network)
    found, _ = replicated(training_then(network, into))
    for name, buffer in expected.named_buffers():
        if "running" in name:
            torch.testing.assert_close(into.get_buffer(name).double(), buffer, rtol=1e-3, atol=5e-4)
    torch.testing.assert_close(decoded(found), scores, rtol=0, atol=5e-3)


@pytest.mark.parametrize("level", [-16_380, -12_000, 0, 12_000, 16_380])
def test_whatever_the_mean_is_it_is_taken_away(level: int) -> None:
    values = level + torch.randint(-3, 4, (32, 2))
    network = nn.Sequential(nn.BatchNorm1d(2))
    expected = network.double()(values.double()).detach()

    async def program(engine: Engine) -> Tensor:
        secret = secretly(engine, network)
        return await engine.open(
            await secret.forward(engine, await shared(engine, values << 16), training=True)
        )

    found, _ = replicated(program)
    torch.testing.assert_close(decoded(found), expected, rtol=0, atol=5e-3)
    nearest, _ = replicated(program, "nearest")
    assert torch.equal(nearest, plainly(program))


def test_rounded_to_the_nearest_three_parties_score_as_one_does() -> None:
    network, _ = normalising()
    one, three = copy.deepcopy(network), copy.deepcopy(network)
    assert torch.equal(
        replicated(training_then(network, three), "nearest")[0], plainly(training_then(network, one))
    )
    for name, buffer in one.named_buffers():
        assert torch.equal(buffer, three.get_buffer(name))


@pytest.mark.parametrize("level", [0, 200])
def test_a_channel_without_variance_gives_the_bias(level: int) -> None:
    layer = nn.BatchNorm2d(1)
    nn.init.constant_(layer.bias, 0.25)

    async def program(engine: Engine) -> Tensor:
        network: Network = secretly(engine, nn.Sequential(layer))
        images = await shared(engine, torch.full((4, 1, 3, 3), level << 16))
        return await engine.open(await network.forward(engine, images, training=True))

    torch.testing.assert_close(
        decoded(plainly(program)), torch.full((4, 1, 3, 3), 0.25).double(), rtol=0, atol=0.01
    )


@pytest.mark.parametrize("spread", [0.02, 1.0, 40.0])
def test_small_and_large_variances_become_one(spread: float) -> None:
    values = (torch.randn(64, 2, 5, 5) * spread * 2**16).long()

    async def program(engine: Engine) -> Tensor:
        network = secretly(engine, nn.Sequential(nn.BatchNorm2d(2)))
        return await engine.open(await network.forward(engine, await shared(engine, values), training=True))

    expected = nn.BatchNorm2d(2).double()(decoded(values)).detach()
    found, _ = replicated(program)
    torch.testing.assert_close(decoded(found), expected, rtol=2e-3, atol=3e-3)


def test_where_a_weight_over_a_deviation_is_large_gradients_are_right() -> None:
    """Of a channel that hardly varies, and whose weight is in the thousands: 3 10^5 times its input."""
    layer = nn.BatchNorm1d(1).double()
    nn.init.constant_(layer.weight, 2000.0)
    values = (torch.linspace(-0.01, 0.01, 64) * 2**16).round().long().reshape(-1, 1)
    slopes = (torch.rand(64, 1) * 1e-3 * 2**16).round().long()
    inputs = decoded(values).requires_grad_()
    layer(inputs).backward(decoded(slopes))
    assert inputs.grad is not None

    async def program(engine: Engine) -> Tensor:
        network = secretly(engine, nn.Sequential(layer))
        await network.forward(engine, await shared(engine, values), training=True)
        return await engine.open(await network.layers[0].backward(engine, await shared(engine, slopes, 1)))

    for found in (plainly(program), replicated(program)[0]):
        assert float((decoded(found) - inputs.grad).norm() / inputs.grad.norm()) < 0.05


def test_where_a_weight_over_a_deviation_is_large_values_are_right() -> None:
    layer = nn.BatchNorm1d(1).double()
    nn.init.constant_(layer.weight, 2000.0)
    values = (torch.linspace(-0.01, 0.01, 64) * 2**16).round().long().reshape(-1, 1)
    fresh = copy.deepcopy(layer)
    expected = layer(decoded(values)).detach()
    scored = layer.eval()(decoded(values)).detach()

    async def program(engine: Engine) -> Tensor:
        network = secretly(engine, nn.Sequential(fresh))
        images = await shared(engine, values)
        found = [await network.forward(engine, images, training=training) for training in (True, False)]
        return await engine.open(concatenated(found))

    found, _ = replicated(program)
    # Normalised numbers are multiples of 2^-16, and times two thousand; the variance is 32 units.
    torch.testing.assert_close(decoded(found), torch.cat([expected, scored]), rtol=0.02, atol=0.1)
