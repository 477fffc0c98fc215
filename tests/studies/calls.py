"""What processes are given to do in these tests: importable by name, as they must be."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mdl.errors import MdlError
from mdl.forks import TERMINAL_SIGNALS
from mdl.studies.entry import Report


def write(report: Report, path: Path, text: str = "done") -> None:
    report(epoch=1, epochs=1)
    path.write_text(text)


def refuse(_report: Report) -> None:
    raise MdlError("there is no such thing")


def stumble(_report: Report) -> None:
    raise ZeroDivisionError("by nought")


def tell_blocked(report: Report) -> None:
    """Tell how many of a terminal's signals would not arrive."""
    report(blocked=len(signal.pthread_sigmask(signal.SIG_BLOCK, []) & TERMINAL_SIGNALS))


def die(_report: Report) -> None:
    print("about to die", flush=True)  # noqa: T201
    os.kill(os.getpid(), signal.SIGKILL)


def press(_report: Report, times: int) -> None:
    """Press Ctrl-C in the parent, and wait to be stopped."""
    for _ in range(times):
        os.kill(parent(), signal.SIGINT)
        time.sleep(0.5)
    time.sleep(30)


def press_and_ignore(_report: Report, times: int) -> None:
    """Press Ctrl-C in the parent, and refuse to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    press(_report, times)


def parent() -> int:
    """The process that made the call: the forkserver's parent."""
    forkserver = os.getppid()
    fields = Path(f"/proc/{forkserver}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


def square(number: int) -> Mapping[str, Any]:
    return {"square": number * number, "process": os.getpid()}


def half(number: int) -> Mapping[str, Any]:
    if number % 2:
        raise MdlError(f"{number} is odd")
    return {"half": number // 2}
