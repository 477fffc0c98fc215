"""SMuLe in real processes: one that is killed is missed by nobody's model; a run is stopped and goes on."""

import os
import signal
from pathlib import Path

import pytest

from tests.end_to_end.runs import Run, all_gone, archive, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TABLES = """
name = "smule"
workers = 2
epochs = 4

[system]
type = "mutual"
refresh = 0.25

[learning]
dataset = "{data}"
model = "digits-quadratic"
split = "disjoint"
train_limit = 200
optimiser = "momentum"
learning_rate = 0.1
batch = 16
test_limit = 100

[delay]
mean_seconds = [{pause}, {pause}]
deviation_seconds = 0.0
"""


async def begun(place: Path, *, pause: float) -> Run:
    file = place / f"smule-{pause}.toml"
    file.write_text(TABLES.format(data=archive(place / "digits.npz"), pause=pause))
    return await start(place / f"runs-{pause}", str(file))


async def test_both_end_with_a_model_of_their_own(tmp_path: Path) -> None:
    ended = await (await begun(tmp_path, pause=0.0)).end()
    assert ended.code == 0, ended.output
    models = [(ended.folder / f"model-{worker}.safetensors").read_bytes() for worker in (1, 2)]
    assert models[0] != models[1]
    assert not (ended.folder / "model.safetensors").exists()
    assert await all_gone(ended.pids) == set()


@pytest.mark.parametrize("lost", [1, pytest.param(2, marks=pytest.mark.exhaustive)])
async def test_if_one_is_killed_the_other_one_ends_with_its_model(lost: int, tmp_path: Path) -> None:
    run = await begun(tmp_path, pause=0.5)
    await run.until("done", epoch=2)
    os.kill(await run.worker_pid(lost), signal.SIGKILL)
    ended = await run.end()
    assert ended.code == 0, ended.output
    assert (ended.folder / f"model-{3 - lost}.safetensors").exists()
    assert await all_gone(ended.pids) == set()


@pytest.mark.exhaustive
async def test_after_ctrl_c_it_goes_on_with_the_opinions_it_has(tmp_path: Path) -> None:
    run = await begun(tmp_path, pause=0.5)
    await run.until("done", epoch=2)
    run.send(signal.SIGINT)
    cut = await run.end()
    assert cut.code == 130, cut.output
    resumed = await start(tmp_path / "x", "--resume", str(cut.folder), folder=cut.folder)
    rest = await resumed.end()
    assert rest.code == 0, rest.output
    assert (rest.folder / "model-1.safetensors").exists()
    assert await all_gone(cut.pids | rest.pids) == set()


async def test_a_dealer_that_is_killed_ends_the_run_by_name(tmp_path: Path) -> None:
    run = await begun(tmp_path, pause=0.5)
    await run.until("done", epoch=2)
    os.kill(await run.worker_pid(0), signal.SIGKILL)
    ended = await run.end()
    assert ended.code == 1
    assert "dealer was killed by SIGKILL" in ended.summary["reason"]
    assert await all_gone(ended.pids) == set()


async def test_a_network_that_cannot_be_asked_is_refused_before_a_party_starts(tmp_path: Path) -> None:
    file = tmp_path / "smule.toml"
    file.write_text(TABLES.format(data=archive(tmp_path / "digits.npz"), pause=0.0))
    changes = ("--set", "learning.model=digits-mlp", "--set", "system.randomness=encryption")
    refused = await (await start(tmp_path / "runs", str(file), *changes)).end()
    assert refused.code == 1
    assert "learning.model: it compares" in refused.output
    assert not list(refused.folder.glob("log-*.txt"))


async def test_workers_with_files_of_their_own_refuse_their_networks_before_they_train(
    tmp_path: Path,
) -> None:
    archive(tmp_path / "own-1.npz", train=100, test=50)
    archive(tmp_path / "own-2.npz", train=100, test=50)
    text = TABLES.format(data=tmp_path / "own-{worker}.npz", pause=0.0)
    file = tmp_path / "smule.toml"
    file.write_text(text.replace('split = "disjoint"\ntrain_limit = 200\n', ""))
    models = 'learning.models=["digits-quadratic", "digits-mlp"]'
    changes = ("--set", models, "--set", "system.randomness=encryption")
    refused = await (await start(tmp_path / "runs", str(file), *changes)).end()
    assert (refused.code, refused.metrics) == (1, [])
    assert "learning.models: digits-mlp of worker 2: it compares" in refused.output
