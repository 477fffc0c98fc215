"""Layers and training steps: as autograd has them, and the same for three parties as for one."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot

from mdl.mpc import functions
from mdl.mpc.engine import Engine
from mdl.mpc.fixed import decoded, encoded
from mdl.mpc.layers import Convolution, Dense, Flatten, Layer, MaxPool, Relu, Window, backward
from mdl.mpc.optimisers import Sgd
from mdl.mpc.secret import Secret
from tests.mpc.parties import Program, plainly, replicated, shared

BITS = 4
"""Batches have 16 examples."""

Batch = tuple[Tensor, Tensor]


def secretly(engine: Engine, network: nn.Sequential) -> list[Layer]:
    """Translate a network, with its weights as they are."""
    found: list[Layer] = []
    for layer in network:
        match layer:
            case nn.Linear():
                found.append(Dense(engine.public(encoded(layer.weight.detach().t())), bias_of(engine, layer)))
            case nn.Conv2d():
                weight = encoded(layer.weight.detach().reshape(layer.out_channels, -1).t())
                assert isinstance(layer.padding[0], int)
                window = Window(layer.kernel_size[0], layer.stride[0], layer.padding[0])
                found.append(Convolution(engine.public(weight), bias_of(engine, layer), window))
            case nn.MaxPool2d():
                assert isinstance(layer.kernel_size, int)
                assert isinstance(layer.stride, int)
                found.append(MaxPool(Window(layer.kernel_size, layer.stride)))
            case nn.ReLU():
                found.append(Relu())
            case nn.Flatten():
                found.append(Flatten())
    return found


def bias_of(engine: Engine, layer: nn.Linear | nn.Conv2d) -> Secret:
    assert layer.bias is not None
    return engine.public(encoded(layer.bias.detach()))


def training(network: nn.Sequential, batches: list[Batch], rate: float) -> Program[list[Tensor]]:
    """Train in secret; open the parameters."""

    async def program(engine: Engine) -> list[Tensor]:
        layers, optimiser = secretly(engine, network), Sgd(rate, BITS)
        for images, labels in batches:
            values = await shared(engine, images)
            targets = await shared(engine, labels, 1)
            for layer in layers:
                values = await layer.forward(engine, values)
            found, _ = await functions.softmax(engine, values)
            await optimiser.step(engine, await backward(engine, layers, found - targets))
        return [await engine.open(each) for layer in layers for each in layer.parameters.values()]

    return program


def in_floats(network: nn.Sequential, batches: list[Batch], rate: float) -> list[Tensor]:
    """Train with autograd; give parameters as the secret layers have them."""
    network = copy.deepcopy(network).double()
    optimiser = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9)
    for images, labels in batches:
        optimiser.zero_grad()
        loss = -(log_softmax(network(decoded(images)), 1) * decoded(labels)).sum() / 2**BITS
        loss.backward()
        optimiser.step()
    return [each.detach().reshape(each.shape[0], -1).t().squeeze(0) for each in network.parameters()]


def batches_of(*shape: int, count: int = 3, levels: int = 256) -> list[Batch]:
    """Images of so many grey levels: with few, the largest of a window is seldom alone."""
    generator = torch.Generator().manual_seed(5)
    return [
        (
            torch.randint(0, levels, (1 << BITS, *shape), generator=generator) * (2**16 // levels),
            one_hot(torch.randint(0, 10, (1 << BITS,), generator=generator), 10) << 16,
        )
        for _ in range(count)
    ]


def dense() -> tuple[nn.Sequential, list[Batch]]:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))
    return network, batches_of(1, 8, 8)


def convolutional() -> tuple[nn.Sequential, list[Batch]]:
    network = nn.Sequential(
        *(nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.MaxPool2d(3, 2), nn.ReLU()),
        *(nn.Conv2d(4, 6, 3), nn.Flatten(), nn.ReLU(), nn.Linear(24, 10)),
    )
    return network, batches_of(2, 18, 18)


def pooling_ties() -> tuple[nn.Sequential, list[Batch]]:
    """Windows overlap, and of nine binary pixels several are the largest."""
    network = nn.Sequential(
        nn.MaxPool2d(3, 2), nn.Conv2d(1, 3, 3), nn.MaxPool2d(2, 1), nn.Flatten(), nn.Linear(27, 10)
    )
    return network, batches_of(1, 13, 13, levels=2)


NETWORKS = [dense, convolutional, pooling_ties]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


@pytest.mark.parametrize("make", NETWORKS)
def test_steps_are_those_of_autograd(make: object) -> None:
    network, batches = make()  # type: ignore[operator]
    for found, expected in zip(
        plainly(training(network, batches, 0.1)), in_floats(network, batches, 0.1), strict=True
    ):
        torch.testing.assert_close(decoded(found), expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("make", NETWORKS)
def test_rounded_to_the_nearest_three_parties_train_as_one_does(make: object) -> None:
    network, batches = make()  # type: ignore[operator]
    program = training(network, batches, 0.1)
    found, _ = replicated(program, "nearest")
    for one, other in zip(found, plainly(program), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("make", NETWORKS)
def test_rounded_at_random_they_train_nearly_so(make: object) -> None:
    network, batches = make()  # type: ignore[operator]
    found, _ = replicated(training(network, batches, 0.1))
    for one, expected in zip(found, in_floats(network, batches, 0.1), strict=True):
        torch.testing.assert_close(decoded(one), expected, rtol=0, atol=5e-4)


@pytest.mark.parametrize("window", [Window(3), Window(2, 2), Window(3, 2, 1), Window(5, 2, 2)])
def test_laying_out_and_adding_up_are_adjoint(window: Window) -> None:
    images = torch.randint(-100, 100, (2, 3, 9, 11))
    columns = window.columns(images)
    other = torch.randint(-100, 100, columns.shape)
    assert int((columns * other).sum()) == int((images * window.images(other, images.shape)).sum())
