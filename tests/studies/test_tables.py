import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from mdl.config import parse
from mdl.studies.engine import PointResult
from mdl.studies.entry import Status
from mdl.studies.points import Point
from mdl.studies.standing import Standing
from mdl.studies.tables import closing_table, failures, in_a_line, plan_table

EXPERIMENT = parse({"name": "small", "workers": 3, "epochs": 2, "system": {"type": "fedavg"}})

SUMMARY: dict[str, Any] = {
    "epochs": 9,
    "accuracy": {"global": 0.91234},
    "bytes": {"up": 1000, "down": 2000},
    "seconds": {"total": 75.0},
    "clock": "wall",
}


def shown(table: Table) -> str:
    file = io.StringIO()
    Console(file=file, width=80).print(table)
    return file.getvalue()


def point(seed: int) -> Point:
    return Point(f"visibility-0.5_seed-{seed}", EXPERIMENT, {"system.visibility": 0.5, "seed": seed})


def result(seed: int, status: Status, *, reason: str = "", kept: bool = False, **changes: Any) -> PointResult:
    summary = {**SUMMARY, **changes} if status in ("completed", "interrupted") else None
    return PointResult(point(seed), Path("x"), status, reason, kept, summary)


def test_the_plan_says_what_is_done_and_what_is_to_do() -> None:
    text = shown(plan_table([(point(1), Standing.DONE), (point(2), Standing.NEW)]))
    assert "2 points, 1 to do" in text
    assert "│ done " in text
    assert "visibility-0.5_seed-2" in text


def test_a_study_ends_with_a_row_a_point() -> None:
    results = [
        result(1, "completed", kept=True),
        result(2, "interrupted", epochs=3, bytes={}),
        result(3, "failed", reason="DataUnavailable: none\nand more"),
        result(4, "unstarted"),
    ]
    rows = [line.split() for line in shown(closing_table(results)).splitlines()]
    assert rows == [
        ["visibility", "seed", "epochs", "accuracy", "bytes", "time"],
        ["0.5", "1", "done", "before", "9", "0.9123", "3", "kB", "1", "min", "15", "s"],
        ["0.5", "2", "interrupted", "3", "0.9123", "-", "1", "min", "15", "s"],
        ["0.5", "3", "failed", "-", "-", "-", "-"],
        ["0.5", "4", "unstarted", "-", "-", "-", "-"],
    ]
    assert list(failures(results)) == ["visibility-0.5_seed-3 failed: DataUnavailable: none"]


def test_simulated_times_are_said_to_be() -> None:
    assert "Times are simulated." in shown(closing_table([result(1, "completed", clock="virtual")]))


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("", ""),
        ("DataUnavailable: none", "DataUnavailable: none"),
        ("mnist is not there. Expected there:\n  a\n  b", "mnist is not there. Expected there: a"),
        (
            "ConfigError: experiment:\n  learning_rate: diverged\n  more",
            "ConfigError: experiment: learning_rate: diverged",
        ),
        ("it fell over\nTraceback", "it fell over"),
        ("why:", "why:"),
    ],
)
def test_a_reason_is_told_in_a_line(reason: str, line: str) -> None:
    assert in_a_line(reason) == line
