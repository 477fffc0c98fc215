"""What a local epoch of the paper's networks takes on this machine, from some of its steps."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any, Final

import numpy as np
import torch

from mdl.bench.clock import timed, undisturbed
from mdl.learning.local import Examples, LocalLearner
from mdl.learning.models import build
from mdl.learning.settings import LearningSettings

BATCH: Final = 128
_STEPS: Final = 4
"""Steps of training that are timed at a time."""


@dataclass(frozen=True)
class Network:
    """One of the paper's four networks on one of its data sets.

    Attributes:
        name: as the paper calls it.
        model: of the experiment file.
        shape: of an image, (channels, height, width).
        parameters: t.
        paper_images: what each worker trains on in the paper: 60 % of the training set (§VI-A).
    """

    name: str
    model: str
    shape: tuple[int, int, int]
    parameters: int
    paper_images: int

    def to_json(self) -> Mapping[str, Any]:
        """Give it by name."""
        return asdict(self)


_MNIST, _SVHN = 36_000, 43_954
"""60 % of 60,000 and of 73,257."""

MLP_MNIST: Final = Network("MLP-MNIST", "mlp", (1, 28, 28), 140_106, _MNIST)
CNN_MNIST: Final = Network("CNN-MNIST", "cnn", (1, 28, 28), 105_506, _MNIST)
MLP_SVHN: Final = Network("MLP-SVHN", "mlp", (3, 32, 32), 402_250, _SVHN)
CNN_SVHN: Final = Network("CNN-SVHN", "cnn", (3, 32, 32), 313_546, _SVHN)
NETWORKS: Final = (MLP_MNIST, CNN_MNIST, MLP_SVHN, CNN_SVHN)


def measure_training(network: Network, *, runs: int) -> float:
    """Give the CPU seconds of a local epoch on the paper's number of images, one thread.

    Some steps are timed on random images of the right shape (what is in them does not matter for time), and
    scaled to all batches of an epoch. The median of the runs.
    """
    torch.set_num_threads(1)
    learner = _learner(network)
    learner.train(1)
    with undisturbed():
        taken = [timed(partial(learner.train, run + 2))[1] for run in range(runs)]
    return median(taken) / _STEPS * network.paper_images / BATCH


def _learner(network: Network) -> LocalLearner:
    settings = LearningSettings(model=network.model, batch=BATCH, local_steps=_STEPS)
    rng = np.random.default_rng(1)
    count = BATCH * _STEPS
    images = rng.integers(0, 256, (count, *network.shape), np.uint8)
    examples = Examples(images, rng.integers(0, 10, count), np.arange(count), 255.0)
    model = build(settings, network.shape, 10, seed=1)
    return LocalLearner(model, settings, train=examples, test=examples, seed=1, party=1)
