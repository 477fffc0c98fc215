"""D-MHE with real processes: a node is killed, and the others go on, or the run ends naming it."""

import os
import signal
from pathlib import Path

import pytest

from tests.end_to_end.runs import Ended, Run, all_gone, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

VICTIM = 3
PAUSES = f"mean_seconds = {[0.33] * 6}"

EXPERIMENT = """
name = "nodes"
workers = 6
epochs = {epochs}

[system]
type = "decentralised"
timeout_seconds = 30.0
{system}

[system.graph]
type = "{graph}"

[learning]
model = "digits-mlp"
split = "disjoint"
train_limit = 200

[delay]
{delay}
deviation_seconds = 0.0
"""


async def started(place: Path, *, system: str = "", graph: str = "complete", epochs: int = 5) -> Run:
    file = place / "nodes.toml"
    file.write_text(EXPERIMENT.format(system=system, graph=graph, epochs=epochs, delay=PAUSES))
    return await start(place / "runs", str(file))


async def killed(run: Run, worker: int) -> Ended:
    """Kill a node once its first epoch is done; wait for the end."""
    await run.until("done", epoch=1, party=worker)
    os.kill(await run.worker_pid(worker), signal.SIGKILL)
    ended = await run.end()
    assert await all_gone(ended.pids) == set()
    return ended


async def test_with_a_threshold_the_others_do_all_epochs(tmp_path: Path) -> None:
    ended = await killed(await started(tmp_path, system="threshold = 4"), VICTIM)
    assert ended.code == 0, ended.output
    assert ended.summary["status"] == "completed"
    assert [left["worker"] for left in ended.summary["left"]] == [VICTIM]
    assert set(ended.summary["weights"]["workers"]) == {"1", "2", "4", "5", "6"}
    done = {(event["party"], event["epoch"]) for event in ended.metrics if event["kind"] == "done"}
    assert {(node, epoch) for node in (1, 2, 4, 5, 6) for epoch in range(1, 6)} <= done
    again = await (await start(tmp_path / "runs", "--resume", str(ended.folder), folder=ended.folder)).end()
    assert again.code == 1
    assert "nothing to resume" in again.output


async def test_without_one_it_ends_and_the_lost_one_is_named(tmp_path: Path) -> None:
    ended = await killed(await started(tmp_path), VICTIM)
    assert ended.code == 1
    assert f"worker {VICTIM} was killed by SIGKILL" in ended.summary["reason"]


async def test_without_its_collector_a_group_fails_and_the_collector_is_named(tmp_path: Path) -> None:
    ended = await killed(await started(tmp_path, system="threshold = 4", graph="group"), 1)
    assert ended.code == 1
    assert ended.summary["status"] == "failed"
    assert "worker 1 was killed by SIGKILL" in ended.summary["reason"]


@pytest.mark.exhaustive
async def test_after_ctrl_c_a_run_with_a_threshold_is_resumed_to_the_same_weights(tmp_path: Path) -> None:
    whole = await (await started(tmp_path, system="threshold = 4", epochs=3)).end()
    (tmp_path / "cut").mkdir()
    run = await started(tmp_path / "cut", system="threshold = 4", epochs=3)
    for node in range(1, 7):  # it is resumed from an epoch that all have done
        await run.until("done", epoch=1, party=node)
    run.send(signal.SIGINT)
    ended = await run.end()
    assert ended.code == 130, ended.output
    rest = await (await start(tmp_path / "cut", "--resume", str(ended.folder), folder=ended.folder)).end()
    assert rest.code == 0, rest.output
    assert rest.summary["weights"]["workers"] == whole.summary["weights"]["workers"]
