"""What hiding adds to an epoch of real training.

Runs an experiment under the plain oracle and under each scheme, in turn, several times; each time once with
a single epoch and once with more. An epoch is the difference, so that start-up is not counted. Prints medians
of wall and CPU seconds over all processes, bytes up, and the ratios to plain. By default MLP-MNIST with
Ring-LWE masks; of systems that have modes in the place of schemes, `--key system.mode` compares these.
`MDL_DATA` names the folder of the data.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Epoch:
    """What one epoch takes: seconds, CPU seconds over all processes, bytes from the workers."""

    wall: float
    cpu: float
    up: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", default="configs/mnist-mlp.toml")
    parser.add_argument("--scheme", action="append", dest="schemes", help="rlwe where none is given")
    parser.add_argument("--key", default="system.scheme.type", help="what a scheme is the value of")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    schemes = ["plain", *(options.schemes or ["rlwe"])]
    measured: dict[str, list[Epoch]] = {scheme: [] for scheme in schemes}
    for turn in range(options.runs):
        for scheme in schemes[turn % len(schemes) :] + schemes[: turn % len(schemes)]:
            found = epoch(options.file, f"{options.key}={scheme}", options.overrides, options.epochs)
            measured[scheme].append(found)
            print(f"run {turn + 1}, {scheme}: {found.wall:.3f} s, {found.cpu:.3f} s CPU", flush=True)
    heads = "".join(f"{unit:>9}{'ratio':>8}" for unit in ("s wall", "s CPU", "MB up"))
    print(f"\n{'an epoch':10}{heads}   medians of {options.runs}")
    base = medians(measured["plain"])
    for scheme in schemes:
        own = medians(measured[scheme])
        print(
            f"{scheme:10}{own.wall:9.3f}{own.wall / base.wall:8.3f}{own.cpu:9.3f}{own.cpu / base.cpu:8.3f}"
            f"{own.up / 1e6:9.2f}{own.up / base.up:8.3f}"
        )


def medians(epochs: Sequence[Epoch]) -> Epoch:
    """Give the median of each figure."""
    return Epoch(*(median(values) for values in zip(*((e.wall, e.cpu, e.up) for e in epochs), strict=True)))


def epoch(file: str, hiding: str, overrides: Sequence[str], epochs: int) -> Epoch:
    """Measure one epoch as the difference of two runs."""
    one, many = (run(file, [hiding, f"epochs={count}", *overrides]) for count in (1, epochs))
    return Epoch(*((b - a) / (epochs - 1) for a, b in zip(one, many, strict=True)))


def run(file: str, overrides: Sequence[str]) -> tuple[float, float, float]:
    """Run an experiment; give its wall seconds from the first epoch's begin, CPU seconds, and bytes up."""
    changes = [part for override in overrides for part in ("--set", override)]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "mdl", "run", file, "--quiet", "--out", out, *changes]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
        (folder,) = Path(out).iterdir()
        summary = json.loads((folder / "summary.json").read_text())
    return summary["seconds"]["total"], summary["cpu_seconds"], summary["bytes"]["up"]


if __name__ == "__main__":
    main()
