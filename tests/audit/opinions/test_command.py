"""`mdl audit opinions` as a person meets it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mdl import folder
from mdl.audit.opinions import command
from mdl.audit.opinions.study import Case, Likeness, Networks, Result
from mdl.folder import FileJournal
from mdl.learning.building import build_learner
from tests.audit.taught import dataset
from tests.test_cli import QUICKSTART, Ended

SMULE = str(Path(QUICKSTART).with_name("smule-quickstart.toml"))
FAST = ["--set", "epochs=2", "--questions", "50", "--questions", "20", "--examples", "60"]


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("MDL_DATA", raising=False)


def test_it_shows_figures_and_leaves_a_page(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ended = Ended(capsys, "audit", "opinions", SMULE, *FAST, "--worker", "1", "--out", str(tmp_path))
    assert ended.code == 0
    assert "60 of worker 1's training images told from as many others" in ended.out
    assert "Worker 1's network, copied from its answers on worker 2's images" in ended.out
    assert "training 2 epochs on virtual links" in ended.err
    assert {path.name for path in tmp_path.iterdir()} == {
        "audit-opinions.html",
        "audit-opinions-members.png",
        "audit-opinions-copies.png",
        "audit-opinions.json",
    }
    assert (tmp_path / "audit-opinions.html").read_text().count("<svg") == 2
    figures = json.loads((tmp_path / "audit-opinions.json").read_text())
    assert [each["members"] for each in figures["members"]] == [60] * 6
    assert [each["questions"] for each in figures["networks"]] == [0, 0, 0, *[20, 50] * 3]


def run_of_two(place: Path) -> None:
    """A run's folder with both models, as they begin."""
    from mdl.config import load

    shutil.copy(SMULE, place / folder.EXPERIMENT)
    found = load(Path(SMULE))[0]
    for party in (1, 2):
        learner = build_learner(found.learning, dataset(), party=party, workers=2, epochs=1, seed=1)
        FileJournal(place, party).write("model", 20, {"parameters": learner.parameters()})


def test_a_runs_final_models_are_attacked_without_training_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run_of_two(tmp_path)
    few = ["--questions", "20", "--examples", "60", "--out", str(tmp_path / "a")]
    ended = Ended(capsys, "audit", "opinions", str(tmp_path), *few)
    assert ended.code == 0
    assert "on virtual links" not in ended.err
    networks = json.loads((tmp_path / "a" / "audit-opinions.json").read_text())["networks"]
    assert networks[0]["accuracy"] < 0.4 < networks[1]["accuracy"], "untrained, and trained alone"


def test_settings_that_finished_models_do_not_have_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run_of_two(tmp_path)
    ended = Ended(capsys, "audit", "opinions", str(tmp_path), "--seed", "9", "--out", str(tmp_path / "a"))
    assert ended.code == 2
    assert "seed: is 1 in the run, whose model is trained" in ended.err
    assert not (tmp_path / "a").exists()


def test_other_systems_are_refused_with_what_fits_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ended = Ended(capsys, "audit", "opinions", QUICKSTART, "--out", str(tmp_path / "out"))
    assert ended.code == 2
    assert "in 'coordinated' nobody is taught by another's answers; mdl audit collusion" in " ".join(
        ended.err.split()
    )
    assert not (tmp_path / "out").exists()


def test_ctrl_c_keeps_what_was_done(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_case: Case, _networks: Networks) -> Iterator[Result]:
        yield Likeness("worker 2, taught", 1.0, 0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "study", interrupted)
    ended = Ended(capsys, "audit", "opinions", SMULE, *FAST, "--out", str(tmp_path))
    assert ended.code == 130
    figures = json.loads((tmp_path / "audit-opinions.json").read_text())
    assert figures["complete"] is False
    assert figures["members"] == []
