import xml.etree.ElementTree as ET
from collections.abc import Sequence
from itertools import pairwise

import matplotlib as mpl
from hypothesis import given
from hypothesis import strategies as st

from mdl.report import drawing

SIZES = st.sampled_from([0.04, 0.08, 0.12])  # labels of one, two and three lines


def labels(fewest: int, most: int) -> st.SearchStrategy[tuple[list[float], list[float]]]:
    """Draw where labels should be, and how high they are."""
    several = st.lists(st.tuples(st.floats(0, 1), SIZES), min_size=fewest, max_size=most)
    return several.map(sorted).map(
        lambda found: ([height for height, _ in found], [size for _, size in found])
    )


def touching(placed: Sequence[float], sizes: Sequence[float]) -> bool:
    """Tell whether labels do."""
    gaps = [(lower + upper) / 2 for lower, upper in pairwise(sizes)]
    return any(upper - lower < gap - 1e-9 for (lower, upper), gap in zip(pairwise(placed), gaps, strict=True))


@given(labels(0, 8))
def test_labels_that_fit_stay_within_the_axes_and_do_not_touch(
    drawn: tuple[list[float], list[float]],
) -> None:
    wanted, sizes = drawn
    placed = drawing.spread_out(wanted, sizes, 0.0, 1.0)
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in placed)
    assert not touching(placed, sizes)


@given(labels(26, 40))
def test_labels_that_do_not_fit_still_do_not_touch(drawn: tuple[list[float], list[float]]) -> None:
    wanted, sizes = drawn
    placed = drawing.spread_out(wanted, sizes, 0.0, 1.0)
    assert placed[0] >= -1e-9
    assert not touching(placed, sizes)


def test_labels_that_are_apart_stay_where_they_are() -> None:
    assert drawing.spread_out([0.1, 0.5, 0.9], [0.3, 0.4, 0.3], 0.0, 1.0) == [0.1, 0.5, 0.9]


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
