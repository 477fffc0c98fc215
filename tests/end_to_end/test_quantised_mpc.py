"""Secure quantised training in real processes: a killed party ends it by name; it is resumed from shares."""

import os
import signal
from pathlib import Path

import pytest

from tests.end_to_end.runs import Run, all_gone, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TABLES = """
name = "mpc"
workers = 3
epochs = 4

[system]
type = "quantised-mpc"
rounding = "nearest"

[learning]
model = "digits-mlp"
split = "disjoint"
batch = 16
local_steps = 2
test_limit = 100

[delay]
mean_seconds = [{pause}, {pause}, {pause}]
deviation_seconds = 0.0
"""


async def begun(place: Path, *, pause: float) -> Run:
    file = place / f"mpc-{pause}.toml"
    file.write_text(TABLES.format(pause=pause))
    return await start(place / f"runs-{pause}", str(file))


async def test_after_ctrl_c_it_goes_on_from_the_shares_to_the_same_weights(tmp_path: Path) -> None:
    whole = await (await begun(tmp_path, pause=0.0)).end()
    assert whole.code == 0, whole.output
    run = await begun(tmp_path, pause=0.5)
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
