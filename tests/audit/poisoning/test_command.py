"""`mdl audit poisoning` as a person meets it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mdl.audit.poisoning import command
from mdl.audit.poisoning.study import ALONE, GATE, Case, Score
from tests.test_cli import QUICKSTART, Ended

SMULE = str(Path(QUICKSTART).with_name("smule-quickstart.toml"))
FAST = ["--set", "epochs=1", "--rate", "1", "--rate", "0"]


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("MDL_DATA", raising=False)


def test_it_shows_figures_and_leaves_a_page(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    more = ["--seeds", "2", "--set", "system.least_accuracy=0.2", "--worker", "1"]
    ended = Ended(capsys, "audit", "poisoning", SMULE, *FAST, *more, "--out", str(tmp_path))
    assert ended.code == 0
    assert "Accuracy of worker 2, while worker 1 has wrong labels" in ended.out
    assert "taught, threshold" in ended.out
    assert "fewer than 20 % are right" in " ".join(ended.out.split()).replace("\u202f", " ")
    assert "18 of 18: fedavg" in ended.err
    assert {path.name for path in tmp_path.iterdir()} == {
        "audit-poisoning.html",
        "audit-poisoning-rates.png",
        "audit-poisoning.json",
    }
    page = (tmp_path / "audit-poisoning.html").read_text()
    assert "<svg" in page
    figures = json.loads((tmp_path / "audit-poisoning.json").read_text())
    assert figures["rates"] == [0.0, 1.0]
    assert list(figures["accuracy"]) == ["alone", "gate", "no gate", "threshold", "fedavg"]
    assert all(len(each) == 2 for way in figures["accuracy"].values() for each in way.values())


def test_other_systems_are_refused_with_what_fits_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ended = Ended(capsys, "audit", "poisoning", QUICKSTART, "--out", str(tmp_path / "out"))
    assert ended.code == 2
    said = " ".join(ended.err.split())
    assert "in 'coordinated' nobody is taught by another's answers; mdl audit collusion" in said
    assert not (tmp_path / "out").exists()


def test_a_rate_is_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "audit", "poisoning", SMULE, "--rate", "25")
    assert ended.code == 2
    assert "--rate 25: should be from 0 to 1" in ended.err


def stub(*scores: Score, interrupted: bool = False) -> object:
    def played(_case: Case) -> Iterator[Score]:
        yield from scores
        if interrupted:
            raise KeyboardInterrupt

    return played


def test_ctrl_c_keeps_what_was_done(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "study", stub(Score(ALONE, 0.0, 1, 0.5), interrupted=True))
    ended = Ended(capsys, "audit", "poisoning", SMULE, *FAST, "--out", str(tmp_path))
    assert ended.code == 130
    figures = json.loads((tmp_path / "audit-poisoning.json").read_text())
    assert figures["complete"] is False
    assert figures["accuracy"]["alone"] == {"0": [0.5], "1": [0.5]}
    assert figures["worst_gain_with_gate"] is None


def test_a_gate_that_does_not_help_ends_with_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = Score(ALONE, 0.0, 1, 0.9), Score(GATE, 0.0, 1, 0.9), Score(GATE, 1.0, 1, 0.5)
    monkeypatch.setattr(command, "study", stub(*scores))
    ended = Ended(capsys, "audit", "poisoning", SMULE, *FAST, "--out", str(tmp_path))
    assert ended.code == 1
    assert "at worst −40.0 points, at 100" in ended.out
    assert "Does not hold: With the gate" in (tmp_path / "audit-poisoning.html").read_text()
