"""A copy of a network, made from its answers alone.

Tramèr, Zhang, Juels, Reiter, Ristenpart, "Stealing Machine Learning Models via Prediction APIs", USENIX
Security 2016. A student learns the answers as though they were the truth; its owner's labels are not used.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mdl.learning.dataset import Images, Labels
from mdl.learning.descent import Numbered, descend
from mdl.learning.partition import Rows
from mdl.learning.settings import LearningSettings
from mdl.mpc.blind.telling import Answers
from mdl.vectors import Floats


def aims(said: Floats, answers: Answers) -> Floats:
    """Make probabilities of answers, both of shape (k, classes); those of labels are 0 and 1 already."""
    return said if answers == "labels" else functional.softmax(torch.from_numpy(said), dim=1).numpy()


def taught(
    student: nn.Module,
    settings: LearningSettings,
    images: Images,
    probabilities: Floats,
    *,
    scale: float,
    steps: int,
    seed: int,
) -> nn.Module:
    """Train a student on cross-entropy against what another network said.

    Args:
        student: with its first parameters; is changed.
        settings: how to take a step.
        images: shape (k, ...).
        probabilities: of each class, for each of them, shape (k, classes).
        scale: what images are divided by.
        steps: how many to take, over all images in one order after the other.
        seed: of the orders.

    Returns:
        The student.
    """
    aim = torch.from_numpy(probabilities)

    def loss(own: torch.Tensor, _labels: torch.Tensor, numbers: Rows) -> torch.Tensor:
        return functional.cross_entropy(own, aim[torch.from_numpy(numbers)])

    def batches() -> Iterator[Numbered]:
        for numbers in _orders(len(images), settings.batch, steps, seed):
            yield torch.from_numpy(images[numbers]) / scale, torch.empty(0), numbers

    descend(student, settings, batches(), loss)
    return student.eval()


def _orders(count: int, batch: int, steps: int, seed: int) -> Iterator[Rows]:
    """Give so many batches of numbers, each number once before any comes again."""
    rng = np.random.default_rng(seed)
    size = min(batch, count)
    passes = -(-steps * size // count)
    numbers = np.concatenate([rng.permutation(count) for _ in range(passes)])
    return (numbers[first : first + size] for first in range(0, steps * size, size))


def agreement(one: Floats, other: Floats) -> float:
    """Give the share of examples of which two networks' scores, shape (k, classes), say the same class."""
    return float((one.argmax(1) == other.argmax(1)).mean())


def accuracy(scores: Floats, labels: Labels) -> float:
    """Give the share of examples, shape (k,), of which the best class is the label."""
    return float((scores.argmax(1) == labels).mean())
