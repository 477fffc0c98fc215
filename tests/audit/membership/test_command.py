"""`mdl audit membership` as a person meets it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mdl import folder
from mdl.audit.membership import models
from mdl.folder import FileJournal
from tests.audit.inversion.digits import staged
from tests.test_cli import QUICKSTART, Ended

FAST = ["--set", "epochs=1", "--set", "system.scheme.type=plain", "--alone", "1", "--examples", "100"]


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("MDL_DATA", raising=False)


def test_help_says_what_it_does_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "audit", "membership", "--help")
    assert ended.code == 0
    assert "mdl audit membership configs/quickstart.toml" in ended.out


def test_it_shows_figures_and_leaves_a_page(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ended = Ended(capsys, "audit", "membership", QUICKSTART, *FAST, "--out", str(tmp_path))
    assert ended.code == 0
    assert "Cryptography does not touch this" in " ".join(ended.out.split())
    assert "training worker 1 of 1 alone" in ended.err
    assert {path.name for path in tmp_path.iterdir()} == {
        "audit-membership.html",
        "audit-membership-roc.png",
        "audit-membership.json",
    }
    page = (tmp_path / "audit-membership.html").read_text()
    assert "<svg" in page
    assert "global model after epoch 1" in page
    figures = json.loads((tmp_path / "audit-membership.json").read_text())
    assert [model["model"] for model in figures["models"]] == ["global model after epoch 1", "worker 1 alone"]


def test_a_folder_that_cannot_be_is_refused_before_the_attack(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "taken").touch()
    ended = Ended(capsys, "audit", "membership", QUICKSTART, *FAST, "--out", str(tmp_path / "taken"))
    assert ended.code == 2
    assert "taken is a file, and a folder is needed" in " ".join(ended.err.split())
    assert "training" not in ended.err


def test_a_runs_final_model_is_attacked_without_training(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copy(QUICKSTART, tmp_path / folder.EXPERIMENT)
    FileJournal(tmp_path, 0).write("model", 20, {"parameters": np.asarray(staged().start, np.float64)})
    ended = Ended(
        capsys, "audit", "membership", str(tmp_path), "--alone", "0", "--out", str(tmp_path / "out")
    )
    assert ended.code == 0
    assert "on virtual links" not in ended.err
    figures = json.loads((tmp_path / "out" / "audit-membership.json").read_text())
    assert [model["model"] for model in figures["models"]] == ["global model after epoch 20"]


@pytest.mark.parametrize(
    ("option", "key"), [(["--set", "epochs=2"], "epochs: is 20"), (["--seed", "9"], "seed: is 1")]
)
def test_settings_that_a_finished_model_does_not_have_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: list[str], key: str
) -> None:
    shutil.copy(QUICKSTART, tmp_path / folder.EXPERIMENT)
    FileJournal(tmp_path, 0).write("model", 20, {"parameters": np.asarray(staged().start, np.float64)})
    ended = Ended(capsys, "audit", "membership", str(tmp_path), *option, "--out", str(tmp_path / "out"))
    assert ended.code == 2
    assert f"{key} in the run, whose model is trained" in ended.err
    assert "leave out --set and --seed" in ended.err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_model_says_that_one_is_trained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copy(QUICKSTART, tmp_path / folder.EXPERIMENT)
    ended = Ended(capsys, "audit", "membership", str(tmp_path), *FAST, "--out", str(tmp_path / "out"))
    assert ended.code == 0
    assert "has no global model: training 1 epochs on virtual links" in " ".join(ended.err.split())


def test_of_standalone_workers_there_is_no_global_model(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    alone = ["--set", "system.type=standalone", "--set", "epochs=1", "--alone", "1", "--out", str(tmp_path)]
    ended = Ended(capsys, "audit", "membership", QUICKSTART, *alone)
    assert ended.code == 0
    figures = json.loads((tmp_path / "audit-membership.json").read_text())
    assert [model["model"] for model in figures["models"]] == ["worker 1 alone"]


def test_missing_data_are_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(capsys, "audit", "membership", QUICKSTART, "--set", "learning.dataset=mnist")
    assert ended.code == 1
    assert "MDL_DATA" in ended.err


def test_ctrl_c_keeps_what_was_done(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "alone", interrupted)
    ended = Ended(capsys, "audit", "membership", QUICKSTART, *FAST, "--out", str(tmp_path))
    assert ended.code == 130
    figures = json.loads((tmp_path / "audit-membership.json").read_text())
    assert figures["complete"] is False
    assert len(figures["models"]) == 1


@pytest.mark.parametrize("of_a_run", [False, True])
def test_where_nobody_manages_the_first_nodes_model_is_attacked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, of_a_run: bool
) -> None:
    what = Path(QUICKSTART).with_name("dmhe-ring.toml")
    if of_a_run:
        shutil.copy(what, tmp_path / folder.EXPERIMENT)
        FileJournal(tmp_path, 1).write("model", 20, {"parameters": np.asarray(staged().start, np.float64)})
        ended = Ended(
            capsys, "audit", "membership", str(tmp_path), "--alone", "0", "--out", str(tmp_path / "a")
        )
    else:
        plain = ["--set", "epochs=1", "--set", "system.mode=plain", "--alone", "0"]
        ended = Ended(capsys, "audit", "membership", str(what), *plain, "--out", str(tmp_path / "a"))
    assert ended.code == 0
    said = " ".join(ended.out.split())
    assert f"Losses of the model of node 1 after epoch {20 if of_a_run else 1}" in said
    assert (
        f"can do this: the node,{'' if of_a_run else ' its neighbours,'} and whoever it is given to" in said
    )


def said_of(file: str, party: int, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> str:
    """What the command says of a run of an experiment, which left a party's model."""
    shutil.copy(Path(QUICKSTART).with_name(file), tmp_path / folder.EXPERIMENT)
    FileJournal(tmp_path, party).write("model", 20, {"parameters": np.asarray(staged().start, np.float64)})
    ended = Ended(capsys, "audit", "membership", str(tmp_path), "--alone", "0", "--out", str(tmp_path / "a"))
    assert ended.code == 0
    return " ".join(ended.out.split())


def test_of_secure_training_all_parties_have_the_model_and_no_noise_is_recommended(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = said_of("mpc-quickstart.toml", 1, capsys, tmp_path)
    assert "Losses of the common model after epoch 20" in said
    assert "can do this: every party, and whoever it is given to" in said
    assert "Noise in training would: 'quantised-mpc' has none." in said
    assert "[system.privacy]" not in said


def test_of_a_system_without_noise_on_contributions_only_dp_sgd_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = said_of("ssddl.toml", 0, capsys, tmp_path)
    assert "Noise does: by DP-SGD ([learning.privacy]). It is not on in this experiment." in said


def test_of_workers_that_teach_each_other_the_first_ones_model_is_attacked_on_its_own_examples(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    what = Path(QUICKSTART).with_name("smule-quickstart.toml")
    few = ["--set", "epochs=1", "--set", "learning.train_limit=300", "--alone", "0", "--out", str(tmp_path)]
    ended = Ended(capsys, "audit", "membership", str(what), *few)
    assert ended.code == 0
    said = " ".join(ended.out.split())
    assert "Losses of the model of worker 1 after epoch 1" in said
    assert "can do this: the worker (the other one has its answers" in said
    [model] = json.loads((tmp_path / "audit-membership.json").read_text())["models"]
    assert model["members"] == 146, "of 300 that the two have"
