from pathlib import Path

from mdl.report.finding import find_runs
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
