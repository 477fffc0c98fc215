"""What the framework adds to training: `MDL_DATA=... python -m benchmarks.bench_overhead [FILE]`.

Compares CPU seconds an epoch of `mdl run` under the plain scheme, all parties together and evaluation left out, with
those of the same workers' bare PyTorch training on the same batches (a hand-written loop over the same uint8
data). Both are differences between a long and a short run, so that starting up does not count; done side by side.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from mdl.config import Experiment, load
from mdl.learning.datasets import load as load_data
from mdl.learning.models import build
from mdl.learning.partition import split

SHORT, LONG = 1, 5


def framework_seconds(file: str, epochs: int) -> float:
    """Give the CPU seconds of all parties in a run of so many epochs, without evaluation."""
    with tempfile.TemporaryDirectory() as out:
        overrides = ["system.scheme.type=plain", f"epochs={epochs}", "alone=false"]
        options = [part for override in overrides for part in ("--set", override)]
        subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "mdl", "run", file, "--out", out, "--quiet", *options],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        run = next(Path(out).iterdir())
        summary = json.loads((run / "summary.json").read_text())
        entries = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    # Wall seconds of evaluation, which is one thread computing: an upper bound of its CPU seconds would favour us, so
    # only the manager's, which grows with the epochs, is taken off.
    evaluation = sum(entry["seconds"].get("evaluation", 0.0) for entry in entries if entry["party"] == 0)
    return float(summary["cpu_seconds"]) - evaluation


def bare_seconds(experiment: Experiment, epochs: int) -> float:
    """Give the CPU seconds of all workers' training, one after the other, by hand."""
    settings = experiment.learning
    dataset = load_data(settings, Path(os.environ["MDL_DATA"]) if "MDL_DATA" in os.environ else None)
    parts = split(dataset.train_labels, settings, experiment.workers, experiment.seed)
    begun = time.process_time()
    for rows in parts:
        model = build(settings, dataset.shape, dataset.classes, experiment.seed)
        optimiser = list(model.parameters())
        rng = np.random.default_rng(0)
        for _ in range(epochs):
            order = rng.permutation(rows)
            for first in range(0, len(order), settings.batch):
                batch = order[first : first + settings.batch]
                images = torch.from_numpy(dataset.train_images[batch]).float().div_(dataset.scale)
                labels = torch.from_numpy(dataset.train_labels[batch]).long()
                model.zero_grad()
                functional.cross_entropy(model(images), labels).backward()
                with torch.no_grad():
                    for parameter in optimiser:
                        assert parameter.grad is not None
                        parameter.sub_(parameter.grad, alpha=settings.learning_rate)
    return time.process_time() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", default="configs/mnist-mlp.toml")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    experiment, _ = load(Path(arguments.file))
    ratios = []
    for _ in range(arguments.rounds):
        bare = (bare_seconds(experiment, LONG) - bare_seconds(experiment, SHORT)) / (LONG - SHORT)
        ours = (framework_seconds(arguments.file, LONG) - framework_seconds(arguments.file, SHORT)) / (LONG - SHORT)
        ratios.append(ours / bare)
        print(f"{experiment.name}: bare {bare:.2f} s, mdl {ours:.2f} s CPU an epoch: {ours / bare:.3f} x", flush=True)
    print(f"median {sorted(ratios)[len(ratios) // 2]:.3f} x")


if __name__ == "__main__":
    main()
