from hypothesis import given
from hypothesis import strategies as st

from mdl.report.emphasis import MOST, strokes, told


@given(st.lists(st.floats(0, 1), max_size=30))
def test_the_highest_stand_out_each_in_a_colour_of_its_own(heights: list[float]) -> None:
    found = strokes(heights)
    named = [index for index, stroke in enumerate(found) if stroke.named]
    assert len(named) == min(len(heights), MOST)
    assert len({found[index].colour for index in named}) == len(named)
    others = [height for index, height in enumerate(heights) if index not in named]
    assert all(heights[index] >= height for index in named for height in others)


def test_it_is_told_where_not_all_have_a_name() -> None:
    assert told(MOST, "lines") == ""
    assert told(MOST + 1, "lines") == "7 lines, the 6 best named"
