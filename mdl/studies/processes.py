"""Make calls in processes of their own, some at a time; stop them all on Ctrl-C; leave nothing running.

Processes are forks of a forkserver that has imported torch, which takes seconds, once.
"""

import json
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import FrameType
from typing import Any, Final, Literal, TypeAlias

from mdl.forks import start_forkserver
from mdl.studies.entry import Call, Ending, enter

POLL_SECONDS: Final = 0.2
"""How soon Ctrl-C is acted upon at the latest."""

PATIENT_PRESSES: Final = 2
"""So many times Ctrl-C is passed on: the first ends in order, the second at once. The next one kills."""

LAST_LINES: Final = 5

UNSTARTED: Final = Ending("unstarted", "stopped by the user")
"""Of a call that Ctrl-C came before."""


@dataclass(frozen=True)
class Event:
    """What happens to a call.

    Attributes:
        name: of the call.
        kind: ``kept`` if it was done before, ``started``, ``progress`` or ``ended``; or ``stopping``, of all.
        figures: of ``progress``: what the call told.
        ending: of ``ended`` and ``kept``.
    """

    name: str
    kind: Literal["kept", "started", "progress", "ended", "stopping"]
    figures: Mapping[str, Any] = field(default_factory=dict)
    ending: Ending | None = None


Watcher: TypeAlias = Callable[[Event], None]
"""Shown every event as it comes. Must not raise."""


def call_all(calls: Sequence[Call], *, jobs: int, watch: Watcher) -> Mapping[str, Ending]:
    """Make calls, `jobs` at a time, in their order.

    The first Ctrl-C (or SIGTERM) is passed on to what goes on and starts nothing more; so is the second; the
    third kills. Signals are handled only if this runs in the main thread.

    Args:
        calls: of different names; functions that cannot be pickled are a bug.
        jobs: at least 1.
        watch: is shown every event.

    Returns:
        By name how each ended; ``unstarted`` where Ctrl-C came first.
    """
    assert jobs > 0
    assert len({call.name for call in calls}) == len(calls)
    if not calls:
        return {}
    start_forkserver(["mdl.studies.work"])
    with _presses() as presses:
        return _Crew(calls, jobs, watch, presses).work()


@dataclass
class _Process:
    """A call that goes on."""

    call: Call
    process: ForkServerProcess
    pipe: Connection
    told: Ending | None = None


class _Crew:
    def __init__(self, calls: Sequence[Call], jobs: int, watch: Watcher, presses: Callable[[], int]) -> None:
        self._waiting, self._jobs, self._watch, self._presses = deque(calls), jobs, watch, presses
        self._context = multiprocessing.get_context("forkserver")
        self._going: dict[Connection, _Process] = {}
        self._endings: dict[str, Ending] = {}
        self._heeded = 0

    def work(self) -> Mapping[str, Ending]:
        try:
            while self._waiting or self._going:
                self._heed_presses()
                while self._waiting and len(self._going) < self._jobs and not self._heeded:
                    self._start(self._waiting.popleft())
                for pipe in connection.wait(list(self._going), POLL_SECONDS):
                    assert isinstance(pipe, Connection)
                    self._read(self._going[pipe])
        finally:
            self._kill_all()  # only a bug of ours leaves any
        return self._endings

    def _heed_presses(self) -> None:
        while self._heeded < self._presses():
            self._heeded += 1
            if self._heeded > PATIENT_PRESSES:
                self._kill_all()
                continue
            self._watch(Event("", "stopping"))
            for each in self._going.values():
                with suppress(OSError):  # it has just ended
                    each.pipe.send_bytes(b"stop")
        if self._heeded:
            while self._waiting:
                self._ended(self._waiting.popleft().name, UNSTARTED)

    def _start(self, call: Call) -> None:
        ours, theirs = multiprocessing.Pipe()
        process = self._context.Process(target=enter, args=(theirs, call), name=f"mdl-{call.name}")
        process.start()
        theirs.close()
        self._going[ours] = _Process(call, process, ours)
        self._watch(Event(call.name, "started"))

    def _read(self, going: _Process) -> None:
        try:
            message = json.loads(going.pipe.recv_bytes())
        except (EOFError, OSError):
            self._bury(going)
            return
        if message.pop("kind") == "ended":
            going.told = Ending(**message)
        else:
            self._watch(Event(going.call.name, "progress", message))

    def _bury(self, going: _Process) -> None:
        del self._going[going.pipe]
        going.pipe.close()
        going.process.join()
        self._ended(going.call.name, going.told or self._obituary(going))
        _drop_empty(going.call.log)

    def _obituary(self, going: _Process) -> Ending:
        """Say how a process ended that could not say so itself."""
        # Ctrl-C in a terminal reaches a call that has no session of its own yet; it is heeded here later.
        if self._presses():
            return Ending("interrupted", "killed by the user")
        code = going.process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return Ending("failed", "\n".join([f"its process {how}", *_last_lines(going.call)]))

    def _ended(self, name: str, ending: Ending) -> None:
        self._endings[name] = ending
        self._watch(Event(name, "ended", ending=ending))

    def _kill_all(self) -> None:
        for each in self._going.values():
            # Its session's first process: what it has started in its group goes with it.
            with suppress(ProcessLookupError):
                assert each.process.pid is not None
                os.killpg(each.process.pid, signal.SIGKILL)


def _last_lines(call: Call) -> Sequence[str]:
    try:
        lines = call.log.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    return [f"  {line}" for line in lines[-LAST_LINES:]]


def _drop_empty(log: Path) -> None:
    if log.is_file() and not log.stat().st_size:
        log.unlink()


@contextmanager
def _presses() -> Iterator[Callable[[], int]]:
    """Count how often Ctrl-C is pressed, instead of raising KeyboardInterrupt."""
    count = 0

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal count
        count += 1

    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield lambda: count
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
