"""Two owners that teach each other by predictions, in the clear and in float32: what mutual learning can reach.

    MDL_DATA=... python -m benchmarks.bench_mutual [--epochs 15] [--seeds 1 2] > benchmarks/results/mutual-float.md

Two owners have 4,000 images of CIFAR-10 each, shared out at random or so that each has 80 % of the images of
half the classes. From the second epoch on, each asks the other's model about the next part κ of its own
images, in turn, keeps the answers, and learns from all it has. Scores are shares of 2,000 test images, the
mean of both owners and all seeds; what is set beside them was trained on the same images, alone or on both
owners' together.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np
import torch

from mdl.learning.dataset import Dataset
from mdl.learning.datasets import load
from mdl.learning.local import LocalLearner, build_learner
from mdl.learning.settings import LearningSettings
from mdl.system import Opinions
from mdl.vectors import Floats

SPLITS: Final = ("disjoint", "classes")
SPLIT_NAMES: Final = {"disjoint": "i.i.d.", "classes": "80/20"}
MODELS: Final = ("convnet", "convnet-relu")
WEIGHTS: Final = (0.3, 1.0, 2.0)
TEMPERATURES: Final = (1.0, 2.0, 4.0)
SHARES: Final = (1.0, 0.25, 0.1, 0.05)
POISONED: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Setup:
    """How two owners learn.

    Attributes:
        split: how the images are shared out.
        model: of both.
        share: κ, of an owner's images that it asks about in an epoch.
        weight: α.
        temperature: T.
        gate: learn from an opinion only where it agrees with the label.
        poisoned: the fraction of the second owner's labels that are shifted by one.
        rate: λ.
    """

    split: str = "disjoint"
    model: str = "convnet"
    share: float = 0.1
    weight: float = 1.0
    temperature: float = 2.0
    gate: bool = True
    poisoned: float = 0.0
    rate: float = 0.05


class Owner:
    """A learner, and what it was told of its examples."""

    def __init__(self, learner: LocalLearner, setup: Setup) -> None:
        self.learner, self._setup = learner, setup
        self._labels = learner.numbered(np.arange(learner.examples))[1]
        self._scores = np.zeros((learner.examples, 10), np.float32)
        self._told = np.zeros(learner.examples, np.bool_)
        self._next = 0

    def ask(self, other: "Owner") -> None:
        """Have the other's model answer the next part of the examples, in turn."""
        count = len(self._told)
        asked = (self._next + np.arange(round(self._setup.share * count))) % count
        self._next = (self._next + len(asked)) % count
        self._scores[asked], self._told[asked] = other.answers(self.learner.numbered(asked)[0]), True

    def answers(self, images: Floats) -> Floats:
        """Give the scores of images."""
        self.learner.network.eval()
        with torch.inference_mode():
            return np.asarray(self.learner.network(torch.from_numpy(images)).numpy())

    def learn(self, epoch: int) -> None:
        """Train for an epoch on labels and what is known."""
        known = self._told
        if self._setup.gate:
            known = known & (self._scores.argmax(1) == self._labels)
        self.learner.learn(epoch, Opinions(self._scores, known, self._setup.weight, self._setup.temperature))


class Study:
    """All runs of some seeds.

    Args:
        dataset: CIFAR-10.
        epochs: of each run.
        seeds: each run is done with each of them.
    """

    def __init__(self, dataset: Dataset, epochs: int, seeds: Sequence[int]) -> None:
        self._dataset, self._epochs, self._seeds = dataset, epochs, seeds
        self.alone, self.pooled, self.mutual = map(cache, (self._alone, self._pooled, self._mutual))

    def _alone(self, setup: Setup) -> float:
        """Score owners that learn alone; the first one's where the second's labels are poisoned."""
        return self._mean(
            setup, lambda owners: [owner.learner.alone(self._epochs).accuracy for owner in owners]
        )

    def _pooled(self, setup: Setup) -> float:
        """Score a model on both owners' images."""
        return fmean(self._learner(setup, 0, seed).alone(self._epochs).accuracy for seed in self._seeds)

    def _mutual(self, setup: Setup) -> float:
        """Score owners that teach each other; the first one's where the second's labels are poisoned."""

        def play(owners: Sequence[Owner]) -> list[float]:
            first, second = owners
            for epoch in range(1, self._epochs + 1):
                if epoch > 1:  # before, there is nothing to be learnt of a model
                    first.ask(second)
                    second.ask(first)
                for owner in owners:
                    owner.learn(epoch)
            return [owner.learner.evaluate().accuracy for owner in owners]

        return self._mean(setup, play)

    def _mean(self, setup: Setup, play: Callable[[Sequence[Owner]], list[float]]) -> float:
        scores = []
        for seed in self._seeds:
            found = play([Owner(self._learner(setup, party, seed), setup) for party in (1, 2)])
            scores += found[:1] if setup.poisoned else found
        return fmean(scores)

    def _learner(self, setup: Setup, party: int, seed: int) -> LocalLearner:
        settings = settings_of(setup)
        dataset = poisoned(self._dataset, setup.poisoned, seed) if party == 2 else self._dataset
        return build_learner(
            settings, dataset, party=party, workers=2, epochs=self._epochs, seed=seed, pooled=party == 0
        )


def settings_of(setup: Setup) -> LearningSettings:
    """Give how an owner trains."""
    return LearningSettings.model_validate(
        {
            "dataset": "cifar10",
            "model": setup.model,
            "split": setup.split,
            "learning_rate": setup.rate,
            "batch": 64,
            "optimiser": "momentum",
            "train_limit": 8_000,
            "test_limit": 2_000,
        }
    )


def poisoned(dataset: Dataset, fraction: float, seed: int) -> Dataset:
    """Shift a fraction of the training labels by one."""
    if not fraction:
        return dataset
    hit = np.random.default_rng(seed).random(len(dataset.train_labels)) < fraction
    return replace(dataset, train_labels=(dataset.train_labels + hit) % dataset.classes)
