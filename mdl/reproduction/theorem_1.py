"""Theorem 1: averaging over the active set divides the variance of the noise by its size [∝MDL, §III-C]."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from mdl.privacy.settings import LaplaceNoise
from mdl.report import drawing
from mdl.report.drawing import Picture
from mdl.reproduction import plots
from mdl.reproduction.figure import Check, Data, Figure, Setting
from mdl.reproduction.plots import Series
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.randomness import SystemRandomness

EPSILON, CLIP = 1.0, 0.5
"""With γ = 1/2 the noise is the paper's Lap(1/ε)."""

MEMBERS: Final = (1, 2, 4, 6, 8)
DRAWS: Final = 200_000
GRID: Final = FixedPoint(range=64.0, fraction_bits=12)
"""So wide that no noise is cut off."""


def run(setting: Setting) -> Data:
    """Release zeros by the system's own mechanism, average, and take the variance."""
    rows = [
        {
            "members": members,
            "variance": setting.kept(
                f"variance-{members}",
                {"draws": DRAWS, "members": members},
                partial(variance_of_mean, members),
            ),
            "theorem": 2 / (EPSILON**2 * members),
        }
        for members in MEMBERS
    ]
    return Data(rows, {"epsilon": EPSILON, "clip": CLIP, "draws": DRAWS}, "computed")


def variance_of_mean(members: int) -> float:
    """Give the variance of the mean of so many workers' noise, in the units of a gradient."""
    mechanism = LaplaceNoise(type="laplace", epsilon=EPSILON, clip=CLIP).mechanism(GRID)
    zeros = np.zeros(DRAWS, np.float32)
    rng = SystemRandomness()
    total = sum(mechanism.release(zeros, rng=rng).values for _ in range(members))
    return float(np.var(np.asarray(total) / members / (1 << GRID.fraction_bits)))


def checks(data: Data) -> Sequence[Check]:
    """Within 3 % of 2/(ε²|A|)."""
    ratios = [float(row["variance"] or 0) / float(row["theorem"] or 1) for row in data.rows]
    return [
        Check(
            "the variance is 2/(ε²·|A|), within 3 %",
            "measured ÷ theorem: " + ", ".join(f"{ratio:.4f}" for ratio in ratios),
            all(abs(ratio - 1) <= 0.03 for ratio in ratios),
        )
    ]


def draw(data: Data, provenance: str) -> Picture:
    """Draw the variance against the size of the active set."""

    def column(key: str) -> list[Any]:
        return [row[key] for row in data.rows]

    return plots.lines(
        "theorem-1",
        title="The variance of the mean's noise",
        subtitle=f"discrete Laplace noise of ε = {EPSILON:g}, γ = {CLIP:g}, {DRAWS:,} draws",
        caption="The variance of the noise in an averaged gradient, against the size of the active set.",
        notes=[provenance],
        panels={
            "": [
                Series("drawn by the system's mechanism", drawing.BLUE, MEMBERS, column("variance")),
                Series("2/(ε²·|A|)", drawing.ORANGE, MEMBERS, column("theorem"), dashed=True),
            ]
        },
        x_label="members of the active set",
        y_label="variance",
    )


THEOREM_1: Final = Figure(
    name="theorem-1",
    title="the variance of the mean's noise (Theorem 1)",
    section="III-C",
    claim="Noise of variance 2/ε² on each local gradient leaves 2/(ε²·|A|) in their mean.",
    quick=f"{DRAWS:,} draws of the system's own mechanism for |A| = 1, 2, 4, 6, 8",
    full="the same",
    run=run,
    checks=checks,
    draw=draw,
)
