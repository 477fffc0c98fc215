"""What a figure keeps of its measurements, so that it need not repeat them."""

from pathlib import Path

import pytest

from mdl.errors import MdlError
from mdl.reproduction.figure import Check, Setting, keep_json, read_json
from tests.reproduction.sample import SAMPLE, setting


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def measure() -> list[float]:
        calls.append(1)
        return [1.5, 2.5]

    first = setting(tmp_path).kept("a part", {"bits": 256}, measure)
    assert setting(tmp_path).kept("a part", {"bits": 256}, measure) == first == [1.5, 2.5]
    assert len(calls) == 1


@pytest.mark.parametrize("other", [{"bits": 512}, {"bits": 256, "members": 4}])
def test_what_was_measured_under_other_words_is_measured_again(tmp_path: Path, other: dict[str, int]) -> None:
    setting(tmp_path).kept("a part", {"bits": 256}, lambda: 1)
    assert setting(tmp_path).kept("a part", other, lambda: 2) == 2


def test_a_quick_measurement_does_not_stand_for_a_full_one(tmp_path: Path) -> None:
    setting(tmp_path, quick=True).kept("a part", {}, lambda: 1)
    assert setting(tmp_path, quick=False).kept("a part", {}, lambda: 2) == 2


def test_a_torn_file_is_measured_again(tmp_path: Path) -> None:
    setting(tmp_path).kept("a part", {}, lambda: 1)
    (kept,) = (tmp_path / "parts").iterdir()
    kept.write_text(kept.read_text()[:-9])
    assert setting(tmp_path).kept("a part", {}, lambda: 2) == 2


def test_only_what_is_measured_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    setting(tmp_path, tell=told.append).kept("a part", {}, lambda: 1)
    setting(tmp_path, tell=told.append).kept("a part", {}, lambda: 1)
    assert told == ["a part"]


def test_a_folder_that_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MdlError, match="cannot write"):
        keep_json(tmp_path / "file" / "x.json", {})


def test_what_is_no_object_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    assert read_json(tmp_path / "list.json") is None
    assert read_json(tmp_path / "absent.json") is None


def test_a_verdict_says_whether_it_holds() -> None:
    assert Check("it rises", "1, 2", holds=True).verdict == "holds"
    assert Check("it rises", "2, 1", holds=False).verdict == "does not hold"


def test_numbered_figures_and_texts_have_headings() -> None:
    assert SAMPLE.heading == "Figure 1: a line"
    assert Setting(True, Path(), None, 3, print).processes == 3
    assert Setting(True, Path(), None, None, print).processes >= 1
