"""The process that imports torch once, for all that are forked from it."""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from typing import Final

_MEMORY: Final[Mapping[str, str]] = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # the most that glibc takes
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}
"""mallopt(3): parties keep what they free. A step of training makes and frees the same large tensors each
time, and to hand their pages back and fault them in again took up to a tenth of the time (network C in
secret: 14,000 faults a step, with these 1,000). Who has set a variable keeps it."""


TERMINAL_SIGNALS: Final = frozenset({signal.SIGINT, signal.SIGHUP})
"""What a terminal sends to all processes in it: at Ctrl-C, and when it is closed."""


def start_forkserver(preload: Sequence[str]) -> None:
    """Start the forkserver, if it does not run yet.

    Ctrl-C reaches all processes of a terminal, and the forkserver would die of it while it imports; so does
    the terminal's end. Both are therefore blocked there, and in the forks until they say otherwise: they are
    for whoever starts this to act upon. What comes meanwhile waits here.

    Args:
        preload: modules that it imports at its start.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(preload))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL_SIGNALS)
    try:
        # By itself, as it unblocks Ctrl-C, and else the forkserver's start would include its own.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL_SIGNALS)
        with _told(_MEMORY):
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _told(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables that are not set, for the processes that are started meanwhile."""
    missing = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]
