"""Two owners that teach each other by predictions, in the clear and in float32: what can be reached.

    MDL_DATA=... python -m benchmarks.bench_mutual > benchmarks/results/mutual-float.md

Two owners have 4,000 images of CIFAR-10 each, shared out at random or so that each has 80 % of the images of
half the classes. From the second epoch on, each asks the other's model about the next part κ of its own
images, in turn, keeps the answers, and learns from all it has. `--tables` names those to make.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np
import torch
from torch import nn

from mdl.bench.machine import machine, sentence
from mdl.learning.building import build_learner
from mdl.learning.convnets import convnet
from mdl.learning.dataset import Dataset
from mdl.learning.datasets import load
from mdl.learning.local import LocalLearner
from mdl.learning.settings import LearningSettings
from mdl.system import Opinions
from mdl.systems.mutual.opinions import Known
from mdl.vectors import Floats

SPLITS: Final = {"disjoint": "i.i.d.", "classes": "80/20"}
MODELS: Final = ("convnet", "convnet-relu")
POOLED_FIRST: Final = "benchmarks.bench_mutual:pooled_first"
WEIGHTS: Final = (0.3, 1.0, 2.0)
TEMPERATURES: Final = (1.0, 2.0, 4.0)
SHARES: Final = (1.0, 0.25, 0.1, 0.05)
POISONED: Final = (0.5, 1.0)


@dataclass(frozen=True)
class Setup:
    """How two owners learn.

    Attributes:
        split: how the images are shared out.
        model: of both.
        share: κ, of an owner's images that it asks about in an epoch.
        weight: α.
        temperature: T.
        gate: learn from an opinion only where it finds the label as likely as a guess would, or likelier.
        poisoned: the fraction of the second owner's labels that are shifted by one.
        rate: λ.
    """

    split: str = "disjoint"
    model: str = "convnet"
    share: float = 0.05
    weight: float = 2.0
    temperature: float = 1.0
    gate: bool = True
    poisoned: float = 0.0
    rate: float = 0.02


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
        known = Known(self._scores, self._told)
        used = known.agreeing(self._labels) if self._setup.gate else self._told
        self.learner.learn(epoch, Opinions(self._scores, used, self._setup.weight, self._setup.temperature))


class Study:
    """All runs of some seeds.

    Args:
        dataset: CIFAR-10.
        epochs: of each run.
        seeds: each run is done with each of them.
    """

    def __init__(self, dataset: Dataset, epochs: int, seeds: Sequence[int]) -> None:
        self._dataset, self._epochs, self._seeds = dataset, epochs, seeds
        self._alone, self.pooled, self.mutual = map(cache, (self._apart, self._together, self._taught))

    def alone(self, setup: Setup) -> float:
        """Score owners that learn alone; the first one where the second's labels are poisoned."""
        return self._alone(Setup(setup.split, setup.model, poisoned=setup.poisoned and 1.0, rate=setup.rate))

    def _apart(self, setup: Setup) -> float:
        def play(owners: Sequence[Owner]) -> list[float]:
            honest = owners[:1] if setup.poisoned else owners
            return [owner.learner.alone(self._epochs).accuracy for owner in honest]

        return self._mean(setup, play)

    def _together(self, setup: Setup) -> float:
        """Score a model on both owners' images."""
        return fmean(self._learner(setup, 0, seed).alone(self._epochs).accuracy for seed in self._seeds)

    def _taught(self, setup: Setup) -> float:
        """Score owners that teach each other; the first one where the second's labels are poisoned."""

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
            "models": [setup.model, setup.model],
            "split": setup.split,
            "learning_rate": setup.rate,
            "batch": 64,
            "optimiser": "momentum",
            "train_limit": 8_000,
            "test_limit": 2_000,
        }
    )


def pooled_first() -> nn.Sequential:
    """Make the convnet with a quarter as many activations: behind the pools, not before."""
    centre, first, act, pool, second, *rest = convnet((3, 32, 32), 10)
    return nn.Sequential(centre, first, pool, act, second, rest[1], rest[0], *rest[2:])


def poisoned(dataset: Dataset, fraction: float, seed: int) -> Dataset:
    """Shift a fraction of the training labels by one."""
    if not fraction:
        return dataset
    hit = np.random.default_rng(seed).random(len(dataset.train_labels)) < fraction
    return replace(dataset, train_labels=(dataset.train_labels + hit) % dataset.classes)


def head(study: Study) -> Iterator[str]:
    """Say what is reached, with what of all opinions and with those alone that pass the gate."""
    yield "| network | split | alone | mutual | mutual, gate | pooled |"
    yield "|---|---|---|---|---|---|"
    for model, split in product(MODELS, SPLITS):
        setups = [Setup(split, model, gate=gate) for gate in (False, True)]
        scores = study.alone(setups[0]), *map(study.mutual, setups), study.pooled(Setup(model=model))
        yield f"| {model} | {SPLITS[split]} | {' | '.join(map(percent, scores))} |"


def shares(study: Study) -> Iterator[str]:
    """Say what the share of images that is asked about does."""
    yield f"| split | gate | {' | '.join(f'κ = {each:g}' for each in SHARES)} |"
    yield "|---|---|" + "---|" * len(SHARES)
    for split, gate in product(SPLITS, (False, True)):
        setups = [Setup(split, share=each, gate=gate) for each in SHARES]
        yield f"| {SPLITS[split]} | {'yes' if gate else 'no'} | {gains(study, setups)} |"


def grid(study: Study) -> Iterator[str]:
    """Say what weight and temperature do, with the gate where the owners' images are alike."""
    yield f"| split | gate | α | {' | '.join(f'T = {each:g}' for each in TEMPERATURES)} |"
    yield "|---|---|---|" + "---|" * len(TEMPERATURES)
    for split, weight in product(SPLITS, WEIGHTS):
        gate = split == "disjoint"
        setups = [Setup(split, weight=weight, temperature=each, gate=gate) for each in TEMPERATURES]
        yield f"| {SPLITS[split]} | {'yes' if gate else 'no'} | {weight:g} | {gains(study, setups)} |"


def poisoning(study: Study) -> Iterator[str]:
    """Say what a peer with wrong labels does to an honest owner."""
    yield f"| gate | {' | '.join(f'{each:.0%} wrong' for each in POISONED)} |"
    yield "|---|" + "---|" * len(POISONED)
    for gate in (False, True):
        setups = [Setup(gate=gate, poisoned=each) for each in POISONED]
        yield f"| {'yes' if gate else 'no'} | {gains(study, setups)} |"


def gains(study: Study, setups: Sequence[Setup]) -> str:
    """Give by how many points mutual learning is better than learning alone, cell by cell."""
    return " | ".join(f"{100 * (study.mutual(setup) - study.alone(setup)):+.1f}" for setup in setups)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def order(study: Study) -> Iterator[str]:
    """Say what it costs to pool before the activations, which leaves a quarter of them."""
    yield f"| convnet, alone | {' | '.join(SPLITS.values())} |"
    yield "|---|" + "---|" * len(SPLITS)
    for model, name in (("convnet", "activation, then pool"), (POOLED_FIRST, "pool, then activation")):
        yield f"| {name} | {' | '.join(percent(study.alone(Setup(split, model))) for split in SPLITS)} |"


TABLES: Final[Mapping[str, tuple[str, Callable[[Study], Iterator[str]]]]] = {
    "head": ("Accuracy", head),
    "order": ("Where to pool", order),
    "poisoning": (
        "Points above alone of an honest owner, i.i.d., the other's labels shifted by one",
        poisoning,
    ),
    "shares": ("Points above alone, by the share of images asked about in an epoch", shares),
    "grid": ("Points above alone, by weight and temperature", grid),
}


def page(study: Study, tables: Sequence[str], told: str) -> Iterator[str]:
    """Give the lines of the page."""
    usual = Setup()
    yield "# Mutual learning in the clear, in float32"
    yield ""
    yield (
        f"`python -m benchmarks.bench_mutual`: CIFAR-10, two owners of 4,000 images each, {told}, "
        f"momentum 0.9, learning rate {usual.rate:g}, batches of 64. Accuracy on 2,000 test images, the mean "
        "of both owners and all seeds (of one run: ±1.1 points). The gate: only opinions that find the label "
        "as likely as a guess would. "
        f"Where a table does not vary it, α = {usual.weight:g}, T = {usual.temperature:g}, "
        f"κ = {usual.share:g}, and the network is `convnet`. {sentence(machine())}."
    )
    for name in tables:
        title, lines = TABLES[name]
        yield from ("", f"## {title}", "")
        yield from lines(study)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--tables", choices=TABLES, nargs="+", default=list(TABLES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    place = os.environ.get("MDL_DATA")
    dataset = load(settings_of(Setup()), Path(place) if place else None)
    study = Study(dataset, options.epochs, options.seeds)
    told = f"{options.epochs} epochs, seeds {', '.join(map(str, options.seeds))}"
    for line in page(study, options.tables, told):
        print(line, flush=True)


if __name__ == "__main__":
    main()
