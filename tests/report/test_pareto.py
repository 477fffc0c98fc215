import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.ticker import FuncFormatter

from mdl.report import drawing
from mdl.report.drawing import EndLabel
from mdl.report.groups import Estimate, group_runs
from mdl.report.pareto import MOST_NAMES, Trade, accuracy_for, front, mark_costs
from mdl.report.quantities import BYTES, SECONDS
from tests.report.study_folder import make_study

LEVELS = st.integers(0, 6).map(lambda level: level / 6)


def trade(cost: float, accuracy: float) -> Trade:
    return Trade("", Estimate(cost, 0.0, 1), Estimate(accuracy, 0.0, 1))


def beats(one: Trade, other: Trade) -> bool:
    no_worse = one.cost.mean <= other.cost.mean and one.accuracy.mean >= other.accuracy.mean
    better = one.cost.mean < other.cost.mean or one.accuracy.mean > other.accuracy.mean
    return no_worse and better


@given(st.lists(st.builds(trade, LEVELS, LEVELS), max_size=25))
def test_the_front_is_what_no_other_trade_beats(found: Sequence[Trade]) -> None:
    expected = [each for each in found if not any(beats(other, each) for other in found)]
    assert sorted(map(repr, front(found))) == sorted(map(repr, expected))
    assert [each.cost.mean for each in front(found)] == sorted(each.cost.mean for each in expected)


@pytest.mark.parametrize(("settings", "named"), [(3, 3), (MOST_NAMES + 1, MOST_NAMES)])
def test_settings_are_named_all_or_those_on_the_front(tmp_path: Path, settings: int, named: int) -> None:
    """The last one costs most and is worst, so it is not on the front."""
    runs = make_study(
        tmp_path,
        {"batch": list(range(1, settings + 1))},
        lambda at: 0.1 if at["batch"] == settings else 0.5 + 0.01 * at["batch"],
        bytes=lambda at: {"up": 1000 * at["batch"], "down": 500},
    )
    with drawing.theme():
        picture = accuracy_for(group_runs(runs), BYTES)
    assert picture is not None
    assert picture.svg.count("batch ") == named
    assert picture.png.startswith(b"\x89PNG")


def test_there_is_no_trade_where_all_cost_the_same_or_few_are_compared(tmp_path: Path) -> None:
    runs = make_study(tmp_path, {"batch": [1, 2, 3]}, lambda at: 0.1 * at["batch"])
    with drawing.theme():
        assert accuracy_for(group_runs(runs), SECONDS) is None
        assert accuracy_for(group_runs(runs[:2]), BYTES) is None


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize("name", ["short", "a name that is as long as any beside a plot, or longer"])
def test_words_at_the_axis_keep_off_each_other_however_narrow_it_is(name: str, logarithmic: bool) -> None:
    with drawing.theme():
        figure = drawing.frame("Accuracy for bytes", "", height_inches=3.9)
        axes = figure.add_subplot()
        if logarithmic:
            axes.set_xscale("log")
        axes.set_xlim(1.5e6, 62e6)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: BYTES.write(value)))
        drawing.label_ends(axes, [EndLabel(None, 0.5, name, drawing.BLUE)])
        mark_costs(figure, axes, logarithmic=logarithmic)
        low, high = axes.get_xlim()
        shown = [each for each in axes.get_xticklabels() if low <= each.get_position()[0] <= high]
        extents = [each.get_window_extent() for each in shown]
    assert len(shown) >= (3 if name == "short" else 2)
    assert all(left.x1 < right.x0 for left, right in pairwise(extents))


def test_dots_on_each_other_show_their_numbers_in_one(tmp_path: Path) -> None:
    places = {1: (0.9, 1000), 2: (0.9, 1001), 3: (0.5, 9000)}
    runs = make_study(
        tmp_path,
        {"batch": [1, 2, 3]},
        lambda at: places[at["batch"]][0],
        bytes=lambda at: {"up": places[at["batch"]][1], "down": 0},
    )
    with drawing.theme():
        picture = accuracy_for(group_runs(runs), BYTES)
    assert picture is not None
    written = re.findall(r">([^<>]+)</text>", picture.svg)
    assert "1,2" in written
    assert "3" in written
