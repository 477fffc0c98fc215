import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mdl.report import drawing
from mdl.report.comparing import as_csv
from mdl.report.opinion_lines import opinions_over_epochs
from mdl.report.opinions import by_epoch, rows
from mdl.report.page import render
from mdl.report.runs import Run, read_run
from tests.report.run_folder import make_run, write_lines

SUMMED: Mapping[str, Any] = {
    "asked": 600.0,
    "answered": 600.0,
    "opinions": 412.0,
    "opinions_right": 0.68,
    "opinions_needed": 0.28,
    "learnt_from": 390.0,
    "epochs_learnt": 38.0,
    "answers_limit": 1000,
    "workers": {},
}


def make_told(folder: Path, **changes: Any) -> Run:
    """Write the folder of a run whose two workers are told opinions; read it."""
    make_run(folder, name=folder.name)
    lines = [
        trained(worker, epoch, known=10 * (epoch - 1), right=0.1 * epoch + 0.1 * worker, learnt=worker)
        for epoch in (1, 2, 3)
        for worker in (1, 2)
    ]
    write_lines(folder / "metrics.jsonl", lines)
    path = folder / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "opinions": {**SUMMED, **changes}}))
    return read_run(folder)


def trained(worker: int, epoch: int, *, known: int, right: float, learnt: int) -> Mapping[str, Any]:
    line = {"seconds": epoch, "party": worker, "kind": "trained", "epoch": epoch, "loss": 1.0}
    if epoch == 1:  # nothing is asked in it
        return line
    told = {"opinions": known, "opinions_right": right, "opinions_needed": 0.28, "learnt_from": learnt}
    return {**line, **told}


def drawn(*runs: Run) -> str:
    with drawing.theme():
        picture = opinions_over_epochs(runs)
    return picture.svg if picture else ""


def test_each_epoch_with_opinions_has_a_row_of_the_mean_worker(tmp_path: Path) -> None:
    run = make_told(tmp_path / "run")
    assert [each.epoch for each in by_epoch(run)] == [2, 3]
    assert by_epoch(run)[1].right == pytest.approx(0.45)
    assert rows(run)[0] == ("2", "10", "35.00\u202f%", "28.00\u202f%", "2", "8")


def test_lines_show_what_opinions_were_worth_beside_what_they_must_be(tmp_path: Path) -> None:
    svg = drawn(make_told(tmp_path / "run"))
    assert ">right  45.0" in svg
    assert ">learnt from  7.5" in svg
    assert ">must be right  28.0" in svg


def test_several_runs_are_told_apart_and_those_without_opinions_left_out(tmp_path: Path) -> None:
    others = [read_run(make_run(tmp_path / "silent", name="silent")), make_told(tmp_path / "two")]
    svg = drawn(make_told(tmp_path / "one"), *others)
    assert ">one: right  45.0" in svg
    assert ">two: right  45.0" in svg
    assert "silent" not in svg


def test_runs_that_are_told_no_opinions_have_no_rows_and_no_plot(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run"))
    assert not rows(run)
    assert not drawn(run)
    assert "Opinions" not in render([run], [])


def test_an_epoch_in_which_nothing_is_known_yet_has_a_row_and_no_point(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    line = {**trained(1, 2, known=0, right=0.0, learnt=0), "opinions_right": None, "opinions_needed": None}
    write_lines(folder / "metrics.jsonl", [line])
    assert rows(read_run(folder)) == [("2", "0", "–", "–", "0", "0")]
    assert drawn(read_run(folder))


def test_the_page_says_how_many_answers_of_the_limit_were_given(tmp_path: Path) -> None:
    page = render([make_told(tmp_path / "run")], [])
    assert "600 of 1\u202f000 at most" in page
    assert "390, in 38 epochs any" in page
    assert "Opinions of others, epoch by epoch" in page


def test_the_page_says_that_no_opinion_was_ever_learnt_from(tmp_path: Path) -> None:
    page = render([make_told(tmp_path / "run", learnt_from=0.0, epochs_learnt=0.0)], [])
    assert "none was ever learnt from" in page


def test_the_files_of_a_comparison_have_the_opinions(tmp_path: Path) -> None:
    runs = [make_told(tmp_path / "one"), read_run(make_run(tmp_path / "two"))]
    [one, two] = csv.DictReader(io.StringIO(as_csv(runs).decode()))
    keys = ("opinions_asked", "opinions_right", "opinions_learnt_from")
    assert [one[key] for key in keys] == ["600.0", "0.68", "390.0"]
    assert [two[key] for key in keys] == ["", "", ""]
