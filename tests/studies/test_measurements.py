import json
from pathlib import Path

import pytest

from mdl.errors import MdlError
from mdl.folder import locked_by
from mdl.studies.measurements import Measurement, measure
from tests.studies import calls


@pytest.mark.slow
def test_a_measurement_is_made_once_and_kept(tmp_path: Path) -> None:
    wanted = [Measurement(f"square-{number}", calls.square, {"number": number}) for number in (3, 4)]
    first = measure(wanted, tmp_path, jobs=2)
    assert [result.figures["square"] for result in first.values()] == [9, 16]
    assert not any(result.kept for result in first.values())
    second = measure([*wanted, Measurement("half", calls.half, {"number": 4})], tmp_path)
    assert [result.kept for result in second.values()] == [True, True, False]
    assert second["square-3"].figures == first["square-3"].figures
    record = json.loads((tmp_path / "half.json").read_text())
    assert (record["function"], record["arguments"]) == ("tests.studies.calls.half", {"number": 4})
    assert record["figures"] == {"half": 2}


@pytest.mark.slow
def test_other_arguments_make_it_another_measurement_and_a_failure_keeps_no_figures(tmp_path: Path) -> None:
    made = measure([Measurement("half", calls.half, {"number": 4})], tmp_path)
    assert made["half"].figures == {"half": 2}
    again = measure([Measurement("half", calls.half, {"number": 5})], tmp_path)
    assert again["half"].figures == {}
    assert (again["half"].status, again["half"].reason) == ("failed", "MdlError: 5 is odd")


def test_two_do_not_measure_into_one_folder(tmp_path: Path) -> None:
    with locked_by(tmp_path, "measuring.lock"), pytest.raises(MdlError, match="in use by another process"):
        measure([], tmp_path)
