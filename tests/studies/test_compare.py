"""`mdl compare` as a person runs it: what it refuses, plans, leaves and says."""

import csv
import json
from pathlib import Path

import pytest

from mdl.cli import main
from mdl.studies.engine import PointResult
from mdl.studies.entry import Status
from mdl.studies.modes import Simulated
from mdl.studies.several import Several
from mdl.studies.standing import POINT, record
from mdl.studies.tables import closing_tables

LEARNING = "[learning]\nmodel = 'digits-mlp'\ntrain_limit = 80\ntest_limit = 40\n"
SYSTEMS = {
    "clear": "[system]\ntype = 'fedavg'\n",
    "hidden": "[system]\ntype = 'secret-shared'\n",
    "ring": "[system]\ntype = 'decentralised'\nmode = 'plain'\n",
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("MDL_DATA", raising=False)
    for name, system in SYSTEMS.items():
        head = f"name = '{name}'\nworkers = 3\nepochs = 2\n"
        (tmp_path / f"{name}.toml").write_text(head + LEARNING + system)
    return [tmp_path / f"{name}.toml" for name in SYSTEMS]


def compare(
    capsys: pytest.CaptureFixture[str], files: list[Path], *options: str
) -> tuple[int, str, str, Path]:
    studies = files[0].parent / "studies"
    with pytest.raises(SystemExit) as caught:
        main(["compare", *map(str, files), "--out", str(studies), *options])
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err, studies / "comparison"


def complete(files: list[Path], *seeds: int) -> None:
    """Leave the folders of simulated runs that completed."""
    for point in Several(files, seeds=seeds).points()[0]:
        run = files[0].parent / "studies" / "comparison" / point.name
        run.mkdir(parents=True)
        (run / POINT).write_text(json.dumps(record(point, Simulated())))
        (run / "experiment.toml").write_text(point.experiment.to_toml())
        summary = {"status": "completed", "epochs": 2, "accuracy": {"global": 0.5}, "bytes": {"up": 500}}
        written = {**summary, "seconds": {"total": 1.0}, "clock": "virtual", "name": point.experiment.name}
        (run / "summary.json").write_text(json.dumps(written))


def test_a_dry_run_lists_the_experiments_and_makes_nothing(
    capsys: pytest.CaptureFixture[str], files: list[Path]
) -> None:
    code, out, _, study = compare(capsys, files, "--dry-run")
    assert code == 0
    assert "3 experiments, 3 to do" in out
    assert "┃ name   ┃ state ┃ folder ┃" in out
    assert [out.index(name) for name in SYSTEMS] == sorted(out.index(name) for name in SYSTEMS)
    assert not study.exists()


def test_other_data_is_refused_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], files: list[Path]
) -> None:
    files[1].write_text(files[1].read_text().replace("workers = 3", "workers = 4"))
    code, out, err, study = compare(capsys, files)
    assert (code, out) == (2, "")
    assert f"workers: 3 in {files[0]}, {files[2]}; 4 in {files[1]} (for all: --set workers=3)" in err
    assert not study.exists()


def test_what_is_done_is_not_repeated_and_the_table_is_printed_and_kept(
    capsys: pytest.CaptureFixture[str], files: list[Path]
) -> None:
    complete(files)
    code, out, err, study = compare(capsys, files, "--simulate", "--quiet")
    assert code == 0
    assert "What it reaches and what it costs (simulated time)" in " ".join(out.split())
    assert "who learns what" in out
    assert f"comparison: {study / 'report.html'}" in err.replace("\n", "")
    rows = (study / "comparison.md").read_text().splitlines()
    assert [row.split(" | ")[0] for row in rows[2:5]] == ["| clear", "| hidden", "| ring"]
    lines = list(csv.DictReader((study / "comparison.csv").read_text().splitlines()))
    assert lines[0]["bytes_epoch"] == "250.0"
    assert lines[0]["learns"].startswith("manager: every worker's parameters")
    runs = json.loads((study / "comparison.json").read_text())["runs"]
    assert runs[2]["traits"]["loss"].startswith("the run ends")
    assert json.loads((study / "study.json").read_text())["commands"][0]["command"] == "compare"


def test_a_failed_experiment_stands_in_the_printed_tables_too(files: list[Path]) -> None:
    complete(files)
    results = []
    for point in Several(files).points()[0]:
        run = files[0].parent / "studies" / "comparison" / point.name
        status: Status = "failed" if point.name == "ring" else "completed"
        summary = json.loads((run / "summary.json").read_text()) | {"status": status, "bytes": {}}
        (run / "summary.json").write_text(json.dumps(summary))
        results.append(PointResult(point, run, status, "", kept=False, summary=summary))
    overview, figures, traits = closing_tables(results)
    assert [str(cell) for cell in overview.columns[1].cells] == ["completed", "completed", "failed"]
    for table in (figures, traits):
        assert [str(cell) for cell in table.columns[0].cells] == ["clear", "hidden", "ring (failed)"]


@pytest.mark.parametrize("name", ["../escaped", "a/b", "/elsewhere", "..", ""])
def test_a_study_is_made_nowhere_but_in_the_folder_of_studies(
    capsys: pytest.CaptureFixture[str], files: list[Path], name: str
) -> None:
    code, out, err, study = compare(capsys, files, "--simulate", "--study", name)
    assert (code, out) == (2, "")
    assert "--study" in err
    assert not study.parent.exists()


def test_runs_of_several_seeds_are_means(capsys: pytest.CaptureFixture[str], files: list[Path]) -> None:
    complete(files, 1, 2)
    code, _, _, study = compare(capsys, files, "--simulate", "--quiet", "--seeds", "1,2")
    assert code == 0
    assert len((study / "comparison.md").read_text().splitlines()) == 7
    assert len((study / "comparison.csv").read_text().splitlines()) == 7


def test_one_seed_or_several(capsys: pytest.CaptureFixture[str], files: list[Path]) -> None:
    code, _, err, _ = compare(capsys, files, "--seed", "1", "--seeds", "1,2")
    assert code == 2
    assert "give --seed or --seeds, not both" in err


def test_a_seed_is_that_of_all(capsys: pytest.CaptureFixture[str], files: list[Path]) -> None:
    files[0].write_text("seed = 5\n" + files[0].read_text())
    assert compare(capsys, files, "--dry-run")[0] == 2
    assert compare(capsys, files, "--dry-run", "--seed", "7")[0] == 0


@pytest.mark.slow
def test_experiments_are_run_and_one_that_fails_stops_no_other(
    capsys: pytest.CaptureFixture[str], files: list[Path]
) -> None:
    broken = files[0].parent / "broken.toml"
    late = "timeout_seconds = 0.5\n[delay]\nmean_seconds = 9.0\n"
    broken.write_text(files[0].read_text().replace("'clear'", "'broken'") + late)
    code, out, err, study = compare(
        capsys, [*files, broken], "--simulate", "--training-seconds", "0.1", "--jobs", "2"
    )
    assert code == 1
    assert "broken failed" in " ".join(err.split())
    assert "1 failed" in out
    table = (study / "comparison.md").read_text()
    assert "| clear | fedavg | " in table
    assert "(mean of own models, worst " in table
    assert "| broken (failed) | " in table
    lines = csv.DictReader((study / "comparison.csv").read_text().splitlines())
    accuracy = {line["name"]: float(line["accuracy"] or 0) for line in lines}
    assert accuracy["clear"] > 0
    assert accuracy["hidden"] == pytest.approx(accuracy["clear"], abs=0.03)
