"""The trained model as a file, as the README loads it."""

import re
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from mdl.config import Experiment, load, parse
from mdl.learning import flat
from mdl.rehearsal import Conditions, cast, rehearse
from mdl.simulator.run import MemoryJournal
from mdl.trained import Trained, file_name
from mdl.vectors import fingerprint

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
DIGITS = {"model": "digits-mlp", "split": "disjoint", "batch": 50, "learning_rate": 0.1}


def experiment(system: dict[str, Any], learning: dict[str, Any] = DIGITS) -> Experiment:
    return parse({"name": "small", "workers": 3, "epochs": 2, "system": system, "learning": learning})


def rehearsed(run: Path, found: Experiment, watch: Any = lambda _: None) -> Any:
    run.mkdir()
    return rehearse(found, cast(found, None), run, Conditions(), watch)


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        found: dict[str, str] = file.metadata()
    return found


class Tied(nn.Module):
    """One tensor under two names, a buffer that training changes, and one that is laid out crosswise."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze = nn.Linear(64, 64, bias=False)
        self.again = nn.Linear(64, 64, bias=False)
        self.again.weight = self.squeeze.weight
        self.norm = nn.BatchNorm1d(64)
        self.scores = nn.Linear(64, 10)
        self.register_buffer("crosswise", torch.arange(6.0).reshape(2, 3).t())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.scores(self.norm(self.again(self.squeeze(images.flatten(1)))))
        return scores


def test_the_global_model_is_a_plain_state_dict_that_says_what_it_is(tmp_path: Path) -> None:
    summary = rehearsed(tmp_path / "run", experiment({"type": "fedavg"}))
    path = tmp_path / "run" / "model.safetensors"
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    model.load_state_dict(load_file(path))
    assert fingerprint(flat.read(model)) == summary["weights"]["global"]
    said = metadata(path)
    assert (said["experiment"], said["epoch"]) == ("small", "2")
    assert float(said["accuracy"]) == pytest.approx(summary["accuracy"]["global"], abs=1e-6)
    assert [path.name for path in (tmp_path / "run").glob("model*")] == ["model.safetensors"]


def test_where_nobody_talks_each_worker_has_a_model(tmp_path: Path) -> None:
    summary = rehearsed(tmp_path / "run", experiment({"type": "standalone", "pooled": True}))
    hashes = {"0": summary["weights"]["global"], **summary["weights"]["workers"]}
    for party, weights in hashes.items():
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        model.load_state_dict(load_file(tmp_path / "run" / file_name(int(party))))
        assert fingerprint(flat.read(model)) == weights


@pytest.mark.parametrize(("opening", "told"), [("all", {1, 2, 3}), (2, {2})])
def test_a_model_that_several_are_told_is_one_file_and_says_how_it_was_scored(
    tmp_path: Path, opening: str | int, told: set[int]
) -> None:
    shared = {**DIGITS, "batch": 16, "local_steps": 2, "test_limit": 50}
    summary = rehearsed(
        tmp_path / "run",
        experiment({"type": "quantised-mpc", "opening": opening, "rounding": "nearest"}, shared),
    )
    files = {tmp_path / "run" / file_name(party) for party in told}
    assert set((tmp_path / "run").glob("model*")) == files
    assert len({file.read_bytes() for file in files}) == 1
    for file in files:
        assert float(metadata(file)["accuracy"]) == pytest.approx(summary["accuracy"]["global"], abs=1e-6)


def test_buffers_and_shared_tensors_are_in_it(tmp_path: Path) -> None:
    own = {**DIGITS, "model": "tests.test_trained:Tied"}
    rehearsed(tmp_path / "run", experiment({"type": "standalone"}, own))
    model = Tied()
    model.load_state_dict(load_file(tmp_path / "run" / "model-2.safetensors"))
    assert float(model.norm.running_mean.abs().sum()) > 0  # type: ignore[union-attr]
    assert torch.equal(model.again.weight, model.squeeze.weight)


def test_an_interrupted_run_leaves_the_last_epoch_completed(tmp_path: Path) -> None:
    def watch(event: Any) -> None:
        if event["kind"] == "trained" and event["epoch"] == 2:
            signal.raise_signal(signal.SIGINT)

    summary = rehearsed(tmp_path / "run", experiment({"type": "fedavg"}), watch)
    assert summary["status"] == "interrupted"
    assert metadata(tmp_path / "run" / "model.safetensors")["epoch"] == "1"


def test_before_the_first_epoch_there_is_no_model(tmp_path: Path) -> None:
    found = experiment({"type": "fedavg"})
    Trained(found, 0).write(cast(found, None)[0], MemoryJournal(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_readmes_example_loads_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = {
        block.partition("\n")[0]: block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    }
    [nets] = [block for first, block in blocks.items() if "nets.py" in first]
    example = README.partition("## The trained model")[2].partition("```python\n")[2].partition("```")[0]
    [text] = [block for block in re.findall(r"```toml\n(.*?)```", README, re.DOTALL) if "hospital-" in block]
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("nets.py").write_text(nets)
    Path("hospitals.toml").write_text(text)
    rng = np.random.default_rng(1)
    for worker in (1, 2, 3):
        x, y = rng.normal(size=(40, 20)).astype(np.float32), rng.integers(0, 2, 40)
        np.savez(f"hospital-{worker}.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    found, _ = load(Path("hospitals.toml"), ["system.scheme.type=plain"])
    [run] = re.findall(r'load_file\("(.*)/model\.safetensors"\)', example)
    Path(run).parent.mkdir()
    summary = rehearsed(Path(run), found)
    loaded: dict[str, Any] = {}
    exec(example, loaded)  # noqa: S102 - our own README
    sys.modules.pop("nets")
    assert not loaded["model"].training
    assert fingerprint(flat.read(loaded["model"])) == summary["weights"]["global"]
