import json
from pathlib import Path

import pytest

from mdl.config import parse
from mdl.studies.modes import Mode, Real, Simulated
from mdl.studies.points import Point
from mdl.studies.standing import LOG, POINT, Standing, foreign, read_json, record, standing

TABLES = {"name": "small", "workers": 3, "epochs": 2, "system": {"type": "fedavg"}}


def point(**changes: object) -> Point:
    return Point("point", parse({**TABLES, **changes}), {"epochs": 2})


def leave(run: Path, ran: Point, mode: Mode, status: str | None = "completed") -> Path:
    """Write what a run of a point leaves."""
    run.mkdir()
    (run / POINT).write_text(json.dumps(record(ran, mode)))
    (run / "experiment.toml").write_text(ran.experiment.to_toml())
    if status is not None:
        (run / "summary.json").write_text(json.dumps({"status": status}))
    return run


def test_what_completed_with_this_experiment_in_this_mode_is_done(tmp_path: Path) -> None:
    run = leave(tmp_path / "run", point(), Real())
    assert standing(point(), run, Real()) is Standing.DONE


@pytest.mark.parametrize(
    ("wanted", "mode"),
    [
        (point(epochs=3), Real()),
        (point(seed=2), Real()),
        (point(), Simulated()),
    ],
)
def test_other_settings_or_another_mode_make_it_another_run(
    tmp_path: Path, wanted: Point, mode: Mode
) -> None:
    run = leave(tmp_path / "run", point(), Real())
    assert standing(wanted, run, mode) is Standing.OTHER


def test_simulations_under_other_conditions_are_other_runs(tmp_path: Path) -> None:
    run = leave(tmp_path / "run", point(), Simulated(training_seconds=10.0))
    assert standing(point(), run, Simulated(training_seconds=10.0)) is Standing.DONE
    assert standing(point(), run, Simulated(training_seconds=20.0)) is Standing.OTHER
    assert standing(point(), run, Simulated(training_seconds=10.0, schedule=1)) is Standing.OTHER


@pytest.mark.parametrize("status", ["interrupted", "failed", None])
def test_what_did_not_complete_is_to_do_again(tmp_path: Path, status: str | None) -> None:
    run = leave(tmp_path / "run", point(), Real(), status)
    assert standing(point(), run, Real()) is Standing.UNFINISHED


def test_where_there_is_nothing_it_is_new(tmp_path: Path) -> None:
    assert standing(point(), tmp_path / "run", Real()) is Standing.NEW


def test_a_torn_summary_is_no_completed_run(tmp_path: Path) -> None:
    run = leave(tmp_path / "run", point(), Real())
    (run / "summary.json").write_text('{"status": "compl')
    assert standing(point(), run, Real()) is Standing.UNFINISHED


def test_a_folder_that_no_point_has_left_is_known(tmp_path: Path) -> None:
    assert not foreign(leave(tmp_path / "run", point(), Real()))
    assert not foreign(tmp_path / "nowhere")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / LOG).touch()
    assert not foreign(tmp_path / "begun")
    (tmp_path / "begun" / "thesis.tex").touch()
    assert foreign(tmp_path / "begun")


@pytest.mark.parametrize("text", ["", "[1]", "{", '"text"'])
def test_what_is_no_object_is_read_as_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "file.json").write_text(text)
    assert read_json(tmp_path / "file.json") is None
    assert read_json(tmp_path / "none.json") is None
