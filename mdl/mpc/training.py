"""A step of training, and a count of right answers, in secret."""

import torch
from torch import Tensor

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import FRACTION_BITS
from mdl.mpc.functions import largest, softmax
from mdl.mpc.layers import backward
from mdl.mpc.networks import Network
from mdl.mpc.optimisers import Sgd
from mdl.mpc.rounds import phase
from mdl.mpc.secret import Secret


async def step(engine: Engine, network: Network, optimiser: Sgd, images: Secret, labels: Secret) -> None:
    """Move the parameters by a batch: cross-entropy of the softmax.

    Args:
        engine: the party's.
        network: moved.
        optimiser: moves it.
        images: of the batch, n first, in fixed point.
        labels: one-hot, shape (n, classes), integers.
    """
    scores = await network.forward(engine, images)
    found, _ = await phase("softmax", softmax(engine, scores))
    gradient = found - (labels << FRACTION_BITS)
    back = await backward(engine, network.layers, gradient)
    await phase("update", optimiser.step(engine, network.layers, back))


async def right_answers(engine: Engine, network: Network, images: Secret, labels: Secret) -> Secret:
    """Count the examples whose largest score is that of their label; shapes as in `step`."""
    _, where = await largest(engine, await network.forward(engine, images))
    return (await engine.select(where, labels)).reshape(1, -1).sum(1)


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Write classes as rows with a single one, int64."""
    return torch.nn.functional.one_hot(labels.to(torch.int64), classes)


def rows_of_each(batch: int, holders: int) -> list[int]:
    """Give how many rows of a batch each holder puts in."""
    return [batch // holders + (number < batch % holders) for number in range(holders)]
