from mdl.studies.problems import MOST, told


def test_a_problem_of_all_is_told_without_saying_whose() -> None:
    assert told({"workers: none": ["a", "b"]}, 2, "at") == ["workers: none"]


def test_a_problem_of_some_is_told_once_with_the_first_that_has_it() -> None:
    assert told({"x": ["a"], "y": ["a", "b"]}, 3, "in") == ["in a: x", "in a (and in 1 more): y"]


def test_of_many_problems_the_rest_is_counted() -> None:
    lines = told({str(number): ["a"] for number in range(MOST + 3)}, 1, "at")
    assert len(lines) == MOST + 1
    assert lines[-1] == "... and 3 more problems"
