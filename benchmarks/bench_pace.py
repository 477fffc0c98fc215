"""∝MDL^d against ∝MDL^c on the virtual clock: `python -m benchmarks.bench_pace [--seeds 5]`.

The shape of the paper's Figure 8: eight workers, ρ = 0.5, an epoch of training takes 10 s with 10 % jitter;
once without delays, once with a delay of N(5i, 1) s after each epoch of worker i. Computing is the real
training of `configs/quickstart.toml` and `configs/dynamic.toml` (digits) without cryptography; its time is
the modelled one. Prints, over the seeds: contributions a second and time to a common accuracy, each against
∝MDL^c, and Jain's index of the contributions.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np

from mdl.config import load as load_experiment
from mdl.learning.datasets import load as load_dataset
from mdl.learning.local import build_learner
from mdl.party import PartyId
from mdl.simulator import Network, simulate

WORKERS, TRAINING_SECONDS, JITTER_SECONDS, LINK = 8, 10.0, 1.0, Network(latency_seconds=0.001)
CONFIGS = Path(__file__).parent.parent / "configs"
VARIANTS = {
    "coordinated": ("quickstart.toml", []),
    "dynamic": ("dynamic.toml", []),
    "dynamic, reserved seats": ("dynamic.toml", ["system.admission.type=reserved-seats"]),
    "dynamic, deficit": ("dynamic.toml", ["system.admission.type=deficit"]),
}


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
            experiment.learning, dataset, party=party, workers=WORKERS, seed=seed, pooled=False
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
    print("simulated time; means over the seeds, lowest to highest in brackets; × is against coordinated")
    for slope_seconds in (0.0, 5.0):
        print(f"\ndelay of worker i: N({slope_seconds:g}i, 1) s" if slope_seconds else "\nno delays")
        paces = {v: [run(v, seed=s, slope_seconds=slope_seconds) for s in seeds] for v in VARIANTS}
        for variant, mine in paces.items():
            report(variant, mine, paces["coordinated"])


def report(variant: str, mine: Sequence[Pace], coordinated: Sequence[Pace]) -> None:
    """Print a line for one variant."""
    rates, times = [], []
    for pace, yardstick in zip(mine, coordinated, strict=True):
        common = min(max(a for _, a in p.curve) for p in (pace, yardstick)) - 0.01
        rates.append(pace.rate / yardstick.rate)
        times.append(pace.seconds_to(common) / yardstick.seconds_to(common))
    jain, final = [pace.jain for pace in mine], [pace.curve[-1][1] for pace in mine]
    whole = [pace.curve[-1][0] for pace in mine]
    print(
        f"{variant:24} contributions a second {span(rates)} x, time to a common accuracy {span(times)} x, "
        f"Jain {span(jain)}, accuracy {span(final)}, whole run {fmean(whole):.0f} s"
    )


def span(values: Sequence[float]) -> str:
    """Mean, and the ends."""
    return f"{fmean(values):.3f} ({min(values):.3f}-{max(values):.3f})"


if __name__ == "__main__":
    main()
