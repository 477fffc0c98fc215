"""∝MDL^d against ∝MDL^c on the virtual clock: `python -m benchmarks.bench_pace [--seeds 5]`.

The shape of the paper's Figure 8: eight workers, ρ = 0.5, an epoch of training takes 10 s with 10 % jitter;
once without delays, once with a delay of N(5i, 1) s after each epoch of worker i. Computing is the real
training of `configs/quickstart.toml` and `configs/dynamic.toml` (digits) without cryptography; its time is
the modelled one. Each variant is held against ∝MDL^c with the same selection; the paper's is random.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np

from mdl.config import load as load_experiment
from mdl.learning.building import build_learner
from mdl.learning.datasets import load as load_dataset
from mdl.party import PartyId
from mdl.simulator import Network, simulate

WORKERS, TRAINING_SECONDS, JITTER_SECONDS, LINK = 8, 10.0, 1.0, Network(latency_seconds=0.001)
CONFIGS = Path(__file__).parent.parent / "configs"
RANDOM = "system.selection=random"
BALANCED = "system.selection=balanced"
VARIANTS = {
    "coordinated, random": ("quickstart.toml", [RANDOM]),
    "dynamic, random": ("dynamic.toml", [RANDOM]),
    "  with reserved seats": ("dynamic.toml", [RANDOM, "system.admission.type=reserved-seats"]),
    "  with deficits": ("dynamic.toml", [RANDOM, "system.admission.type=deficit"]),
    "coordinated, balanced": ("quickstart.toml", [BALANCED]),
    "dynamic, balanced": ("dynamic.toml", [BALANCED]),
}
YARDSTICKS = {
    variant: "coordinated, balanced" if BALANCED in more else "coordinated, random"
    for variant, (_, more) in VARIANTS.items()
}
GOALS = (0.85, 0.90, 0.93)
"""Accuracies of the global model; the paper's is 85 %."""


@dataclass(frozen=True)
class Pace:
    """One run on the virtual clock: global accuracy by virtual second, and contributions by worker."""

    curve: Sequence[tuple[float, float]]
    accepted: Sequence[int]

    @property
    def rate(self) -> float:
        """Contributions a second."""
        return sum(self.accepted) / self.curve[-1][0]

    @property
    def jain(self) -> float:
        """Evenness: 1 where all contributed alike."""
        counts = np.array(self.accepted, float)
        return float(counts.sum() ** 2 / (len(counts) * (counts**2).sum()))

    def seconds_to(self, accuracy: float) -> float:
        """When the global model first was that good."""
        return next(seconds for seconds, reached in self.curve if reached >= accuracy)


def pauses(seed: int, slope_seconds: float, worker: PartyId) -> list[float]:
    """Training and delay of each epoch: N(10, 1) + max(0, N(slope·i, 1)) where there is a slope."""
    rng = np.random.default_rng([seed, worker])
    training = np.maximum(0.0, rng.normal(TRAINING_SECONDS, JITTER_SECONDS, 2_000))
    delay = np.maximum(0.0, rng.normal(slope_seconds * worker, 1.0, 2_000)) if slope_seconds else 0.0
    return list(training + delay) if worker else []


def run(variant: str, *, seed: int, slope_seconds: float) -> Pace:
    """Run one variant."""
    name, changes = VARIANTS[variant]
    changes = [*changes, f"seed={seed}", "system.scheme.type=plain", "alone=false"]
    experiment, _ = load_experiment(CONFIGS / name, changes)
    dataset = load_dataset(experiment.learning, None)
    simulation = simulate(
        experiment.system,
        lambda party: build_learner(
            experiment.learning,
            dataset,
            party=party,
            workers=WORKERS,
            epochs=experiment.epochs,
            seed=seed,
        ),
        workers=WORKERS,
        epochs=experiment.epochs,
        seed=seed,
        schedule=seed,
        network=LINK,
        delays=partial(pauses, seed, slope_seconds),
    )
    assert not simulation.errors, simulation.errors
    accepted = {r["worker"]: r["count"] for r in simulation.records if r["kind"] == "accepted"}
    curve = [
        (r["seconds"], r["accuracy"])
        for r in simulation.records
        if r["kind"] == "evaluated" and r["model"] == "global"
    ]
    return Pace(curve, [accepted.get(worker, 0) for worker in range(1, WORKERS + 1)])


def main() -> None:
    """Run all variants with all seeds, and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(1, parser.parse_args().seeds + 1)
    print("simulated seconds, means over the seeds; in brackets: coordinated takes so many times as long")
    for slope_seconds in (0.0, 5.0):
        print(f"\ndelay of worker i: N({slope_seconds:g}i, 1) s" if slope_seconds else "\nno delays")
        goals = "".join(f"{f'to {goal:.0%}':>15}" for goal in GOALS)
        print(f"{'':24}{'contributions/s':>18}{goals}{'Jain':>8}{'accuracy at the end':>22}")
        paces = {v: [run(v, seed=s, slope_seconds=slope_seconds) for s in seeds] for v in VARIANTS}
        for variant, mine in paces.items():
            print(line(variant, mine, paces[YARDSTICKS[variant]]))


def line(variant: str, mine: Sequence[Pace], yardstick: Sequence[Pace]) -> str:
    """Say how one variant fared."""

    def mean(paces: Sequence[Pace], figure: Callable[[Pace], float]) -> float:
        return fmean(map(figure, paces))

    rate = mean(mine, lambda pace: pace.rate)
    columns = f"{variant:24}{rate:9.0f} ({rate / mean(yardstick, lambda pace: pace.rate):.2f} x)"
    for goal in GOALS:
        seconds = mean(mine, lambda pace, goal=goal: pace.seconds_to(goal))  # type: ignore[misc]
        longer = mean(yardstick, lambda pace, goal=goal: pace.seconds_to(goal)) / seconds  # type: ignore[misc]
        columns += f"{seconds:7.0f} ({longer:.2f})"
    final = [pace.curve[-1][1] for pace in mine]
    spread = f"{fmean(final):.3f} ({min(final):.3f}-{max(final):.3f})"
    return f"{columns}{mean(mine, lambda pace: pace.jain):8.3f}{spread:>22}"


if __name__ == "__main__":
    main()
