"""Real processes: the trained model is there after a run, and after one that was stopped."""

import csv
import signal
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from mdl.learning import flat
from mdl.vectors import fingerprint
from tests.end_to_end.runs import all_gone, experiment, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def weights(path: Path) -> str:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    model.load_state_dict(load_file(path))
    return fingerprint(flat.read(model))


async def test_a_run_leaves_the_model_and_its_curves_for_other_programs(tmp_path: Path) -> None:
    ended = await (await start(tmp_path / "runs", experiment(tmp_path, epochs=2))).end()
    assert ended.code == 0, ended.output
    assert weights(ended.folder / "model.safetensors") == ended.summary["weights"]["global"]
    with (ended.folder / "metrics.csv").open(newline="") as file:
        scores = [row for row in csv.DictReader(file) if row["model"] == "global"]
    assert float(scores[-1]["accuracy"]) == ended.summary["accuracy"]["global"]


async def test_workers_with_models_of_their_own_leave_each_its_own(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        'name = "own"\nworkers = 2\nepochs = 1\n[system]\ntype = "standalone"\n'
        '[learning]\nmodels = ["digits-mlp", "mlp"]\ntrain_limit = 60\n'
    )
    ended = await (await start(tmp_path / "runs", str(file))).end()
    assert ended.code == 0, ended.output
    assert weights(ended.folder / "model-1.safetensors") == ended.summary["weights"]["workers"]["1"]
    shapes = {
        name: tuple(each.shape) for name, each in load_file(ended.folder / "model-2.safetensors").items()
    }
    assert shapes["1.weight"] == (128, 64)
    assert shapes["5.weight"] == (10, 64)


async def test_ctrl_c_leaves_the_model_of_the_last_epoch(tmp_path: Path) -> None:
    slow = "[delay]\nslope_seconds = 0.1\ndeviation_seconds = 0.0"
    run = await start(tmp_path / "cut", experiment(tmp_path, epochs=50, tables=slow))
    await run.until("epoch", epoch=3)
    run.send(signal.SIGINT)
    cut = await run.end(within=20)
    assert cut.code == 130
    with safe_open(cut.folder / "model.safetensors", "pt") as file:
        assert int(file.metadata()["epoch"]) >= 2
    assert await all_gone(cut.pids) == set()
