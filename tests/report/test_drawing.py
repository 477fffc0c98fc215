import xml.etree.ElementTree as ET
from itertools import pairwise

import matplotlib as mpl
from hypothesis import given
from hypothesis import strategies as st

from mdl.report import drawing

heights = st.lists(st.floats(0, 1), max_size=8).map(sorted)


@given(heights)
def test_labels_that_fit_stay_within_the_axes_and_do_not_touch(wanted: list[float]) -> None:
    placed = drawing.spread_out(wanted, 0.1, 0.0, 1.0)
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in placed)
    assert all(upper - lower >= 0.1 - 1e-9 for lower, upper in pairwise(placed))


@given(st.lists(st.floats(0, 1), min_size=12, max_size=20).map(sorted))
def test_labels_that_do_not_fit_still_do_not_touch(wanted: list[float]) -> None:
    placed = drawing.spread_out(wanted, 0.1, 0.0, 1.0)
    assert placed[0] >= -1e-9
    assert all(upper - lower >= 0.1 - 1e-9 for lower, upper in pairwise(placed))


def test_labels_that_are_apart_stay_where_they_are() -> None:
    assert drawing.spread_out([0.1, 0.5, 0.9], 0.1, 0.0, 1.0) == [0.1, 0.5, 0.9]


def test_a_theme_leaves_matplotlib_as_it_was() -> None:
    before = dict(mpl.rcParams)
    with drawing.theme():
        assert mpl.rcParams["axes.grid"] is True
    assert dict(mpl.rcParams) == before


def test_a_picture_is_the_same_every_time_and_follows_the_theme() -> None:
    first, second = _finish(), _finish()
    assert first == second
    assert ET.fromstring(first.svg).attrib["aria-label"] == "Title"  # noqa: S314
    assert "var(--ink)" in first.svg
    assert drawing.INK not in first.svg
    assert first.png.startswith(b"\x89PNG")


def test_a_name_in_a_picture_is_text_whatever_it_holds() -> None:
    with drawing.theme():
        figure = drawing.frame("Title", "<script>alert(1)</script> $x$ & co", 2.0)
        svg = drawing.finish(figure, "name", "Title", "").svg
    assert "<script" not in svg
    assert "$x$" in svg


def _finish() -> drawing.Picture:
    with drawing.theme():
        figure = drawing.frame("Title", "subtitle", 2.0)
        figure.add_subplot().plot([1, 2], [1, 2])
        return drawing.finish(figure, "name", "Title", "A caption.")
