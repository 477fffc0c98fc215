"""What the framework adds to training: `MDL_DATA=... python -m benchmarks.bench_overhead [FILE]`.

Compares CPU seconds an epoch of `mdl run` under the plain scheme, all parties together and evaluation left
out, with those of the same workers' bare PyTorch training on the same batches (a hand-written loop over the
same uint8 data). Both are differences between a long and a short run, so that starting up does not count;
done side by side.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from mdl.config import load
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
        cpu_seconds: float = json.loads((run / "summary.json").read_text())["cpu_seconds"]
        entries = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    # Wall seconds of evaluation, which is one thread computing: an upper bound of its CPU seconds would
    # favour us, so only the manager's, which grows with the epochs, is taken off.
    evaluation: float = sum(
        entry["seconds"].get("evaluation", 0.0) for entry in entries if entry["party"] == 0
    )
    return cpu_seconds - evaluation


def bare_seconds(file: str) -> float:
    """Give the CPU seconds an epoch of training by hand, a process for each worker, all at once."""
    experiment, _ = load(Path(file))
    workers = range(1, experiment.workers + 1)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "mdl.learning.local"])
    with ProcessPoolExecutor(experiment.workers, mp_context=context) as pool:
        return sum(pool.map(bare_worker, [file] * experiment.workers, workers))


def bare_worker(file: str, worker: int) -> float:
    """Give one worker's CPU seconds an epoch."""
    torch.set_num_threads(1)
    experiment, _ = load(Path(file))
    settings = experiment.learning
    dataset = load_data(settings, Path(os.environ["MDL_DATA"]) if "MDL_DATA" in os.environ else None)
    rows = split(dataset.train_labels, settings, experiment.workers, experiment.seed)[worker - 1]
    model = build(settings, dataset.shape, dataset.classes, experiment.seed)
    parameters = list(model.parameters())
    rng = np.random.default_rng(0)
    begun = time.process_time()
    for _ in range(LONG):
        order = rng.permutation(rows)
        for first in range(0, len(order), settings.batch):
            batch = order[first : first + settings.batch]
            images = torch.from_numpy(dataset.train_images[batch]).float().div_(dataset.scale)
            labels = torch.from_numpy(dataset.train_labels[batch])
            model.zero_grad()
            torch.autograd.backward(functional.cross_entropy(model(images), labels))
            with torch.no_grad():
                for parameter in parameters:
                    assert parameter.grad is not None
                    parameter.sub_(parameter.grad, alpha=settings.learning_rate)
    return (time.process_time() - begun) / LONG


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", default="configs/mnist-mlp.toml")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    experiment, _ = load(Path(arguments.file))
    ratios = []
    for _ in range(arguments.rounds):
        bare = bare_seconds(arguments.file)
        more = framework_seconds(arguments.file, LONG) - framework_seconds(arguments.file, SHORT)
        ours = more / (LONG - SHORT)
        ratios.append(ours / bare)
        print(
            f"{experiment.name}: bare {bare:.2f} s, mdl {ours:.2f} s CPU an epoch: {ours / bare:.3f} x",
            flush=True,
        )
    print(f"median {sorted(ratios)[len(ratios) // 2]:.3f} x")


if __name__ == "__main__":
    main()
