"""`mdl infer`: what cannot be asked is said. That answers are right, whole runs show."""

from pathlib import Path

import pytest

from tests.end_to_end.runs import archive
from tests.test_cli import Ended

TABLES = """
name = "mpc"
workers = 3
epochs = 1

[system]
type = "quantised-mpc"

[learning]
dataset = "{data}"
model = "digits-mlp"
split = "disjoint"
batch = 16
local_steps = 1
test_limit = 20
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mpc.toml"
    path.write_text(TABLES.format(data=archive(tmp_path / "digits.npz")))
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ((), "was simulated, and a simulation keeps no shares: train with mdl run, then ask"),
        (
            ("--set", "system.type=fedavg"),
            "is a run of fedavg, and only what quantised-mpc trains can be asked in secret; its model",
        ),
    ],
)
def test_what_keeps_no_shares_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, file: Path, changes: tuple[str, ...], said: str
) -> None:
    out = tmp_path / "runs"
    assert Ended(capsys, "simulate", str(file), *changes, "--no-report", "--out", str(out)).code == 0
    ended = Ended(capsys, "infer", *map(str, out.iterdir()))
    assert ended.code == 2
    assert said in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("place", "options", "said"),
    [
        (".", (), "no run's folder"),
        ("run", (), "holds no epoch of which all parties have their shares"),
        ("run", ("--asker", "4"), "there are workers 1 to 3"),
        ("run", ("--images", "nowhere.npz"), "no epoch"),
    ],
)
def test_who_cannot_be_asked_is_said(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    file: Path,
    place: str,
    options: tuple[str, ...],
    said: str,
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "experiment.toml").write_text(file.read_text())
    ended = Ended(capsys, "infer", str(tmp_path / place), *options)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())
