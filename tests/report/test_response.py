from pathlib import Path
from typing import Any

import pytest

from mdl.report import drawing
from mdl.report.groups import group_runs
from mdl.report.plots import draw_all
from mdl.report.response import accuracy_against, curves, numeric_keys
from tests.report.study_folder import make_study

RATES = [0.01, 0.1, 1.0]


def test_a_number_of_three_values_or_more_makes_a_curve(tmp_path: Path) -> None:
    runs = make_study(tmp_path, {"rate": RATES, "batch": [1, 2], "model": ["a", "b", "c"]}, lambda _: 0.5)
    assert numeric_keys(group_runs(runs)) == ["learning.rate"]


def test_there_is_a_curve_for_each_combination_of_the_other_settings(tmp_path: Path) -> None:
    runs = make_study(
        tmp_path,
        {"batch": [1, 2], "rate": [1.0, 0.01, 0.1], "seed": [1, 2]},
        lambda at: at["rate"] / 2 + 0.1 * at["batch"] + 0.02 * at["seed"],
    )
    found = curves(group_runs(runs), "learning.rate")
    assert [curve.name for curve in found] == ["batch 1", "batch 2"]
    assert [place for place, _ in found[1].points] == RATES
    assert [reached.mean for _, reached in found[1].points] == pytest.approx([0.235, 0.28, 0.73])
    assert {reached.count for _, reached in found[1].points} == {2}


def test_of_many_curves_the_best_are_named_and_the_number_is_told(tmp_path: Path) -> None:
    runs = make_study(
        tmp_path,
        {"batch": list(range(1, 9)), "rate": RATES},
        lambda at: 0.1 * at["batch"] + 0.01 * at["rate"],
    )
    with drawing.theme():
        picture = accuracy_against(group_runs(runs), "learning.rate")
    assert picture is not None
    assert "8 lines, the 6 best named" in picture.svg
    assert [f"batch {batch}<" in picture.svg for batch in (2, 3)] == [False, True]


def test_a_number_alone_makes_one_curve_without_a_name(tmp_path: Path) -> None:
    runs = make_study(tmp_path, {"rate": RATES}, lambda at: at["rate"] / 2)
    [curve] = curves(group_runs(runs), "learning.rate")
    assert curve.name == ""
    with drawing.theme():
        picture = accuracy_against(group_runs(runs), "learning.rate")
    assert picture is not None
    assert picture.name == "accuracy-by-rate"


def test_numbers_of_one_name_in_two_tables_make_two_plots(tmp_path: Path) -> None:
    clips: dict[str, list[Any]] = {"clip": RATES, "privacy": [{"clip": rate} for rate in RATES]}
    runs = make_study(tmp_path, clips, lambda at: at["clip"] / 2)
    names = [picture.name for picture in draw_all(runs) if picture.name.startswith("accuracy-by")]
    assert names == ["accuracy-by-learning.clip", "accuracy-by-learning.privacy.clip"]
