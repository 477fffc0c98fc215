"""Real runs as a user starts them, with handles on their processes."""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mdl.learning.datasets import digits

INSECURE_SMALL = """
name = "small"
seed = 3
workers = 4
epochs = {epochs}

[system]
type = "coordinated"
threshold = 3
insecure = true
range = 8.0
fraction_bits = 10
spare = 1
{system}

[system.scheme]
type = "elgamal"
group = "insecure64"

[learning]
dataset = "{dataset}"
model = "digits-mlp"
split = "disjoint"
learning_rate = 0.1
batch = 32
train_limit = 200

{tables}
"""


_started: list[asyncio.subprocess.Process] = []


@dataclass
class Ended:
    """How a run ended, and what it left."""

    code: int
    output: str
    folder: Path
    pids: set[int] = field(default_factory=set)

    @property
    def summary(self) -> Mapping[str, Any]:
        summary: Mapping[str, Any] = json.loads((self.folder / "summary.json").read_text())
        return summary

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return events(self.folder / "metrics.jsonl")


class Run:
    """A run under way."""

    def __init__(self, process: asyncio.subprocess.Process, out: Path, folder: Path | None) -> None:
        self._process, self._out, self._folder = process, out, folder
        self.pids: set[int] = set()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def folder(self) -> Path:
        """The run's folder, once it is there."""
        while self._folder is None:
            found = [path for path in self._out.glob("*") if path.is_dir()] if self._out.exists() else []
            self._folder = found[0] if found else None
            await asyncio.sleep(0.02)
        return self._folder

    async def worker_pid(self, worker: int) -> int:
        """The process of a worker, once it has begun."""
        log = await self.folder() / f"log-{worker}.txt"
        while True:
            found = re.search(r"begins, process (\d+)", log.read_text()) if log.exists() else None
            if found:
                return int(found.group(1))
            await asyncio.sleep(0.02)

    async def until_logged(self, worker: int, text: str) -> None:
        """Wait for a text in a worker's log."""
        log = await self.folder() / f"log-{worker}.txt"
        while not (log.exists() and text in log.read_text()):
            self.pids |= family(self.pid)
            await asyncio.sleep(0.02)

    async def until(self, kind: str, *, epoch: int, party: int | None = None) -> dict[str, Any]:
        """Wait for a line of the metrics."""
        path = await self.folder() / "metrics.jsonl"
        while True:
            for event in events(path):
                if event["kind"] == kind and event["epoch"] == epoch and party in (None, event["party"]):
                    return event
            self.pids |= family(self.pid)
            if self._process.returncode is not None:
                raise AssertionError(f"the run ended before {kind} of epoch {epoch}")
            await asyncio.sleep(0.02)

    async def end(self, within: float = 40.0) -> Ended:
        """Wait for the end."""
        self.pids |= family(self.pid)
        output, _ = await asyncio.wait_for(self._process.communicate(), within)
        # What was shown on a terminal is not kept.
        return Ended(self._process.returncode or 0, (output or b"").decode(), await self.folder(), self.pids)


def events(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file that another process may still be writing; none where it has not begun."""
    written = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in written[: written.rfind("\n") + 1].splitlines()]


async def command(
    *arguments: str,
    stdout: int = asyncio.subprocess.PIPE,
    stderr: int = asyncio.subprocess.PIPE,
    terminal: bool = False,
) -> asyncio.subprocess.Process:
    """Start a command of ``mdl``; what a test leaves of it :func:`stop_all` ends.

    With `terminal` its processes are a group of their own, so that a test can press Ctrl-C for all of them.
    """
    line = (sys.executable, "-m", "mdl", *arguments)
    process = await asyncio.create_subprocess_exec(
        *line, stdout=stdout, stderr=stderr, start_new_session=terminal
    )
    _started.append(process)
    return process


async def start(out: Path, *arguments: str, folder: Path | None = None, report: bool = False) -> Run:
    """Start ``mdl run`` with arguments; to draw the report takes longer than most of these runs."""
    drawn = "--report" if report else "--no-report"
    place = [] if "--resume" in arguments else ["--out", str(out)]
    process = await command("run", *arguments, drawn, *place, stderr=asyncio.subprocess.STDOUT)
    return Run(process, out, folder)


class Terminal:
    """A terminal in which one run goes on; it shows to nobody what is printed on it.

    Args:
        number: of its own end's file.
        group: the processes in it.
    """

    def __init__(self, number: int, group: int) -> None:
        self._number, self._group = number, group
        asyncio.get_running_loop().add_reader(number, os.read, number, 1 << 16)  # else printing would wait

    def close(self) -> None:
        """Close it, as one closes a window: the kernel tells the first process, a shell all of them."""
        asyncio.get_running_loop().remove_reader(self._number)
        os.close(self._number)
        os.killpg(self._group, signal.SIGHUP)


async def start_in_terminal(out: Path, *arguments: str, nohup: bool = False) -> tuple[Run, Terminal]:
    """Start ``mdl run`` with arguments in a terminal of its own; with `nohup` it is to outlive that."""

    def begin() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        if nohup:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mdl", "run", *arguments, "--no-report", "--out", str(out)),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=begin,
    )
    os.close(theirs)
    _started.append(process)
    return Run(process, out, None), Terminal(ours, process.pid)


async def stop_all() -> None:
    """End what a failed test left running, so that nothing of it falls upon the next one."""
    while _started:
        process = _started.pop()
        if process.returncode is None:
            for pid in family(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        await process.communicate()


def experiment(place: Path, *, epochs: int = 3, system: str = "", tables: str = "") -> str:
    """Write the small experiment and give its path."""
    path = place / "small.toml"
    data = archive(place / "digits.npz")
    path.write_text(INSECURE_SMALL.format(dataset=data, epochs=epochs, system=system, tables=tables))
    return str(path)


def archive(path: Path, *, train: int | None = None, test: int | None = None) -> str:
    """Write the first of the digits to an archive."""
    found = digits()
    np.savez(
        path,
        x_train=found.train_images[:train],
        y_train=found.train_labels[:train],
        x_test=found.test_images[:test],
        y_test=found.test_labels[:test],
        classes=found.classes,
        scale=found.scale,
    )
    return str(path)


def family(root: int) -> set[int]:
    """All processes below `root`, and it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = set(), [root]
    while queue:
        process = queue.pop()
        found.add(process)
        queue += parents.get(process, [])
    return found


async def all_gone(pids: set[int], within: float = 10.0) -> set[int]:
    """Those of the processes that are still there after a while (a zombie is gone)."""
    for _ in range(int(within / 0.1)):
        alive = {pid for pid in pids if _alive(pid)}
        if not alive:
            return set()
        await asyncio.sleep(0.1)
    return {pid for pid in pids if _alive(pid)}


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        return (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split())[0] != "Z"
    except OSError:
        return False
