"""Points of a study, run for real in their processes."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from mdl.config import parse
from mdl.errors import MdlError
from mdl.report.runs import read_run
from mdl.studies.engine import default_jobs, interrupted, run_points
from mdl.studies.modes import Real, Simulated
from mdl.studies.points import Point
from mdl.studies.processes import Event

LEARNING = {"dataset": "digits", "model": "digits-mlp", "train_limit": 60, "test_limit": 40}
TABLES = {"name": "small", "workers": 3, "epochs": 2, "system": {"type": "fedavg"}}

SIMULATED = Simulated(training_seconds=1.0)


def point(seed: int, **learning: object) -> Point:
    tables = {**TABLES, "seed": seed, "learning": {**LEARNING, **learning}}
    return Point(f"seed-{seed}", parse(tables), {"seed": seed})


def kinds(shown: Sequence[Event]) -> dict[str, list[str]]:
    return {
        name: [event.kind for event in shown if event.name == name] for name in {each.name for each in shown}
    }


@pytest.mark.slow
def test_points_leave_run_folders_and_what_is_done_is_kept(tmp_path: Path) -> None:
    shown: list[Event] = []
    results = run_points([point(1), point(2)], tmp_path / "study", mode=SIMULATED, watch=shown.append)
    assert kinds(shown) == {f"seed-{seed}": ["started", "progress", "progress", "ended"] for seed in (1, 2)}
    for name, result in results.items():
        assert (result.status, result.kept, result.folder) == ("completed", False, tmp_path / "study" / name)
        run = read_run(result.folder)
        assert run.completed
        assert run.simulated
        assert not run.faults
        assert result.summary is not None
        assert result.summary["accuracy"]["global"] == run.summary.accuracy["global"]

    shown.clear()
    again = run_points([point(2), point(3)], tmp_path / "study", mode=SIMULATED, watch=shown.append)
    assert kinds(shown)["seed-2"] == ["kept"]
    assert [result.kept for result in again.values()] == [True, False]
    assert again["seed-2"].summary == results["seed-2"].summary


@pytest.mark.slow
def test_a_point_that_fails_says_why_and_is_tried_again(tmp_path: Path) -> None:
    broken = point(1, dataset="mnist", model="mlp", data_dir=str(tmp_path / "nowhere"))
    results = run_points([broken, point(2)], tmp_path / "study", mode=SIMULATED)
    assert [result.status for result in results.values()] == ["failed", "completed"]
    assert results["seed-1"].reason.startswith("DataUnavailable: ")
    assert results["seed-1"].summary is None
    assert not interrupted(results)
    mended = run_points([point(1)], tmp_path / "study", mode=SIMULATED)
    assert mended["seed-1"].completed


@pytest.mark.slow
def test_a_point_that_was_changed_is_run_afresh(tmp_path: Path) -> None:
    run_points([point(1)], tmp_path, mode=SIMULATED)
    (tmp_path / "seed-1" / "report.html").touch()
    changed = run_points([point(1, train_limit=30)], tmp_path, mode=SIMULATED)
    assert not changed["seed-1"].kept
    assert "train_limit = 30" in (tmp_path / "seed-1" / "experiment.toml").read_text()
    assert not (tmp_path / "seed-1" / "report.html").exists()


def test_what_is_no_point_of_a_study_is_not_overwritten(tmp_path: Path) -> None:
    thesis = tmp_path / "seed-1" / "thesis.tex"
    thesis.parent.mkdir()
    thesis.touch()
    with pytest.raises(MdlError, match="would overwrite what is no point of a study"):
        run_points([point(1)], tmp_path, mode=SIMULATED)
    assert thesis.exists()


def test_a_study_whose_folder_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MdlError, match="cannot make the study's folder"):
        run_points([point(1)], tmp_path / "file" / "study", mode=SIMULATED)


def test_real_runs_go_one_at_a_time_and_simulated_ones_a_core_each() -> None:
    assert default_jobs(Real()) == 1
    assert default_jobs(SIMULATED) == os.cpu_count()
