"""Small runs on the digits, made once: a step on one image each, unless a test says otherwise."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mdl.audit.inversion.epochs import Epoch, epochs_of
from mdl.audit.inversion.stage import Staged, stage
from mdl.audit.inversion.study import images as training_images
from mdl.audit.inversion.target import Pictures, Target, targeted
from mdl.config import Experiment, load
from mdl.learning import flat
from mdl.learning.dataset import Dataset
from mdl.learning.datasets import digits as read_digits

QUICKSTART = Path(__file__).parents[3] / "configs" / "quickstart.toml"
ONE_IMAGE = ("learning.local_steps=1", "learning.batch=1")


@lru_cache
def dataset() -> Dataset:
    return read_digits()


def experiment(*overrides: str) -> Experiment:
    """The quickstart, with one step on one image."""
    return load(QUICKSTART, [*ONE_IMAGE, *overrides])[0]


@lru_cache
def staged(*overrides: str, epochs: int = 1) -> Staged:
    return stage(experiment(*overrides), dataset(), epochs=epochs)


@lru_cache
def epochs(*overrides: str, count: int = 1) -> Sequence[Epoch]:
    return list(epochs_of(staged(*overrides, epochs=count), count))


def target_of(model: nn.Module, images: Pictures, labels: Sequence[int]) -> Target:
    """The mean gradient of some images, all of it seen."""
    everything = np.ones(flat.count(model), np.bool_)
    blank = targeted(model, flat.read(model), np.zeros(len(everything)), everything, images.shape[1:])
    precise = blank.of_type(torch.float64)
    parts = precise.gradient_of(torch.from_numpy(images).double(), torch.tensor(labels))
    gradient = np.concatenate([part.detach().numpy().reshape(-1) for part in parts])
    return targeted(model, flat.read(model), gradient, everything, images.shape[1:])


def images(*rows: int) -> tuple[Pictures, list[int]]:
    """Some training images and their labels."""
    held = dataset()
    chosen = list(rows)
    return training_images(held, np.array(chosen)), held.train_labels[chosen].tolist()
