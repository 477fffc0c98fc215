"""Folders of runs as a study leaves them, made up: every combination of some settings and seeds."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import tomli_w

from mdl.report.runs import Run, read_run
from tests.report.run_folder import evaluated, make_summary, write_lines


def make_study(
    place: Path,
    values: Mapping[str, Sequence[Any]],
    accuracy: Callable[[Mapping[str, Any]], float],
    **summary: Callable[[Mapping[str, Any]], Any],
) -> Sequence[Run]:
    """Make a run for each combination; keys are of `[learning]`, but for `seed`.

    Args:
        place: where.
        values: of each key.
        accuracy: of a run's last epoch, by its settings.
        summary: further figures of its summary, by its settings.
    """
    combinations = [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]
    return [
        read_run(_make(place / f"{number:02}", chosen, accuracy(chosen), summary))
        for number, chosen in enumerate(combinations)
    ]


def _make(
    folder: Path,
    settings: Mapping[str, Any],
    accuracy: float,
    summary: Mapping[str, Callable[[Mapping[str, Any]], Any]],
) -> Path:
    folder.mkdir(parents=True)
    learning = {key: value for key, value in settings.items() if key != "seed"}
    tables = {"name": "study", "seed": settings.get("seed", 1), "learning": learning}
    (folder / "experiment.toml").write_text(tomli_w.dumps(tables))
    write_lines(
        folder / "metrics.jsonl",
        [
            evaluated(2.0 * epoch, 0, epoch, "global", accuracy - 0.1 / epoch + 0.1 / 4)
            for epoch in (1, 2, 3, 4)
        ],
    )
    made = make_summary(name="study", system="coordinated", workers=5, epochs=4, pace=2.0, status="completed")
    changes = {key: of(settings) for key, of in summary.items()}
    written = {**made, "seed": settings.get("seed", 1), "accuracy": {"global": accuracy}, **changes}
    (folder / "summary.json").write_text(json.dumps(written))
    return folder
