"""What a run of secure quantised training would have reached in floating point.

    python benchmarks/bench_float.py configs/mpc-a.toml [--set seed=2 ...]

Trains the same network from the same weights on the same batches, in the clear, in float32, and prints its
accuracy on the test set after each epoch, to be held against what `mdl run` prints. `MDL_DATA` names the
folder of the data.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from mdl.config import load
from mdl.mpc.training import rows_of_each
from mdl.rehearsal import cast


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    options = parser.parse_args()
    experiment, _ = load(options.file, options.changes)
    place = os.environ.get("MDL_DATA")
    learners: Any = cast(experiment, Path(place) if place else None)
    network, recipe = learners[1].network, learners[1].recipe
    rows = dict(enumerate(rows_of_each(recipe.batch, experiment.workers), start=1))
    examples = sum(learners[worker].examples for worker in rows)
    steps = recipe.local_steps or examples // recipe.batch
    optimiser = _optimiser(network, recipe.optimiser, learners[1].learning_rate, recipe.momentum)
    for epoch in range(1, experiment.epochs + 1):
        parts = [learners[worker].batches(epoch, count, steps) for worker, count in rows.items()]
        network.train()
        for batches in zip(*parts, strict=True):
            images = torch.cat([torch.from_numpy(images) for images, _ in batches])
            labels = torch.cat([torch.from_numpy(labels) for _, labels in batches])
            optimiser.zero_grad()
            cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        print(f"epoch {epoch}: {_accuracy(network, learners[1]):.4f}", flush=True)


def _optimiser(network: torch.nn.Module, name: str, rate: float, momentum: float) -> torch.optim.Optimizer:
    if name in ("adam", "amsgrad"):
        return torch.optim.Adam(network.parameters(), lr=rate, amsgrad=name == "amsgrad")
    return torch.optim.SGD(network.parameters(), lr=rate, momentum=momentum)


def _accuracy(network: torch.nn.Module, learner: Any) -> float:
    network.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in learner.test_batches(1000):
            right += int((network(torch.from_numpy(images)).argmax(1).numpy() == labels).sum())
            total += len(labels)
    return right / total


if __name__ == "__main__":
    main()
