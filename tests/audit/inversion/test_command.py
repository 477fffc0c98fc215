"""`mdl audit inversion` as a person meets it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mdl import folder
from mdl.audit.inversion import command
from mdl.audit.inversion.study import Attempt
from mdl.folder import FileJournal
from tests.audit.inversion.digits import staged
from tests.test_cli import QUICKSTART, Ended

STEP = ["--set", "learning.local_steps=1", "--set", "learning.batch=1"]
FAST = [*STEP, "--set", "system.block=100", "--images", "1", "--attack", "analytic"]


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("MDL_DATA", raising=False)


def test_help_says_what_it_does_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "audit", "inversion", "--help")
    assert ended.code == 0
    assert "mdl audit inversion configs/audit-inversion.toml" in ended.out
    assert "Exit code 1" in ended.out


def test_it_shows_figures_and_leaves_a_page(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = [*FAST, "--set", "system.visibility=1.0", "--out", str(tmp_path / "audit")]
    ended = Ended(capsys, "audit", "inversion", QUICKSTART, *arguments)
    assert ended.code == 0
    assert "HOLDS: a plain parameter server's view gives images away" in " ".join(ended.out.split())
    assert "attacking manager, epoch 1: means of 8" in ended.err
    assert (tmp_path / "audit" / "audit-inversion.html").is_file()
    assert (tmp_path / "audit" / "audit-inversion-manager.png").is_file()


def test_a_refuted_claim_ends_with_code_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mdl.audit.inversion.verdict.HIDDEN", 1.0)
    arguments = [*FAST, "--set", "system.visibility=1.0", "--out", str(tmp_path)]
    ended = Ended(capsys, "audit", "inversion", QUICKSTART, *arguments)
    assert ended.code == 1
    assert "DOES NOT HOLD" in ended.out


def test_a_run_is_attacked_at_its_final_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(QUICKSTART, run / folder.EXPERIMENT)
    FileJournal(run, 0).write("model", 20, {"parameters": np.asarray(staged().start, np.float64) + 0.01})
    ended = Ended(capsys, "audit", "inversion", str(run), *FAST, "--out", str(tmp_path))
    assert ended.code == 0
    assert "at the run's global model after epoch 20" in ended.out


def test_where_nobody_manages_it_is_attacked_at_the_first_nodes_model(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(Path(QUICKSTART).with_name("dmhe-ring.toml"), run / folder.EXPERIMENT)
    FileJournal(run, 1).write("model", 3, {"parameters": np.asarray(staged().start, np.float64) + 0.01})
    arguments = [*STEP, "--images", "1", "--attack", "analytic", "--out", str(tmp_path)]
    ended = Ended(capsys, "audit", "inversion", str(run), *arguments)
    assert ended.code == 0
    assert "at the run's model of node 1 after epoch 3" in ended.out
    assert "claims are made for sums of at least 8 (here of 3)" in " ".join(ended.out.split())


def test_a_model_of_another_size_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shutil.copy(QUICKSTART, tmp_path / folder.EXPERIMENT)
    FileJournal(tmp_path, 0).write("model", 1, {"parameters": np.zeros(7)})
    ended = Ended(capsys, "audit", "inversion", str(tmp_path), *FAST)
    assert ended.code == 2
    assert "has 2,410 parameters" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--attack", "magic"], 2, "--attack magic: choose among analytic, idlg"),
        (["--set", "system.type=standalone"], 2, "nobody sends anything"),
        (["--set", "learning.dataset=mnist"], 1, "MDL_DATA"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    ended = Ended(capsys, "audit", "inversion", QUICKSTART, *arguments)
    assert ended.code == code
    assert said in " ".join(ended.err.split())


def test_where_parties_learn_no_gradient_it_is_refused_before_anything_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    secret = str(Path(QUICKSTART).with_name("mpc-quickstart.toml"))
    ended = Ended(capsys, "audit", "inversion", secret, "--out", str(tmp_path / "a"))
    assert ended.code == 2
    assert "parties learn no gradient (docs/security.md#quantised-mpc)" in " ".join(ended.err.split())
    assert "running the first epochs" not in ended.err
    assert not (tmp_path / "a").exists()


def test_a_folder_that_is_no_runs_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ended = Ended(capsys, "audit", "inversion", str(tmp_path))
    assert ended.code == 2
    assert "is no run's folder" in ended.err


def test_ctrl_c_keeps_what_was_done(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = command._mounted

    def interrupted(*arguments: object) -> Iterator[Attempt]:
        for number, attempt in enumerate(mounted(*arguments)):  # type: ignore[arg-type]
            if number == 3:
                raise KeyboardInterrupt
            yield attempt

    monkeypatch.setattr(command, "_mounted", interrupted)
    ended = Ended(capsys, "audit", "inversion", QUICKSTART, *FAST, "--out", str(tmp_path))
    assert ended.code == 130
    figures = json.loads((tmp_path / "audit-inversion.json").read_text())
    assert figures["complete"] is False
    assert [line["attack"] for line in figures["attacks"]] == ["guess", "analytic", "guess"]
