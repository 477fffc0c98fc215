"""A call in a process of its own: the way in, what it may tell, and how it is made to stop.

The process leads a session of its own, so that Ctrl-C in the terminal reaches the parent alone, which passes
it on: each message down the pipe is one Ctrl-C, and so is the pipe's end. A call whose parent died has some
time to end in order.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from mdl.errors import MdlError
from mdl.exits import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from mdl.forks import TERMINAL_SIGNALS

COMPLETED: Final = "completed"

Status: TypeAlias = Literal["completed", "failed", "interrupted", "unstarted"]

Report: TypeAlias = Callable[..., None]
"""What a call tells of its progress while it works: any figures that are JSON, by keyword."""

ORPHAN_SECONDS: Final = 15.0
"""How long a call whose parent died has to end in order before it is interrupted again, and then killed."""


@dataclass(frozen=True)
class Call:
    """A function to be called in a process of its own.

    It has done its work when it returns, has failed if it raises, and was stopped if it raises
    KeyboardInterrupt, as it will on Ctrl-C unless it handles that itself.

    Attributes:
        name: unlike any other that goes on at the same time.
        function: importable by its name; is given a `Report`, then `arguments`.
        arguments: by keyword; picklable.
        log: where what it prints goes; its folder is made if need be, and an empty log goes at the end.
    """

    name: str
    function: Callable[..., None]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    log: Path = Path(os.devnull)


@dataclass(frozen=True)
class Ending:
    """How a call ended, and why if it did not complete."""

    status: Status
    reason: str = ""


def enter(pipe: Connection, call: Call) -> None:
    """Make the call, and tell over `pipe` how it went."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINAL_SIGNALS)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _print_into(call.log)

    def report(**figures: Any) -> None:
        _send(pipe, {"kind": "progress", **figures})

    threading.Thread(target=_heed, args=(pipe,), name="heed-parent", daemon=True).start()
    ending = _make(call, report)
    _send(pipe, {"kind": "ended", "status": ending.status, "reason": ending.reason})
    sys.stdout.flush()
    sys.stderr.flush()
    codes = {"completed": EXIT_OK, "interrupted": EXIT_INTERRUPTED}
    raise SystemExit(codes.get(ending.status, EXIT_FAILED))


def _make(call: Call, report: Report) -> Ending:
    try:
        call.function(report, **call.arguments)
    except KeyboardInterrupt:
        return Ending("interrupted", "stopped by the user")
    except MdlError as error:
        return Ending("failed", f"{type(error).__name__}: {error}")
    except Exception as error:
        traceback.print_exc()
        return Ending("failed", f"{type(error).__name__}: {error} (its traceback is in {call.log})")
    return Ending("completed")


def _send(pipe: Connection, message: Mapping[str, Any]) -> None:
    with suppress(OSError):  # the parent is gone, and whoever heeds the pipe knows
        pipe.send_bytes(json.dumps(message).encode())


def _heed(pipe: Connection) -> None:
    """Pass the parent's word on to the main thread; when the parent is gone, see to it that this ends too."""
    try:
        while True:
            pipe.recv_bytes()
            _interrupt()
    except (EOFError, OSError):
        pass
    for _ in range(2):
        _interrupt()
        time.sleep(ORPHAN_SECONDS)
    os.killpg(0, signal.SIGKILL)


def _interrupt() -> None:
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def _print_into(log: Path) -> None:
    """Send what this process prints to a file: the terminal shows the whole study."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab", buffering=0) as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
