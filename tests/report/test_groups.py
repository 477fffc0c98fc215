import json
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.report.groups import Estimate, estimate, group_runs, varied_settings, written
from mdl.report.quantities import ACCURACY
from mdl.report.runs import read_run
from tests.report.study_folder import make_study


@given(st.lists(st.floats(0, 1), min_size=2), st.integers(0, 3))
def test_an_estimate_is_mean_and_standard_deviation_of_what_is_known(
    values: list[float], unknown: int
) -> None:
    found = estimate([*values, *[None] * unknown])
    assert found is not None
    assert found.mean == pytest.approx(statistics.fmean(values))
    assert found.deviation == pytest.approx(statistics.stdev(values))
    assert found.count == len(values)


def test_of_nothing_there_is_no_estimate_and_of_one_value_no_deviation() -> None:
    assert estimate([None]) is None
    assert estimate([0.5]) == Estimate(0.5, 0.0, 1)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "–"),
        (Estimate(0.9, 0.0, 1), "90.00\u202f%"),
        (Estimate(0.9, 0.02, 3), "90.00\u202f% ± 2.00\u202f%"),
        (Estimate(0.9, 1e-6, 3), "90.00\u202f%"),
    ],
)
def test_a_deviation_is_written_where_it_can_be_seen(found: Estimate | None, text: str) -> None:
    assert written(ACCURACY, found) == text


def test_runs_that_differ_in_their_seeds_are_a_group(tmp_path: Path) -> None:
    runs = make_study(
        tmp_path,
        {"batch": [8, 16], "seed": [1, 2, 3]},
        lambda at: 0.8 + 0.01 * at["seed"] + (at["batch"] == 16) * 0.1,
    )
    groups = group_runs(runs)
    assert [group.name for group in groups] == ["batch 8", "batch 16"]
    assert [group.settings for group in groups] == [{"learning.batch": 8}, {"learning.batch": 16}]
    assert [len(group.runs) for group in groups] == [3, 3]
    found = groups[1].estimate(ACCURACY)
    assert found is not None
    assert (found.mean, found.deviation) == pytest.approx((0.92, 0.01))
    assert found.count == 3


def test_a_run_that_did_not_complete_is_in_no_mean(tmp_path: Path) -> None:
    runs = make_study(
        tmp_path,
        {"seed": [1, 2]},
        lambda at: 0.5 if at["seed"] == 2 else 0.9,
        status=lambda at: "interrupted" if at["seed"] == 2 else "completed",
    )
    [group] = group_runs(runs)
    assert group.estimate(ACCURACY) == Estimate(0.9, 0.0, 1)


def test_the_same_seed_twice_is_no_repetition(tmp_path: Path) -> None:
    [run] = make_study(tmp_path, {"batch": [8]}, lambda _: 0.9)
    assert [len(group.runs) for group in group_runs([run, run])] == [1, 1]


def test_simulated_and_real_runs_are_apart(tmp_path: Path) -> None:
    runs = make_study(
        tmp_path, {"seed": [1, 2]}, lambda _: 0.9, clock=lambda at: "virtual" if at["seed"] == 2 else "wall"
    )
    assert [dict(settings) for settings in varied_settings(runs)] == [
        {"seed": 1, "clock": "wall"},
        {"seed": 2, "clock": "simulated"},
    ]
    assert len(group_runs(runs)) == 2


def test_a_key_that_follows_from_a_type_is_not_said_beside_it(tmp_path: Path) -> None:
    folders = []
    for kind, more in (("plain", ""), ("elgamal", 'group = "x"\n')):
        folder = tmp_path / kind
        folder.mkdir()
        text = f'name = "s"\n[system.scheme]\ntype = "{kind}"\n{more}'
        (folder / "experiment.toml").write_text(text)
        (folder / "summary.json").write_text(json.dumps({"status": "completed"}))
        folders.append(read_run(folder))
    assert [list(settings) for settings in varied_settings(folders)] == [["system.scheme.type"]] * 2
