import csv
import io
import json
from pathlib import Path

import pytest

from mdl.report import write_report
from mdl.report.comparing import as_csv, as_json, is_study, runs_table, settings_table, study_tables
from tests.report.run_folder import make_run
from tests.report.study_folder import make_study

TWO_KEYS = {"batch": [16, 8], "seed": [1, 2]}


def test_few_runs_without_repetition_are_told_one_by_one(tmp_path: Path) -> None:
    runs = make_study(tmp_path, {"batch": list(range(1, 8))}, lambda _: 0.5)
    assert not is_study(runs[:6])
    assert is_study(runs)


def test_repeated_settings_make_a_study_of_few_runs(tmp_path: Path) -> None:
    assert is_study(make_study(tmp_path, {"seed": [1, 2]}, lambda _: 0.5))


def test_settings_are_listed_by_size_with_mean_and_deviation(tmp_path: Path) -> None:
    runs = make_study(tmp_path, TWO_KEYS, lambda at: 0.5 + 0.1 * at["seed"] + 0.01 * at["batch"])
    table = settings_table(runs)
    assert list(table.head)[:3] == ["learning.batch", "runs", "accuracy"]
    assert [row[:3] for row in table.rows] == [
        ("8", "2", "73.00\u202f% ± 7.07\u202f%"),
        ("16", "2", "81.00\u202f% ± 7.07\u202f%"),
    ]


def test_it_is_told_of_how_many_runs_a_mean_is(tmp_path: Path) -> None:
    runs = make_study(
        tmp_path, TWO_KEYS, lambda _: 0.5, status=lambda at: "failed" if at["seed"] == 2 else "completed"
    )
    assert [row[1] for row in settings_table(runs).rows] == ["1 of 2", "1 of 2"]


def test_a_run_is_a_row_with_only_the_keys_that_differ(tmp_path: Path) -> None:
    runs = make_study(tmp_path, {**TWO_KEYS, "model": ["m"]}, lambda _: 0.5)
    table = runs_table(runs)
    assert list(table.head)[:2] == ["learning.batch", "seed"]
    assert [row[:2] for row in table.rows] == [("8", "1"), ("8", "2"), ("16", "1"), ("16", "2")]
    assert table.rows[0][-1] == "02"
    assert "ε a record" not in table.head


def test_without_repetition_there_is_one_table(tmp_path: Path) -> None:
    runs = make_study(tmp_path, {"batch": [1, 2, 3]}, lambda _: 0.5)
    assert [table.title for table in study_tables(runs)] == ["Run by run"]


def test_the_csv_has_a_line_a_run_unrounded(tmp_path: Path) -> None:
    runs = make_study(tmp_path, TWO_KEYS, lambda at: 1 / 3 + at["seed"] / 7)
    lines = list(csv.DictReader(io.StringIO(as_csv(runs).decode())))
    assert [(line["set.learning.batch"], line["set.seed"]) for line in lines] == [
        ("16", "1"),
        ("16", "2"),
        ("8", "1"),
        ("8", "2"),
    ]
    assert float(lines[1]["accuracy"]) == 1 / 3 + 2 / 7
    assert lines[0]["epsilon_record"] == ""
    assert lines[0]["bytes_up"] == "52000000"


def test_the_json_has_the_runs_and_what_each_setting_gives(tmp_path: Path) -> None:
    runs = make_study(tmp_path, TWO_KEYS, lambda at: 0.5 + 0.1 * at["seed"])
    found = json.loads(as_json(runs))
    assert found["varied"] == ["learning.batch", "seed"]
    assert len(found["runs"]) == 4
    [first, _] = found["settings"]
    assert first["name"] == "batch 16"
    assert first["settings"] == {"learning.batch": 16}
    assert first["figures"]["accuracy"]["mean"] == pytest.approx(0.65)
    assert first["figures"]["accuracy"]["count"] == 2


def test_the_page_of_a_study_has_its_tables_and_files_and_not_every_run(tmp_path: Path) -> None:
    make_study(
        tmp_path / "study", {"batch": [4, 8, 16], "seed": [1, 2, 3]}, lambda at: 0.5 + 0.01 * at["batch"]
    )
    written = [path.name for path in write_report([tmp_path / "study"], tmp_path / "out")]
    assert written == [
        "report.html",
        "report-accuracy-settings.png",
        "report-accuracy-by-batch.png",
        "comparison.csv",
        "comparison.json",
    ]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "By setting: mean ± standard deviation over seeds" in page
    assert "Epoch by epoch" not in page


def test_the_page_of_a_study_says_which_runs_did_not_complete(tmp_path: Path) -> None:
    runs = make_study(
        tmp_path,
        {"seed": [1, 2]},
        lambda _: 0.5,
        status=lambda at: ("interrupted", "completed")[at["seed"] - 1],
    )
    write_report([run.folder for run in runs], tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "1 of 2 runs did not complete; their figures are in no mean." in page


def test_a_single_run_has_no_comparison(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=1)
    write_report([folder], folder)
    assert not list(folder.glob("comparison.*"))
