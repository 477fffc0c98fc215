"""The process that imports torch once, for all that are forked from it."""

import multiprocessing
import signal
from collections.abc import Sequence
from multiprocessing import forkserver, resource_tracker


def start_forkserver(preload: Sequence[str]) -> None:
    """Start the forkserver, if it does not run yet.

    Ctrl-C reaches all processes of a terminal, and the forkserver would die of it while it imports. It is
    therefore blocked there, and in the forks until they say otherwise. What is pressed meanwhile waits here.

    Args:
        preload: modules that it imports at its start.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(preload))
    resource_tracker.ensure_running()  # else the forkserver's start includes its own, which unblocks signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
