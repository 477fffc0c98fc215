"""The processes that do a party's cryptography.

They start clean (*spawn*): without the party's memory, threads and sockets, and without whatever its main
module imports. They never outlive it.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection, parent_process, process
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def crypto_pool(processes: int) -> ProcessPoolExecutor:
    """Make a pool of one party's own; a process starts when there is work for it.

    A party never shares its pool: that would mix its secrets with another's. Functions are found by their
    module's name, so one defined in a main module cannot be run.
    """
    assert processes > 0
    return ProcessPoolExecutor(processes, mp_context=_CleanContext(), initializer=_settle)


def timed(fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> tuple[R, float]:
    """Call `fn`; give its result and the wall-clock seconds it took, without those spent in a queue."""
    start = time.perf_counter()
    result = fn(*args, **kwargs)
    return result, time.perf_counter() - start


class _CleanProcess(SpawnProcess):
    """A spawned process that is not told of our main module.

    Otherwise it would import it again, and with it what only the party needs: torch, most of all, which would
    cost each process seconds and hundreds of megabytes.
    """

    @staticmethod
    def _Popen(process_obj: process.BaseProcess) -> Any:  # noqa: N802 - multiprocessing's name
        with _blank_main():
            return SpawnProcess._Popen(process_obj)


class _CleanContext(SpawnContext):
    """The *spawn* context with such processes."""

    Process = _CleanProcess


@contextmanager
def _blank_main() -> Iterator[None]:
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _settle() -> None:
    """Prepare a pool process: it ends with its parent, and by nothing else."""
    # Ctrl-C reaches every process of the terminal; it is the party that decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    # The sentinel is a pipe whose other end only the parent holds: it closes however the parent dies.
    connection.wait([parent.sentinel])
    os._exit(1)
