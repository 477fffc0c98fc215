"""Figure 7 (a): accuracy and epochs to converge against ρ, under noise."""

from collections.abc import Sequence
from itertools import pairwise
from math import hypot, sqrt
from pathlib import Path
from typing import Any, Final

import numpy as np

from mdl.report import drawing
from mdl.report.drawing import Picture
from mdl.reproduction import plots
from mdl.reproduction.committed import experiment_file
from mdl.reproduction.figure import Check, Data, Figure, Row, Setting
from mdl.reproduction.learning_runs import (
    NETWORKS,
    QUICK,
    SEEDS,
    Spread,
    curve,
    learn,
    networks_of,
    over_seeds,
    sized,
)
from mdl.reproduction.plots import Series
from mdl.reproduction.shapes import listed

VISIBILITIES: Final = (0.125, 0.25, 0.5, 0.75, 1.0)
"""ρ: m = 1, 2, 4, 6, 8 of n = 8."""

BUDGET: Final = 0.5

TOLERANCE: Final = 0.01
"""A fall of a point is no fall."""

ALIKE: Final = 0.2

SMOOTH: Final = 3


def run(setting: Setting) -> Data:
    """Train under every ρ and every seed."""
    networks = sized(setting)
    rows = learn(setting, experiment_file("figure-7a"), networks, {"system.visibility": VISIBILITIES})
    facts = {"epsilon": BUDGET, "seeds": list(SEEDS), "networks": [network.extent for network in networks]}
    epochs = [
        {**{key: row[key] for key in ("network", "visibility", "seed")}, "epoch": epoch, "accuracy": accuracy}
        for row in rows
        for epoch, accuracy in curve(Path(str(row["folder"]))).items()
    ]
    return Data(epochs, facts, "computed")


def checks(data: Data) -> Sequence[Check]:
    """More workers in a sum: never worse; and about as many epochs."""
    found = []
    for network in networks_of(data.rows):
        final = [_final(data, network, visibility) for visibility in VISIBILITIES]
        seeds = len(data.facts["seeds"])
        epochs = [converged(_mean_curve(data, network, visibility)) for visibility in VISIBILITIES]
        unended = _unended(epochs, max(_epochs(data, network)))
        middle = sorted(epochs)[len(epochs) // 2]
        found += [
            Check(
                f"{network}: accuracy rises with ρ: no fall beyond a point, or two standard errors",
                f"{', '.join(map(str, final))} at ρ = {listed(VISIBILITIES)}",
                not any(_falls(*both, seeds) for both in pairwise(final))
                and _falls(final[-1], final[0], seeds),
            ),
            Check(
                f"{network}: until a point below its best, about as many epochs (within {ALIKE:.0%} of "
                "the median)",
                f"{listed(epochs)} at ρ = {listed(VISIBILITIES)}{unended}",
                max(abs(each - middle) for each in epochs) <= ALIKE * middle,
            ),
        ]
    return found


def _falls(before: Spread, after: Spread, seeds: int) -> bool:
    """Say whether accuracy falls by more than a point, and than the seeds' spread would explain.

    Noise is drawn afresh whatever the seed is, so means of few seeds differ from run to run.
    """
    error = hypot(before.deviation, after.deviation) / sqrt(seeds)
    return before.mean - after.mean > max(TOLERANCE, 2 * error)


def converged(accuracy: Sequence[float]) -> int:
    """Give the first epoch whose accuracy is within a point of the best, both as means of `SMOOTH` epochs.

    Noise makes single epochs better or worse by more than a point.
    """
    smooth = np.convolve(accuracy, np.full(SMOOTH, 1 / SMOOTH), "valid")
    return int(np.argmax(smooth >= smooth.max() - TOLERANCE)) + SMOOTH


def _unended(epochs: Sequence[int], last: int) -> str:
    """Say how many runs were still getting better when they ended, if any."""
    rising = sum(epoch == last for epoch in epochs)
    return f"; {rising} of {len(epochs)} were still rising in the last epoch" if rising else ""


def _final(data: Data, network: str, visibility: float) -> Spread:
    """Give what the seeds' last `SMOOTH` epochs came to, each seed's a mean."""
    last = max(_epochs(data, network))
    where: dict[str, Any] = {"network": network, "visibility": visibility}
    late = [row for row in data.rows if row["epoch"] > last - SMOOTH]  # type: ignore[operator]
    seeds: list[int] = data.facts["seeds"]
    means: list[Row] = [
        {**where, "seed": seed, "accuracy": over_seeds(late, "accuracy", seed=seed, **where).mean}
        for seed in seeds
    ]
    return over_seeds(means, "accuracy", **where)


def _mean_curve(data: Data, network: str, visibility: float) -> Sequence[float]:
    where = {"network": network, "visibility": visibility}
    return [over_seeds(data.rows, "accuracy", epoch=each, **where).mean for each in _epochs(data, network)]


def _epochs(data: Data, network: str) -> Sequence[int]:
    epochs: list[Any] = [row["epoch"] for row in data.rows if row["network"] == network]
    return sorted(set(epochs))


def draw(data: Data, provenance: str) -> Picture:
    """Draw a line for each network: accuracy on the left, epochs on the right."""
    seeds: list[Any] = data.facts["seeds"]
    accuracies, epochs = [], []
    for network, colour in zip(networks_of(data.rows), drawing.PALETTE, strict=False):
        final = [_final(data, network, visibility) for visibility in VISIBILITIES]
        means, deviations = [each.mean for each in final], [each.deviation for each in final]
        accuracies.append(Series(network, colour, VISIBILITIES, means, deviations))
        counts = [converged(_mean_curve(data, network, visibility)) for visibility in VISIBILITIES]
        epochs.append(Series(network, colour, VISIBILITIES, counts))
    panels = {"test accuracy": accuracies, "epochs until a point below the best": epochs}
    return plots.lines(
        "figure-7a",
        title="Accuracy and convergence against ρ",
        subtitle=f"n = 8, Laplace noise of ε = {data.facts['epsilon']:g} a parameter and epoch, clip γ = 0.5",
        caption="The global model, as more workers' gradients are in every sum. Accuracy is that of the last "
        f"{SMOOTH} epochs.",
        notes=[*data.facts["networks"], f"mean of {len(seeds)} seeds, ± one standard deviation", provenance],
        panels=panels,
        x_label="ρ",
        y_label="",
    )


FIGURE_7A: Final = Figure(
    name="7a",
    title="accuracy and epochs to converge against ρ",
    section="VI-B c",
    claim="ρ has a large influence on accuracy: CNN-SVHN reaches 81.5 % at ρ = 0.125 and 91.4 % at ρ = 1 "
    "(ε = 0.5). Most models converge in about the same number of epochs whatever ρ is.",
    quick=f"ρ ∈ {{0.125, 0.25, 0.5, 0.75, 1}}, ε = {BUDGET:g}, γ = 0.5, three seeds; {QUICK.extent}",
    full="the same for the paper's four networks (CIFAR-10 stands in for SVHN where that is not at hand)",
    run=run,
    checks=checks,
    draw=draw,
    networks=NETWORKS,
)
