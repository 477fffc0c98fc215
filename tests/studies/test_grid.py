from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.errors import ConfigError
from mdl.studies.grid import Axis, grid_points, parse_axes, split_values
from mdl.studies.problems import MOST

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.toml"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a,b,c", ["a", "b", "c"]),
        ("0.5, 0.75", ["0.5", "0.75"]),
        ('"a,b",c', ['"a,b"', "c"]),
        ("'a,b',c", ["'a,b'", "c"]),
        ("[1,2],[3,4]", ["[1,2]", "[3,4]"]),
        ("{a = 1, b = [2, 3]},{a = 4}", ["{a = 1, b = [2, 3]}", "{a = 4}"]),
        ('["a]",1],2', ['["a]",1]', "2"]),
        ("it's,fine", ["it's", "fine"]),
        ("", [""]),
    ],
)
def test_commas_within_quotes_and_brackets_belong_to_the_value(text: str, values: list[str]) -> None:
    assert split_values(text) == values


@given(st.lists(st.text("abc.01-", min_size=1), min_size=1))
def test_plain_values_come_back(values: list[str]) -> None:
    assert split_values(",".join(values)) == values


@pytest.mark.parametrize("text", ["seed", "=1,2", "seed=", "seed=1,,2"])
def test_what_is_no_axis_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write it as key\.path=a,b,c"):
        parse_axes([text])


def test_a_key_is_varied_once() -> None:
    with pytest.raises(ConfigError, match="is varied already"):
        parse_axes(["seed=1", "seed=2"])


def test_a_study_is_every_combination_the_last_key_varying_fastest() -> None:
    axes = parse_axes(["system.visibility=0.5,0.75", "seed=1,2"])
    points, notes = grid_points(QUICKSTART, ["epochs=3"], axes)
    assert [point.settings for point in points] == [
        {"system.visibility": visibility, "seed": seed} for visibility in (0.5, 0.75) for seed in (1, 2)
    ]
    assert [point.name for point in points][:2] == ["visibility-0.5_seed-1", "visibility-0.5_seed-2"]
    assert [point.experiment.seed for point in points] == [1, 2, 1, 2]
    assert {point.experiment.epochs for point in points} == {3}
    assert notes == []


def test_a_word_that_is_dropped_at_every_point_is_told_once() -> None:
    _, notes = grid_points(QUICKSTART, [], parse_axes(["system.threshold=3,4", "seed=1,2"]))
    assert notes == ["system.threshold is set: dropped system.visibility"]


def test_one_value_written_in_two_ways_is_one_point() -> None:
    with pytest.raises(ConfigError, match=r"visibility-0\.5 comes twice"):
        grid_points(QUICKSTART, [], parse_axes(["system.visibility=0.5,0.50"]))


def test_what_cannot_work_is_told_with_the_point_and_the_key() -> None:
    axes = parse_axes(["system.visibility=0.5,2", "seed=1,2,3"])
    with pytest.raises(ConfigError) as caught:
        grid_points(QUICKSTART, [], axes)
    [problem] = caught.value.problems
    assert problem.startswith("at system.visibility=2, seed=1 (and at 2 more): system.visibility: ")


def test_what_is_wrong_everywhere_is_told_once_and_without_a_point() -> None:
    with pytest.raises(ConfigError) as caught:
        grid_points(QUICKSTART, ["epochs=0"], parse_axes(["seed=1,2,3"]))
    [problem] = caught.value.problems
    assert problem.startswith("epochs: ")


def test_of_very_many_problems_some_are_told() -> None:
    axes = [Axis("epochs", [str(-number) for number in range(1, 40)])]
    with pytest.raises(ConfigError) as caught:
        grid_points(QUICKSTART, [], axes)
    assert len(caught.value.problems) == MOST + 1
    assert caught.value.problems[-1] == "... and 27 more problems"
