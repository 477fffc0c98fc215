"""∝MDL^d with real processes: workers that die one after another, hang, are stopped and taken up again."""

import os
import signal
from pathlib import Path

import pytest

from tests.end_to_end.runs import Ended, all_gone, experiment, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PACE = "[delay]\nmean_seconds = [{}]\ndeviation_seconds = 0.05"
EIGHT = ["--set", "system.type=dynamic", "--set", "workers=8", "--set", "system.threshold=4"]
FOUR = ["--set", "system.type=dynamic"]


def paced(workers: int, seconds: float) -> str:
    return PACE.format(", ".join([str(seconds)] * workers))


async def finished(tmp_path: Path, *arguments: str) -> Ended:
    ended = await (await start(tmp_path / "whole", *arguments)).end()
    assert ended.code == 0, ended.output
    return ended


async def test_n_minus_m_workers_are_killed_one_after_another_and_the_run_finishes(tmp_path: Path) -> None:
    file = experiment(tmp_path, epochs=16, tables=paced(8, 0.2))
    arguments = [file, *EIGHT, "--set", "learning.split=sample", "--set", "learning.train_limit=1400"]
    whole = await finished(tmp_path, *arguments)
    run = await start(tmp_path / "killed", *arguments)
    for victim, epoch in ((8, 3), (7, 5), (6, 7), (5, 9)):
        await run.until("epoch", epoch=epoch)
        os.kill(await run.worker_pid(victim), signal.SIGKILL)
    ended = await run.end()
    assert ended.code == 0, ended.output
    assert ended.summary["epochs"] == 16
    assert {left["worker"] for left in ended.summary["left"]} == {5, 6, 7, 8}
    assert ended.summary["accuracy"]["global"] >= whole.summary["accuracy"]["global"] - 0.02
    assert await all_gone(ended.pids) == set()


async def test_with_too_few_workers_left_the_run_fails_by_name(tmp_path: Path) -> None:
    run = await start(tmp_path / "runs", experiment(tmp_path, epochs=50, tables=paced(4, 0.2)), *FOUR)
    await run.until("epoch", epoch=1)
    for worker in (1, 4):
        os.kill(await run.worker_pid(worker), signal.SIGKILL)
    ended = await run.end()
    assert ended.code == 1
    assert "TooFewWorkers" in ended.summary["reason"]
    assert await all_gone(ended.pids) == set()


async def test_a_frozen_worker_holds_up_the_others_no_longer_than_its_time_out(tmp_path: Path) -> None:
    file = experiment(tmp_path, epochs=8, tables=paced(4, 0.2), system="timeout_seconds = 3.0")
    run = await start(tmp_path / "runs", file, *FOUR)
    await run.until("epoch", epoch=1)
    frozen = await run.worker_pid(3)
    os.kill(frozen, signal.SIGSTOP)
    await run.until("epoch", epoch=6)
    os.kill(frozen, signal.SIGCONT)
    ended = await run.end()
    assert ended.code == 0, ended.output
    assert ended.summary["epochs"] == 8
    assert await all_gone(ended.pids) == set()


async def test_ctrl_c_keeps_what_was_learnt_and_resuming_goes_on_at_everybodys_own_pace(
    tmp_path: Path,
) -> None:
    run = await start(tmp_path / "cut", experiment(tmp_path, epochs=8, tables=paced(4, 0.2)), *FOUR)
    await run.until("epoch", epoch=3)
    run.send(signal.SIGINT)
    cut = await run.end(within=20)
    assert cut.code == 130, cut.output
    assert await all_gone(cut.pids) == set()
    ended = await (await start(tmp_path / "cut", "--resume", str(cut.folder), folder=cut.folder)).end()
    assert ended.code == 0, ended.output
    assert ended.summary["epochs"] == 8
    done = [(line["party"], line["epoch"]) for line in ended.metrics if line["kind"] == "done"]
    assert len(done) == len(set(done))  # no worker trained an epoch twice: no gradient was offered twice
