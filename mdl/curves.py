"""A run's curves as a table for any program: ``metrics.csv``."""

import csv
import io
import json
from pathlib import Path
from typing import Final

from mdl.folder import METRICS, write_atomically

CURVES: Final = "metrics.csv"

COLUMNS: Final = (
    "epoch",
    "seconds",
    "party",
    "kind",
    "model",
    "accuracy",
    "loss",
    "opened",
    "missed",
    "present",
)
"""A row is a score (kind ``evaluated``: model, accuracy, loss) or an epoch of the run (kind ``epoch``: blocks
opened and missed, workers present). What a kind does not say is empty."""


def write_curves(run: Path) -> None:
    """Write the scores and epochs of a run's `metrics.jsonl`, in its order, as comma-separated values."""
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    for line in (run / METRICS).read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["kind"] in ("evaluated", "epoch"):
            writer.writerow(event)
    write_atomically(run / CURVES, table.getvalue().encode())
