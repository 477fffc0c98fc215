"""Secure quantised training in real processes: a killed party ends it by name; it is resumed from shares."""

import asyncio
import os
import signal
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mdl.config import load
from mdl.errors import party_name
from mdl.folder import SUMMARY, write_json
from mdl.rehearsal import cast
from mdl.simulator import simulate
from mdl.vectors import fingerprint
from tests.end_to_end.runs import Run, all_gone, archive, command, family, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TABLES = """
name = "mpc"
workers = 3
epochs = {epochs}

[system]
type = "quantised-mpc"
rounding = "nearest"

[learning]
dataset = "{data}"
model = "digits-mlp"
split = "disjoint"
batch = 16
local_steps = 2
test_limit = 100

[delay]
mean_seconds = [{pause}, {pause}, {pause}]
deviation_seconds = 0.0
"""


def tables_of(place: Path, *, pause: float = 0.0, epochs: int = 4) -> str:
    return TABLES.format(data=archive(place / "digits.npz"), pause=pause, epochs=epochs)


async def begun(place: Path, *, pause: float, security: str = "rep3") -> Run:
    file = place / f"mpc-{pause}.toml"
    tables = tables_of(place, pause=pause)
    if security == "spdz2k":
        tables = tables.replace("local_steps = 2", "local_steps = 1")  # each takes most of a second
    file.write_text(tables.replace('rounding = "nearest"', f'rounding = "nearest"\nsecurity = "{security}"'))
    return await start(place / f"runs-{pause}", str(file))


@pytest.mark.parametrize("security", ["rep3", pytest.param("spdz2k", marks=pytest.mark.exhaustive)])
async def test_after_ctrl_c_it_goes_on_from_the_shares_to_the_same_weights(
    tmp_path: Path, security: str
) -> None:
    whole = await (await begun(tmp_path, pause=0.0, security=security)).end()
    assert whole.code == 0, whole.output
    run = await begun(tmp_path, pause=0.5, security=security)
    await run.until("done", epoch=2)
    run.send(signal.SIGINT)
    cut = await run.end()
    assert cut.code == 130, cut.output
    resumed = await start(tmp_path / "x", "--resume", str(cut.folder), folder=cut.folder)
    rest = await resumed.end()
    assert rest.code == 0, rest.output
    assert rest.summary["weights"] == whole.summary["weights"]
    assert (rest.folder / "model-1.safetensors").exists()
    assert await all_gone(whole.pids | cut.pids | rest.pids) == set()


@pytest.mark.exhaustive
async def test_a_run_that_was_broken_off_at_its_end_is_scored_and_opened(tmp_path: Path) -> None:
    whole = await (await begun(tmp_path, pause=0.0)).end()
    model = whole.folder / "model-1.safetensors"
    model.unlink()
    write_json(whole.folder / SUMMARY, {**whole.summary, "status": "interrupted"})
    rest = await (await start(tmp_path / "x", "--resume", str(whole.folder), folder=whole.folder)).end()
    assert rest.code == 0, rest.output
    assert rest.summary["weights"] == whole.summary["weights"]
    assert rest.summary["accuracy"] == whole.summary["accuracy"]
    assert model.exists()
    assert await all_gone(whole.pids | rest.pids) == set()


async def test_a_killed_party_ends_it_and_is_named(tmp_path: Path) -> None:
    run = await begun(tmp_path, pause=0.5)
    await run.until("done", epoch=1)
    os.kill(await run.worker_pid(2), signal.SIGKILL)
    ended = await run.end()
    assert ended.code == 1
    assert "worker 2" in ended.summary["reason"]
    assert "SIGKILL" in ended.summary["reason"]
    assert not list(ended.folder.glob("model*.safetensors"))
    assert await all_gone(ended.pids) == set()


@pytest.mark.exhaustive
@pytest.mark.parametrize("victim", [0, 2])
async def test_with_macs_too_a_run_goes_on_whoever_was_killed(tmp_path: Path, victim: int) -> None:
    """Under another key, to the same weights; and what was kept is for its owner's eyes alone."""
    whole = await (await begun(tmp_path, pause=0.0, security="spdz2k")).end()
    run = await begun(tmp_path, pause=0.5, security="spdz2k")
    await run.until("done", epoch=2)
    os.kill(await run.worker_pid(victim), signal.SIGKILL)
    cut = await run.end()
    assert cut.code == 1
    assert party_name(victim, "dealer") in cut.summary["reason"]
    records = list(cut.folder.glob("checkpoints/*/model-*.safetensors"))
    assert {record.parent.name for record in records} == {"0", "1", "2", "3"}
    assert {stat.S_IMODE(record.stat().st_mode) for record in records} == {0o600}
    rest = await (await start(tmp_path / "x", "--resume", str(cut.folder), folder=cut.folder)).end()
    assert rest.code == 0, rest.output
    assert rest.summary["weights"] == whole.summary["weights"]
    assert await all_gone(whole.pids | cut.pids | rest.pids) == set()


@pytest.mark.parametrize(
    ("security", "workers"),
    [
        ("dealer", 3),
        pytest.param("spdz2k", 2, marks=pytest.mark.exhaustive),
        ("rep3-malicious", 3),
        pytest.param("rep4", 4, marks=pytest.mark.exhaustive),
        pytest.param("shamir", 3, marks=pytest.mark.exhaustive),
    ],
)
async def test_other_security_models_train_as_on_the_virtual_clock(
    tmp_path: Path, security: str, workers: int
) -> None:
    file = tmp_path / "mpc.toml"
    tables = tables_of(tmp_path, epochs=1)
    file.write_text(tables.replace('rounding = "nearest"', f'rounding = "nearest"\nsecurity = "{security}"'))
    changes = ("--set", f"workers={workers}", "--set", f"delay.mean_seconds={[0.0] * workers}")
    ended = await (await start(tmp_path / "runs", str(file), *changes)).end()
    assert ended.code == 0, ended.output
    found = load(file, [change for change in changes if change != "--set"])[0]
    learners = cast(found, None)
    options: dict[str, Any] = {"workers": workers, "epochs": 1, "seed": found.seed}
    simulated = await asyncio.to_thread(simulate, found.system, learners.__getitem__, **options)
    assert ended.summary["weights"]["workers"]["1"] == fingerprint(simulated.outcomes[1].parameters)
    assert not (ended.folder / "model.safetensors").exists(), "nobody manages, and a dealer has no model"
    assert await all_gone(ended.pids) == set()


@pytest.mark.parametrize("victim", [0, 2])
async def test_a_killed_dealer_or_holder_ends_it_and_is_named(tmp_path: Path, victim: int) -> None:
    file = tmp_path / "mpc.toml"
    tables = tables_of(tmp_path, pause=0.5).replace('rounding = "nearest"', 'security = "dealer"')
    file.write_text(tables)
    run = await start(tmp_path / "runs", str(file))
    await run.until("done", epoch=1)
    os.kill(await run.worker_pid(victim), signal.SIGKILL)
    ended = await run.end()
    assert ended.code == 1
    assert party_name(victim, "dealer") in ended.summary["reason"]
    assert await all_gone(ended.pids) == set()


@pytest.mark.parametrize("security", ["rep3", pytest.param("spdz2k", marks=pytest.mark.exhaustive)])
async def test_a_model_that_stays_shared_answers_whoever_asks_and_nobody_else(
    tmp_path: Path, security: str
) -> None:
    file = tmp_path / "mpc.toml"
    keys = f'rounding = "nearest"\nsecurity = "{security}"\nopening = "all"'
    tables = tables_of(tmp_path).replace('rounding = "nearest"', keys)
    file.write_text(tables)
    opened = await (await start(tmp_path / "opened", str(file))).end()
    file.write_text(tables.replace('"all"', '"none"'))
    shared = await (await start(tmp_path / "shared", str(file))).end()
    assert shared.code == 0, shared.output
    assert not list(shared.folder.glob("model*.safetensors"))
    process = await command("infer", str(shared.folder), "--asker", "2", "--limit", "40")
    said, problems = await process.communicate()
    assert process.returncode == 0, problems.decode()
    assert "40 are as labelled" in said.decode()
    (answers,) = shared.folder.glob("*-answers/answers.csv")
    found = np.loadtxt(answers, delimiter=",", skiprows=1)
    learner = cast(load(file)[0], None)[2]
    learner.network.load_state_dict(load_file(opened.folder / "model-1.safetensors"))
    images, labels = next(learner.test_batches(40))
    with torch.no_grad():
        scores = learner.network(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found[:, 3:], scores, atol=2e-3)
    np.testing.assert_array_equal(found[:, 2], labels)


async def test_ctrl_c_ends_a_question_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mpc.toml"
    file.write_text(tables_of(tmp_path, epochs=1))
    shared = await (await start(tmp_path / "shared", str(file))).end()
    process = await command("infer", str(shared.folder), terminal=True)
    assert process.stderr is not None
    assert await process.stderr.readline() == b"mdl: reading the data set\n"  # torch is imported meanwhile
    pids = family(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    said, problems = await process.communicate()
    assert process.returncode == 130
    assert (said, problems) == (b"", b"mdl: interrupted: nothing is answered\n")
    assert not list(shared.folder.glob("*-answers"))
    assert await all_gone(pids) == set()
