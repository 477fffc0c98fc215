"""Small trainings that every engine must do as one would in the clear."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot
from torch.nn.utils import parameters_to_vector

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import decoded
from mdl.mpc.networks import secretly
from mdl.mpc.optimisers import Optimiser, Sgd
from mdl.mpc.training import step
from tests.mpc.parties import Program, shared

BITS = 4
"""Batches have 16 examples."""

Batch = tuple[Tensor, Tensor]


def training(
    network: nn.Sequential,
    batches: list[Batch],
    rate: float,
    rule: Callable[[float, int], Optimiser] = Sgd,
) -> Program[Tensor]:
    """Train in secret; open the parameters."""

    async def program(engine: Engine) -> Tensor:
        secret, optimiser = secretly(engine, network), rule(rate, BITS)
        for images, labels in batches:
            values, targets = await shared(engine, images), await shared(engine, labels, 1)
            await step(engine, secret, optimiser, values, targets)
        return await secret.opened(engine)

    return program


def smallest() -> Program[Tensor]:
    """A step of training of a network with a layer that is not the last."""
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    return training(network, [(torch.randint(1 << 16, (2, 2)), one_hot(torch.tensor([0, 1]), 2))], 0.1)


def in_floats(network: nn.Sequential, batches: list[Batch], rate: float) -> Tensor:
    """Train with autograd; give all parameters as one vector."""
    network = copy.deepcopy(network).double()
    optimiser = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9)
    for images, labels in batches:
        optimiser.zero_grad()
        (-(log_softmax(network(decoded(images)), 1) * labels).sum() / 2**BITS).backward()
        optimiser.step()
    return parameters_to_vector(network.parameters()).detach()


def batches_of(*shape: int, count: int = 3, levels: int = 256) -> list[Batch]:
    """Images of so many grey levels: with few, the largest of a window is seldom alone."""
    generator = torch.Generator().manual_seed(5)
    return [
        (
            torch.randint(0, levels, (1 << BITS, *shape), generator=generator) * (2**16 // levels),
            one_hot(torch.randint(0, 10, (1 << BITS,), generator=generator), 10),
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


def padded() -> tuple[nn.Sequential, list[Batch]]:
    """A sequence in a sequence, zeros around images, a convolution that sees them."""
    inner = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(2, 2, 3)
    )
    network = nn.Sequential(nn.ZeroPad2d(1), inner, nn.Identity(), nn.Flatten(), nn.Linear(2 * 7 * 7, 10))
    return network, batches_of(1, 4, 6)


def pooling_ties() -> tuple[nn.Sequential, list[Batch]]:
    """Windows overlap, and of nine binary pixels several are the largest."""
    network = nn.Sequential(
        nn.MaxPool2d(3, 2), nn.Conv2d(1, 3, 3), nn.MaxPool2d(2, 1), nn.Flatten(), nn.Linear(27, 10)
    )
    return network, batches_of(1, 13, 13, levels=2)


def averaging() -> tuple[nn.Sequential, list[Batch]]:
    """Windows that overlap, and whose places are no power of two; and others."""
    network = nn.Sequential(
        *(nn.AvgPool2d(3, 2), nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()),
        nn.Linear(12, 10),
    )
    return network, batches_of(1, 13, 13)


def normalising() -> tuple[nn.Sequential, list[Batch]]:
    """Of images and of rows, with weights of their own, and the number of places no power of two."""
    network = nn.Sequential(
        *(nn.BatchNorm2d(2), nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, momentum=0.25), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(100, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 10)),
    )
    for layer in network:
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
    return network, batches_of(2, 7, 7)
