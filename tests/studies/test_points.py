from hypothesis import given
from hypothesis import strategies as st

from mdl.studies.points import LONGEST_NAME, point_name, written

VALUES = st.one_of(
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.text(max_size=60),
    st.lists(st.integers(), max_size=30),
)


def test_a_point_is_called_by_the_last_parts_of_its_keys_the_seed_last() -> None:
    settings = {"seed": 2, "system.visibility": 0.5, "system.scheme.type": "prss"}
    assert point_name(settings) == "scheme-prss_visibility-0.5_seed-2"


def test_keys_that_would_be_called_alike_are_called_wholly() -> None:
    assert point_name({"a.x": 1, "b.x": 2, "c": 3}) == "a.x-1_b.x-2_c-3"


def test_the_order_of_the_keys_does_not_matter() -> None:
    assert point_name({"b": 1, "a": 2}) == point_name({"a": 2, "b": 1})


@given(VALUES, VALUES)
def test_other_values_give_other_names_and_any_name_is_a_files(one: object, other: object) -> None:
    names = [point_name({"learning.key": value}) for value in (one, other)]
    assert (names[0] == names[1]) == (written(one) == written(other))
    for name in names:
        assert name.isascii()
        assert "/" not in name
        assert "\0" not in name
        assert len(name) <= LONGEST_NAME


@given(
    st.dictionaries(st.text("abc.", min_size=1, max_size=40), st.text(max_size=60), min_size=1, max_size=9)
)
def test_many_long_keys_still_make_a_name_that_fits(settings: dict[str, str]) -> None:
    assert len(point_name(settings)) <= LONGEST_NAME
