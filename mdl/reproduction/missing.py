"""In the text: how many parameters find too few workers under random selection [∝MDL, §IV-C a]."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from mdl.protocols import sets as active
from mdl.protocols.selection import missing_bound, missing_probability, random
from mdl.report import drawing
from mdl.report.drawing import Picture
from mdl.reproduction import plots
from mdl.reproduction.figure import Check, Data, Figure, Setting
from mdl.reproduction.plots import Series

WORKERS, THRESHOLD, SHARE = 8, 2, 0.47
"""The paper's example: n, m and k/t."""

PARAMETERS: Final = 100_000
SHARES: Final = (0.2, 0.3, 0.4, SHARE, 0.6, 0.7, 0.8)
THRESHOLDS: Final = (2, 4)
SEED: Final = 1


def run(setting: Setting) -> Data:
    """Draw selections and close sets as the system does, and count; beside it the formulas."""
    rows = []
    for threshold in THRESHOLDS:
        for share in SHARES:
            about = {"threshold": threshold, "share": share, "parameters": PARAMETERS, "seed": SEED}
            name = f"missing-{threshold}-{share:g}"
            rows.append(
                {
                    "threshold": threshold,
                    "share": share,
                    "exact": missing_probability(share, threshold=threshold, workers=WORKERS),
                    "bound": missing_bound(share, threshold=threshold, workers=WORKERS),
                    "drawn": setting.kept(name, about, partial(missing_share, share, threshold)),
                }
            )
    return Data(rows, {"workers": WORKERS, "parameters": PARAMETERS, "seed": SEED}, "computed")


def missing_share(share: float, threshold: int) -> float:
    """Give the part of the parameters that are missed when each worker draws its own."""
    take = round(share * PARAMETERS)
    registered = np.stack(
        [random(SEED, 1, worker=w, blocks=PARAMETERS, take=take) for w in range(1, WORKERS + 1)], axis=1
    )
    return float(np.mean(active.close(registered, threshold) == 0))


def checks(data: Data) -> Sequence[Check]:
    """The paper's example, and that what is drawn is what the formula says."""
    example = next(row for row in data.rows if (row["threshold"], row["share"]) == (THRESHOLD, SHARE))
    drawn, exact, bound = (float(example[key] or 0) for key in ("drawn", "exact", "bound"))
    errors = [abs(float(row["drawn"] or 0) - float(row["exact"] or 0)) for row in data.rows]
    return [
        Check(
            f"k = {SHARE:g}t, n = {WORKERS}, m = {THRESHOLD}: fewer than 10 % are missing",
            f"drawn {drawn:.4f}, exact {exact:.4f}, the paper's bound {bound:.4f}",
            drawn < 0.1 and bound < 0.1,
        ),
        Check(
            "what the selection draws is the exact binomial, within 0.003",
            f"largest difference {max(errors):.4f} over {len(errors)} settings of {PARAMETERS:,} parameters",
            max(errors) <= 0.003,
        ),
        Check(
            "the paper's formula bounds it",
            "exact ÷ bound at most "
            f"{max(float(row['exact'] or 0) / float(row['bound'] or 1) for row in data.rows):.2f}",
            all(float(row["exact"] or 0) <= float(row["bound"] or 0) for row in data.rows),
        ),
    ]


def draw(data: Data, provenance: str) -> Picture:
    """Draw the missing rate against k/t."""

    def column(threshold: int, key: str) -> list[Any]:
        return [row[key] for row in data.rows if row["threshold"] == threshold]

    def series(threshold: int) -> Sequence[Series]:
        return [
            Series("drawn", drawing.BLUE, SHARES, column(threshold, "drawn")),
            Series("exact", drawing.GREEN, SHARES, column(threshold, "exact"), dashed=True),
            Series(
                "the paper's bound, at most 1",
                drawing.ORANGE,
                SHARES,
                column(threshold, "bound"),
                dashed=True,
            ),
        ]

    return plots.lines(
        "missing-rate",
        title="Parameters that find too few workers",
        subtitle=f"random selection, n = {WORKERS}, {PARAMETERS:,} parameters",
        caption="The part of the parameters that fewer than m workers registered, against k/t.",
        notes=[provenance],
        panels={f"m = {threshold}": series(threshold) for threshold in THRESHOLDS},
        x_label="k/t",
        y_label="missing",
    )


MISSING_RATE: Final = Figure(
    name="missing-rate",
    title="parameters that find too few workers",
    section="IV-C a",
    claim="With n = 8 workers and m = 2, k = 0.47t keeps the rate of missing updates below 10 %.",
    quick=f"{PARAMETERS:,} parameters, seven k/t, m = 2 and 4, through the system's own selection",
    full="the same",
    run=run,
    checks=checks,
    draw=draw,
)
