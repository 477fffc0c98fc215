from pathlib import Path

import pytest

from mdl.report.finding import MOST_NAMED, find_runs
from mdl.report.runs import NotARun
from tests.report.run_folder import make_run


def test_a_folder_of_runs_stands_for_the_runs_in_it(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "study" / name, epochs=1) for name in ("b", "a")]
    (tmp_path / "study" / "study.json").write_text("{}")
    (tmp_path / "study" / "notes").mkdir()
    assert find_runs([tmp_path / "study"]) == sorted(runs)


def test_values_are_in_the_order_of_their_size_and_not_of_their_first_digit(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / f"epochs-{count}_seed-1", epochs=1) for count in (2, 10, 100)]
    assert find_runs([tmp_path]) == runs


def test_a_run_stands_for_itself_and_is_taken_once(tmp_path: Path) -> None:
    one, two = (make_run(tmp_path / name, epochs=1) for name in ("one", "two"))
    assert find_runs([two, tmp_path]) == [two, one]


def test_what_holds_no_run_is_given_as_it_is(tmp_path: Path) -> None:
    assert find_runs([tmp_path, tmp_path / "nowhere"]) == [tmp_path, tmp_path / "nowhere"]


def test_a_folder_of_studies_names_them(tmp_path: Path) -> None:
    for number in (10, 2):
        make_run(tmp_path / f"noise-{number}" / "seed-1")
    (tmp_path / "notes").mkdir()
    with pytest.raises(NotARun, match=r"it holds studies: name one or more of them \(noise-2, noise-10\)$"):
        find_runs([tmp_path])


def test_of_many_studies_some_are_named(tmp_path: Path) -> None:
    for number in range(MOST_NAMED + 2):
        make_run(tmp_path / f"study-{number}" / "seed-1")
    with pytest.raises(NotARun, match=r"study-7 and 2 more\)$"):
        find_runs([tmp_path])
