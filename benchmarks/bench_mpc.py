"""What a step of secure quantised training costs in real processes: by network, optimiser, security model.

    python benchmarks/bench_mpc.py [--networks a,b,c,d] [--optimisers momentum,amsgrad] [--steps 10]
    python benchmarks/bench_mpc.py --models rep3:3,rep4:4,dealer:2,dealer:10 --networks a

Each cell is `mdl run configs/mpc-a.toml` with other settings and so few steps, on batches of 128; figures are
from the costs that its parties record: seconds of wall and of computing (sealing included) of the mean party,
bytes and rounds of all. `MDL_DATA` names the folder of MNIST.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from mdl.report.runs import read_run
from mdl.report.series import phases

NETWORKS = "a,b,c,d"
OPTIMISERS = {"momentum": 0.01, "sgd": 0.01, "adam": 0.001, "amsgrad": 0.001}
"""With the learning rate that each is run with."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", default=NETWORKS)
    parser.add_argument("--optimisers", default="momentum,amsgrad", help=", ".join(OPTIMISERS))
    parser.add_argument(
        "--models", default="rep3:3", help="MODEL:WORKERS, with commas between: rep3:3,rep4:4"
    )
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    models = [model.partition(":") for model in options.models.split(",")]
    if not all(workers.isdecimal() for *_, workers in models):
        parser.error(f"--models {options.models}: each must be MODEL:WORKERS, as in rep3:3")
    print(f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}; batches of 128\n")
    print("| network | optimiser | security | parties | s a step | s computing | MB | rounds |")
    print("|---|---|---|---|---|---|---|---|")
    for security, _, workers in models:
        for network in options.networks.split(","):
            for optimiser in options.optimisers.split(","):
                cells = measured(network, optimiser, security, int(workers), options.steps)
                print(
                    f"| {network.upper()} | {optimiser} | {security} | {workers} | {' | '.join(cells)} |",
                    flush=True,
                )


def measured(network: str, optimiser: str, security: str, workers: int, steps: int) -> Sequence[str]:
    """Run so many steps; give seconds, seconds computing, MB and rounds of one."""
    settings = {
        "workers": workers,
        "epochs": 1,
        "system.security": security,
        "system.opening": "none",
        "learning.model": f"network-{network}",
        "learning.optimiser": optimiser,
        "learning.learning_rate": OPTIMISERS[optimiser],
        "learning.local_steps": steps,
        "learning.test_limit": 20,
    }
    changes = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "mdl",
            "run",
            "configs/mpc-a.toml",
            "--quiet",
            "--out",
            out,
            *changes,
        ]
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - our own command
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["failed"])[-1], "", "", ""
        (folder,) = Path(out).iterdir()
        training = [phase for phase in phases(read_run(folder)) if phase.steps]
    computing, waiting = sum(each.computing for each in training), sum(each.waiting for each in training)
    return (
        f"{(computing + waiting) / steps:.3g}",
        f"{computing / steps:.3g}",
        f"{sum(each.size_bytes for each in training) / steps / 1e6:.4g}",
        f"{sum(each.rounds for each in training) / steps:.0f}",
    )


if __name__ == "__main__":
    main()
