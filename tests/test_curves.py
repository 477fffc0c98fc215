import csv
import json
from pathlib import Path

from mdl.curves import COLUMNS, CURVES, write_curves

LINES = [
    {"seconds": 0.5, "party": 1, "kind": "trained", "epoch": 1, "loss": 2.0, "examples": 10},
    {"seconds": 1.0, "party": 0, "kind": "epoch", "epoch": 1, "opened": 9, "missed": 1, "present": 3},
    {
        "seconds": 1.5,
        "party": 0,
        "kind": "evaluated",
        "epoch": 1,
        "model": "global",
        "accuracy": 0.5,
        "loss": 1.5,
    },
    {"seconds": 2.0, "party": 2, "kind": "left", "epoch": 1, "worker": 2, "how": "killed"},
]


def test_scores_and_epochs_become_rows_and_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    write_curves(tmp_path)
    with (tmp_path / CURVES).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{key: value for key, value in row.items() if value} for row in rows] == [
        {key: str(value) for key, value in line.items()} for line in LINES[1:3]
    ]


def test_a_run_without_scores_has_its_column_names(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").touch()
    write_curves(tmp_path)
    assert (tmp_path / CURVES).read_text().split() == [",".join(COLUMNS)]
