"""Real processes: what becomes of a run whose terminal is closed.

All processes of the terminal are told, and nothing can be printed any more.
"""

import asyncio
import fcntl
import os
import signal
from pathlib import Path

import pytest

from tests.end_to_end.runs import Run, all_gone, command, experiment, start, start_in_terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SLOW = "[delay]\nslope_seconds = 0.1\ndeviation_seconds = 0.0"


@pytest.mark.parametrize("options", [(), ("--quiet",)])
async def test_a_closed_terminal_ends_a_run_in_order(tmp_path: Path, options: tuple[str, ...]) -> None:
    file = experiment(tmp_path, epochs=50, tables=SLOW)
    run, terminal = await start_in_terminal(tmp_path / "runs", file, *options)
    await run.until("epoch", epoch=2)
    terminal.close()
    ended = await run.end(within=20)
    assert ended.code == 130
    assert ended.summary["status"] == "interrupted"
    assert ended.summary["cpu_seconds"] > 0, "parties were stopped, not killed"
    assert ended.summary["left"] == []
    assert (ended.folder / "model.safetensors").exists()
    assert len(ended.pids) > 5
    assert await all_gone(ended.pids) == set()


async def test_sigterm_behind_a_closed_terminal_ends_a_run_in_order_all_the_same(tmp_path: Path) -> None:
    """Who ends a session sends both, in any order; only Ctrl-C or SIGTERM said twice kills."""
    run = await start(tmp_path / "runs", experiment(tmp_path, epochs=50, tables=SLOW))
    await run.until("epoch", epoch=2)
    run.send(signal.SIGHUP)
    await asyncio.sleep(0.02)
    run.send(signal.SIGTERM)
    ended = await run.end(within=20)
    assert ended.code == 130
    assert ended.summary["cpu_seconds"] > 0, "parties were stopped, not killed"
    assert (ended.folder / "model.safetensors").exists()
    assert await all_gone(ended.pids) == set()


async def test_a_run_that_was_started_to_outlive_its_terminal_does(tmp_path: Path) -> None:
    file = experiment(tmp_path, epochs=4, tables=SLOW)
    run, terminal = await start_in_terminal(tmp_path / "runs", file, nohup=True)
    await run.until("epoch", epoch=2)
    terminal.close()
    ended = await run.end(within=30)
    assert ended.code == 0
    assert ended.summary["status"] == "completed"
    assert ended.summary["epochs"] == 4
    assert await all_gone(ended.pids) == set()


async def test_a_reader_who_leaves_while_a_line_waits_for_it_ends_no_run(tmp_path: Path) -> None:
    """As a pager does that is shown a part and left."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    os.write(writer, bytes(4096))  # so that not a line goes in
    os.set_blocking(writer, True)
    out, file = tmp_path / "runs", experiment(tmp_path, epochs=2)
    process = await command("run", file, "--no-report", "--out", str(out), stdout=writer)
    os.close(writer)
    run = Run(process, out, None)
    await run.folder()
    await asyncio.sleep(1)  # the first line comes right after
    os.close(reader)
    ended = await run.end()
    assert ended.code == 0
    assert ended.summary["status"] == "completed"


async def test_a_study_is_done_though_nobody_reads_on(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    file = experiment(tmp_path, epochs=1)
    study = ("--grid", "seed=1,2", "--simulate", "--jobs", "1", "--out", str(tmp_path / "studies"))
    process = await command("sweep", file, *study, stdout=writer, stderr=writer)
    os.close(writer)
    await asyncio.to_thread(os.read, reader, 1)
    os.close(reader)
    assert await process.wait() == 0
    assert list((tmp_path / "studies").glob("*/comparison.csv"))


async def test_a_run_goes_on_when_nobody_reads_any_more_what_it_prints(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    out, file = tmp_path / "runs", experiment(tmp_path, epochs=3, tables=SLOW)
    process = await command("run", file, "--no-report", "--out", str(out), stdout=writer, stderr=writer)
    os.close(writer)
    run = Run(process, out, None)
    await run.until("epoch", epoch=1)
    os.close(reader)
    ended = await run.end()
    assert ended.code == 0
    assert ended.summary["status"] == "completed"
