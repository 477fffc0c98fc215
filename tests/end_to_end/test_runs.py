"""Real processes: what is promised of a run that goes well, and of one that does not."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from mdl.folder import FileJournal
from mdl.protocols.releases import counted
from tests.end_to_end.runs import Ended, all_gone, command, experiment, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


async def test_a_run_leaves_its_folder_complete_and_no_process(tmp_path: Path) -> None:
    run = await start(tmp_path / "runs", experiment(tmp_path, epochs=2), report=True)
    await run.until("trained", epoch=1)
    ended = await run.end()
    assert ended.code == 0, ended.output
    names = {path.name for path in ended.folder.iterdir()}
    assert {"experiment.toml", "environment.json", "metrics.jsonl", "ledger.jsonl", "summary.json"} <= names
    assert {"report.html", "checkpoints", *(f"log-{party}.txt" for party in range(5))} <= names
    assert ended.summary["status"] == "completed"
    assert ended.summary["epochs"] == 2
    assert ended.summary["bytes"]["up"] > 0
    assert len(ended.summary["weights"]["workers"]) == 4
    assert len(ended.pids) > 5
    assert await all_gone(ended.pids) == set()


async def test_the_hidden_run_ends_with_the_weights_of_the_plain_one(tmp_path: Path) -> None:
    file = experiment(tmp_path, epochs=2)
    hidden = await _weights(tmp_path / "hidden", file)
    plain = await _weights(tmp_path / "plain", file, "--set", "system.scheme.type=plain")
    assert hidden == plain


async def _weights(out: Path, *arguments: str) -> object:
    ended = await (await start(out, *arguments)).end()
    assert ended.code == 0, ended.output
    return ended.summary["weights"]


@pytest.mark.parametrize("moment", ["training", "opening"])
async def test_a_killed_worker_is_left_behind_and_the_others_finish(tmp_path: Path, moment: str) -> None:
    slow = (
        "" if moment == "opening" else "[delay]\nmean_seconds = [1.0, 1.0, 1.0, 1.0]\ndeviation_seconds = 0.0"
    )
    run = await start(tmp_path / "runs", experiment(tmp_path, epochs=3, tables=slow))
    if moment == "training":
        await run.until_logged(2, "linked")
    else:
        await run.until("trained", epoch=1, party=2)
    victim = await run.worker_pid(2)
    os.kill(victim, signal.SIGKILL)
    ended = await run.end()
    assert ended.code == 0, ended.output
    assert ended.summary["status"] == "completed"
    [left] = ended.summary["left"]
    assert left["worker"] == 2
    assert "SIGKILL" in left["how"]
    assert set(ended.summary["weights"]["workers"]) == {"1", "3", "4"}
    assert await all_gone(ended.pids) == set()


async def test_with_too_few_workers_left_the_run_fails_by_name(tmp_path: Path) -> None:
    slow = "[delay]\nmean_seconds = [0.5, 0.5, 0.5, 0.5]\ndeviation_seconds = 0.0"
    run = await start(tmp_path / "runs", experiment(tmp_path, epochs=20, tables=slow))
    await run.until("epoch", epoch=1)
    for worker in (1, 4):
        os.kill(await run.worker_pid(worker), signal.SIGKILL)
    ended = await run.end()
    assert ended.code == 1
    assert ended.summary["status"] == "failed"
    assert "TooFewWorkers" in ended.summary["reason"]
    assert "TooFewWorkers" in ended.output
    assert await all_gone(ended.pids) == set()


async def test_a_killed_manager_ends_the_run_by_name(tmp_path: Path) -> None:
    slow = "[delay]\nmean_seconds = [0.5, 0.5, 0.5, 0.5]\ndeviation_seconds = 0.0"
    run = await start(tmp_path / "runs", experiment(tmp_path, epochs=20, tables=slow))
    await run.until("epoch", epoch=1)
    os.kill(await run.worker_pid(0), signal.SIGKILL)
    ended = await run.end()
    assert ended.code == 1
    assert "manager was killed by SIGKILL" in ended.summary["reason"]
    assert await all_gone(ended.pids) == set()


async def test_a_silent_worker_costs_its_blocks_and_nobody_else(tmp_path: Path) -> None:
    system = "timeout_seconds = 6.0"
    run = await start(tmp_path / "runs", experiment(tmp_path, epochs=2, system=system))
    await run.until("epoch", epoch=1)
    frozen = await run.worker_pid(3)
    os.kill(frozen, signal.SIGSTOP)
    await run.until("epoch", epoch=2)
    os.kill(frozen, signal.SIGCONT)
    ended = await run.end()
    assert ended.code == 0, ended.output
    assert ended.summary["epochs"] == 2
    assert await all_gone(ended.pids) == set()


async def test_a_worker_that_hangs_after_the_last_epoch_does_not_hold_up_the_end(tmp_path: Path) -> None:
    run = await start(tmp_path / "runs", experiment(tmp_path, epochs=1, system="timeout_seconds = 6.0"))
    await run.until("trained", epoch=1, party=3)
    os.kill(await run.worker_pid(3), signal.SIGSTOP)
    ended = await run.end()
    assert ended.code == 0, ended.output
    assert [left["worker"] for left in ended.summary["left"]] == [3]
    assert await all_gone(ended.pids) == set()


async def test_ctrl_c_keeps_what_was_learnt_and_resuming_ends_with_the_same_weights(tmp_path: Path) -> None:
    file = experiment(tmp_path, epochs=5, tables="[delay]\nslope_seconds = 0.1\ndeviation_seconds = 0.0")
    whole = await (await start(tmp_path / "whole", file)).end()
    run = await start(tmp_path / "cut", file)
    await run.until("epoch", epoch=2)
    run.send(signal.SIGINT)
    cut = await run.end(within=20)
    assert cut.code == 130
    assert cut.summary["status"] == "interrupted"
    assert "--resume" in cut.output
    assert cut.summary["cpu_seconds"] > 0
    before = cut.summary
    assert await all_gone(cut.pids) == set()
    rest = await (await start(tmp_path / "x", "--resume", str(cut.folder), folder=cut.folder)).end()
    assert rest.code == 0, rest.output
    assert rest.summary["weights"] == whole.summary["weights"]
    assert scores(rest) == scores(whole)
    assert rest.summary["started"] == before["started"]
    assert rest.summary["cpu_seconds"] > before["cpu_seconds"]


async def test_a_run_that_is_taken_up_has_spent_what_each_party_has_on_record(tmp_path: Path) -> None:
    tables = "[learning.privacy]\ntype = 'dp-sgd'\nnoise_multiplier = 1.0\n[delay]\nslope_seconds = 0.3"
    run = await start(tmp_path / "cut", experiment(tmp_path, epochs=6, tables=tables))
    await run.until("epoch", epoch=2)
    run.send(signal.SIGINT)
    cut = await run.end(within=20)
    assert cut.code == 130, cut.output
    on_record = {party: counted(FileJournal(cut.folder, party)) for party in range(5)}
    rest = await (await start(tmp_path / "x", "--resume", str(cut.folder), folder=cut.folder)).end()
    assert rest.code == 0, rest.output
    resumed = {line["party"]: line for line in rest.metrics if line["kind"] == "resumed"}
    assert {party: {key: resumed[party][key] for key in on_record[party]} for party in resumed} == on_record
    records = rest.summary["privacy"]["records"]
    assert records["epochs"] == counted(FileJournal(rest.folder, records["worker"]))["private_epochs"] >= 6


async def test_noise_is_calculated_once_for_a_run_and_its_lines_say_no_less_than_is_spent(
    tmp_path: Path,
) -> None:
    tables = "[learning.privacy]\ntype = 'dp-sgd'\nepsilon = 8.0"
    ended = await (await start(tmp_path / "runs", experiment(tmp_path, epochs=2, tables=tables))).end()
    assert ended.code == 0, ended.output
    assert "calculating the noise of DP-SGD" in ended.output
    trained = [line for line in ended.metrics if line["kind"] == "trained"]
    told = {(line["examples"], line["noise_multiplier"]) for line in trained}
    assert len(told) == len({line["examples"] for line in trained})
    [last] = [line for line in ended.output.splitlines() if "epoch 2/2" in line]
    assert "ε ≤ 8 a record at a worker" in last
    records = ended.summary["privacy"]["records"]
    assert (records["epochs"], records["noise_multiplier"]) in {(2, noise) for _, noise in told}
    assert 7.9 < records["epsilon"] <= 8


def scores(ended: Ended) -> list[tuple[int, int, float]]:
    """Every score of a run, as (epoch, party, accuracy)."""
    return sorted(
        (event["epoch"], event["party"], event["accuracy"])
        for event in ended.metrics
        if event["kind"] == "evaluated"
    )


async def test_when_the_launcher_is_killed_nothing_is_left_running(tmp_path: Path) -> None:
    slow = "[delay]\nslope_seconds = 0.2"
    run = await start(tmp_path / "runs", experiment(tmp_path, epochs=20, tables=slow))
    await run.until("epoch", epoch=1)
    run.send(signal.SIGKILL)
    assert len(run.pids) > 5
    assert await all_gone(run.pids) == set()


def runs_in(folder: Path) -> list[Path]:
    return list(folder.glob("*"))


async def test_a_missing_data_set_fails_by_name_and_leaves_no_folder(tmp_path: Path) -> None:
    process = await command(
        *("run", experiment(tmp_path), "--out", str(tmp_path / "runs")),
        *("--set", "learning.dataset=nowhere.npz", "--set", "learning.model=mlp"),
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert "DataUnavailable" in output.decode()
    assert "nowhere.npz" in output.decode()
    assert "Traceback" not in output.decode()
    assert runs_in(tmp_path / "runs") == []


async def test_no_event_loop_is_held_up_by_cryptography_or_training(tmp_path: Path) -> None:
    """At 2048 bits a worker encrypts and opens for most of the epoch: in its pool, not in its loop."""
    file = experiment(tmp_path, epochs=1)
    run = await start(tmp_path / "runs", file, "--set", "system.scheme.group=schnorr2048")
    ended = await run.end()
    assert ended.code == 0, ended.output
    assert ended.summary["seconds"]["cryptography"] > 0.5
    assert ended.summary["loop_lag_seconds"]["median"] < 0.02
    assert ended.summary["loop_lag_seconds"]["p95"] < 0.25
