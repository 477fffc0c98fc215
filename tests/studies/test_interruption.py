"""`mdl sweep` as a person runs it, broken off in the midst of a run, and taken up again."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.whole_run, pytest.mark.timeout(180)]

FILE = """
name = "small"
workers = 3
epochs = 25

[system]
type = "coordinated"
threshold = 3

[system.scheme]
type = "plain"

[learning]
dataset = "digits"
model = "digits-mlp"
train_limit = 200
"""

SEEDS = ("seed-1", "seed-2", "seed-3")


class Study:
    """A sweep over three seeds, one at a time."""

    def __init__(self, place: Path, options: Sequence[str]) -> None:
        (place / "small.toml").write_text(FILE)
        self.folder = place / "studies" / "small"
        self._mark = uuid.uuid4().hex
        self._command = [
            *(sys.executable, "-m", "mdl", "sweep", str(place / "small.toml"), "--grid", "seed=1,2,3"),
            *("--jobs", "1", "--out", str(place / "studies"), *options),
        ]

    def start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "STUDY_OF_THIS_TEST": self._mark, "COLUMNS": "120"}
        pipe = subprocess.PIPE
        return subprocess.Popen(self._command, env=environment, stdout=pipe, stderr=pipe, text=True)  # noqa: S603

    def processes(self) -> Iterator[int]:
        """Every process that the study has started, and itself."""
        for environment in Path("/proc").glob("[0-9]*/environ"):
            try:
                if self._mark.encode() in environment.read_bytes():
                    yield int(environment.parent.name)
            except OSError:
                continue

    def summary(self, seed: str) -> Mapping[str, Any]:
        path = self.folder / seed / "summary.json"
        found: Mapping[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def is_in_the_second_run(self) -> bool:
        metrics = self.folder / "seed-2" / "metrics.jsonl"
        return metrics.exists() and metrics.stat().st_size > 0


def until(come: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "options"),
    [(signal.SIGINT, ["--simulate"]), (signal.SIGKILL, [])],
    ids=["Ctrl-C, simulated", "killed, real processes"],
)
def test_a_study_that_is_broken_off_goes_on_without_repeating_what_is_done(
    tmp_path: Path, number: signal.Signals, options: Sequence[str]
) -> None:
    study = Study(tmp_path, options)
    broken = study.start()
    until(study.is_in_the_second_run)
    broken.send_signal(number)
    _, told = broken.communicate(timeout=60)
    until(lambda: not list(study.processes()))
    assert broken.returncode == (130 if number is signal.SIGINT else -number)
    assert ("the same command goes on with the rest" in told) == (number is signal.SIGINT)
    first = study.summary("seed-1")
    assert first["status"] == "completed"
    assert study.summary("seed-2")["status"] == "interrupted"
    assert not study.summary("seed-3")

    again = study.start()
    output, _ = again.communicate(timeout=90)
    assert again.returncode == 0
    assert "seed-1 completed" not in output
    assert "1 done before, 2 completed" in output
    assert study.summary("seed-1") == first
    assert [study.summary(seed)["status"] for seed in SEEDS] == ["completed"] * 3
    assert [study.summary(seed)["epochs"] for seed in SEEDS] == [25] * 3
    assert not list(study.processes())
