"""`mdl sweep` but for the runs themselves: what it refuses, plans and says."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from mdl.cli import main
from mdl.studies.grid import grid_points, parse_axes
from mdl.studies.modes import Simulated
from mdl.studies.standing import POINT, record

FILE = 'name = "small"\nworkers = 3\nepochs = 2\n[system]\ntype = "fedavg"\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "100")
    path = tmp_path / "small.toml"
    path.write_text(FILE)
    return path


def sweep(capsys: pytest.CaptureFixture[str], file: Path, *options: str) -> tuple[int, str, str]:
    command = ["sweep", str(file), "--out", str(file.parent / "studies"), *options]
    with pytest.raises(SystemExit) as caught:
        main(command)
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


def complete(file: Path, grid: Sequence[str], overrides: Sequence[str] = ()) -> None:
    """Leave the folders of simulated runs that completed."""
    points, _ = grid_points(file, overrides, parse_axes(grid))
    for point in points:
        run = file.parent / "studies" / "small" / point.name
        run.mkdir(parents=True)
        (run / POINT).write_text(json.dumps(record(point, Simulated())))
        (run / "experiment.toml").write_text(point.experiment.to_toml())
        summary = {"status": "completed", "epochs": 2, "accuracy": {"global": 0.5}, "bytes": {}}
        written = {**summary, "seconds": {"total": 1.0}, "clock": "virtual"}
        (run / "summary.json").write_text(json.dumps(written))


def test_a_dry_run_lists_the_points_and_makes_nothing(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    code, out, _ = sweep(capsys, file, "--grid", "seed=1,2", "--grid", "epochs=3,4", "--dry-run")
    assert code == 0
    assert "4 points, 4 to do" in out
    assert "epochs-3_seed-1" in out
    assert not (file.parent / "studies").exists()


def test_no_point_starts_where_one_cannot_work(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    code, _, err = sweep(capsys, file, "--grid", "workers=3,0", "--simulate")
    assert code == 2
    assert "at workers=0: workers: " in err
    assert not (file.parent / "studies").exists()


def test_a_study_that_is_done_is_shown_again_and_compared(
    capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    complete(file, ["seed=1,2"])
    code, out, err = sweep(capsys, file, "--grid", "seed=1,2", "--simulate", "--quiet")
    assert code == 0
    assert out.count("done before") == 2
    assert f"comparison: {file.parent / 'studies' / 'small' / 'report.html'}" in err.replace("\n", "")
    assert (file.parent / "studies" / "small" / "comparison.csv").is_file()


def test_completed_runs_of_other_settings_are_not_replaced_unasked(
    capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    complete(file, ["seed=1,2"], ["epochs=9"])
    code, _, err = sweep(capsys, file, "--grid", "seed=1,2,3", "--simulate")
    assert code == 2
    assert "are in the way: seed-1, seed-2" in err
    assert "--replace" in err


def test_a_plan_says_what_would_be_replaced(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    complete(file, ["seed=1"], ["epochs=9"])
    _, out, err = sweep(capsys, file, "--grid", "seed=1,2", "--simulate", "--dry-run")
    assert "with --replace only: what is there completed under other settings" in " ".join(out.split())
    assert "this study would be refused" in err
    assert "are in the way: seed-1" in err
    _, _, err = sweep(capsys, file, "--grid", "seed=1,2", "--simulate", "--dry-run", "--replace")
    assert err == ""


def test_a_study_without_its_data_is_refused_before_a_folder_is_made(
    capsys: pytest.CaptureFixture[str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MDL_DATA", raising=False)
    grid = ("--grid", "learning.dataset=digits,mnist", "--simulate")
    code, _, err = sweep(capsys, file, *grid)
    assert code == 1
    assert err.startswith("mdl: DataUnavailable: mnist is to be read from disk")
    assert not (file.parent / "studies").exists()
    code, _, err = sweep(capsys, file, *grid, "--dry-run")
    assert code == 0
    assert "this study would be refused: mnist is to be read from disk" in err


def test_points_that_are_done_need_their_data_no_more(
    capsys: pytest.CaptureFixture[str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MDL_DATA", raising=False)
    complete(file, ["seed=1"], ["learning.dataset=mnist"])
    code, out, _ = sweep(capsys, file, "--grid", "seed=1", "--simulate", "--set", "learning.dataset=mnist")
    assert (code, out.count("done before")) == (0, 1)


def test_a_study_where_a_file_is_in_the_way_is_refused(
    capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    (file.parent / "studies").mkdir()
    (file.parent / "studies" / "small").touch()
    code, _, err = sweep(capsys, file, "--grid", "seed=1", "--dry-run")
    assert code == 2
    assert "small is a file, and a folder is needed: name another place" in err


@pytest.mark.parametrize("option", [("--latency", "5"), ("--training-seconds", "1"), ("--schedule", "2")])
def test_conditions_of_a_simulation_ask_for_one(
    capsys: pytest.CaptureFixture[str], file: Path, option: tuple[str, str]
) -> None:
    code, _, err = sweep(capsys, file, "--grid", "seed=1", *option)
    assert code == 2
    assert "add --simulate" in err


def test_without_a_grid_there_is_no_study(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    code, _, err = sweep(capsys, file)
    assert code == 2
    assert "--grid" in err
