from pathlib import Path
from typing import Any

import pytest

from mdl.report import drawing
from mdl.report.bands import accuracy_by_setting, bands
from mdl.report.groups import group_runs
from mdl.report.runs import read_run
from tests.report.run_folder import evaluated, write_lines
from tests.report.study_folder import make_study


def test_a_band_is_mean_and_range_over_the_seeds(tmp_path: Path) -> None:
    runs = make_study(tmp_path, {"batch": [8], "seed": [1, 2, 3]}, lambda at: 0.6 + 0.1 * at["seed"])
    [band] = bands(group_runs(runs))
    assert band.seeds == 3
    assert [each.epoch for each in band.spreads] == [1, 2, 3, 4]
    last = band.spreads[-1]
    assert (last.low, last.mean, last.high) == pytest.approx((0.7, 0.8, 0.9))


def test_a_band_ends_with_the_shortest_of_its_runs(tmp_path: Path) -> None:
    make_study(tmp_path, {"seed": [1, 2]}, lambda _: 0.9)
    write_lines(tmp_path / "01" / "metrics.jsonl", [evaluated(1.0, 0, 1, "global", 0.5)])
    [band] = bands(group_runs([read_run(tmp_path / name) for name in ("00", "01")]))
    assert [each.epoch for each in band.spreads] == [1]


def test_of_many_settings_the_best_are_named(tmp_path: Path) -> None:
    runs = make_study(tmp_path, {"batch": list(range(1, 10)), "seed": [1, 2]}, lambda at: 0.1 * at["batch"])
    with drawing.theme():
        picture = accuracy_by_setting(group_runs(runs))
    assert picture is not None
    assert "mean of 2 seeds, shaded from worst to best" in picture.svg
    assert "9 settings, the 6 best named" in picture.svg
    assert [f"batch {batch} " in picture.svg for batch in (3, 4, 9)] == [False, True, True]


def test_runs_without_a_score_make_no_picture(tmp_path: Path) -> None:
    runs = make_study(tmp_path, {"seed": [1, 2]}, lambda _: float("nan"))
    with drawing.theme():
        assert accuracy_by_setting(group_runs(runs)) is None


def test_the_title_says_what_the_settings_differ_in(tmp_path: Path) -> None:
    varied: dict[str, list[Any]] = {"batch": [8, 16], "split": ["disjoint", "shards"], "seed": [1, 2]}
    common: dict[str, list[Any]] = {"local_steps": [1], "dataset": ["data/own.npz"]}
    runs = make_study(tmp_path, {**common, **varied}, lambda _: 0.5)
    with drawing.theme():
        picture = accuracy_by_setting(group_runs(runs))
    assert picture is not None
    assert picture.title == "Accuracy over epochs, by batch and split"
    assert "epoch (of 1 step)" in picture.svg
    assert "own · mean of 2 seeds" in picture.svg
    assert "accuracy on the test set" in picture.svg


def test_settings_that_are_too_many_for_a_title_are_not_listed(tmp_path: Path) -> None:
    values = {key: [1, 2] for key in ("batch", "rate", "limit", "local_steps")}
    runs = make_study(tmp_path, values, lambda _: 0.5)
    with drawing.theme():
        picture = accuracy_by_setting(group_runs(runs))
    assert picture is not None
    assert picture.title == "Accuracy over epochs, by setting"
    assert "epoch (of" not in picture.svg
