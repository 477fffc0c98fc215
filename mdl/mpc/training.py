"""A step of training, its loss, and a count of right answers, in secret."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import FRACTION_BITS
from mdl.mpc.functions import Softmax, largest, logarithms, softmax, taken
from mdl.mpc.networks import Network
from mdl.mpc.optimisers import Optimiser
from mdl.mpc.rounds import phase, together
from mdl.mpc.secret import Secret


@dataclass(frozen=True)
class Answers:
    """What a network says to a batch.

    Attributes:
        scores: shape (n, classes).
        softmax: of the scores.
    """

    scores: Secret
    softmax: Softmax


async def step(
    engine: Engine, network: Network, optimiser: Optimiser, images: Secret, labels: Secret
) -> Answers:
    """Move the parameters by a batch: cross-entropy of the softmax.

    Args:
        engine: the party's.
        network: moved.
        optimiser: moves it.
        images: of the batch, n first, in fixed point.
        labels: one-hot, shape (n, classes), integers.

    Returns:
        What the network said before it was moved; see `loss`.
    """
    scores = await network.forward(engine, images, training=True)
    found = await phase("softmax", softmax(engine, scores))
    gradient = found.probabilities - (labels << FRACTION_BITS)
    back = await network.backward(engine, gradient)
    await phase("update", optimiser.step(engine, network.layers, back))
    return Answers(scores, found)


async def loss(engine: Engine, answers: Answers, labels: Secret) -> Secret:
    """Add up the cross-entropy of a batch's answers: ln of the sum of e^score, less the label's score.

    The sum is within 2^-12 an example, besides that no summand e^score counts that is 2^18 times smaller
    than the largest.

    Args:
        engine: the party's.
        answers: of `step`.
        labels: one-hot, shape (n, classes), integers.

    Returns:
        The sum, shape (1,); the mean is that over n.
    """
    own = await engine.product(_inner, answers.scores, labels)
    found: list[Secret] = await together(
        logarithms(engine, answers.softmax.total), taken(engine, answers.softmax.where, answers.scores)
    )
    logarithm, top = found
    return (logarithm + top).reshape(1, -1).sum(1) - own


def _inner(one: Tensor, two: Tensor) -> Tensor:
    return (one * two).sum().reshape(1)


async def right_answers(engine: Engine, network: Network, images: Secret, labels: Secret) -> Secret:
    """Count the examples whose largest score is that of their label; shapes as in `step`."""
    where = await largest(engine, await network.forward(engine, images))
    return (await engine.select(where, labels)).reshape(1, -1).sum(1)


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Write classes as rows with a single one, int64."""
    return torch.nn.functional.one_hot(labels.to(torch.int64), classes)


def rows_of_each(batch: int, holders: int) -> list[int]:
    """Give how many rows of a batch each holder puts in."""
    return [batch // holders + (number < batch % holders) for number in range(holders)]
