"""CPU time of this process, undisturbed."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import numpy as np

R = TypeVar("R")

ENOUGH_SECONDS: Final = 0.2
"""Short steps are repeated beyond the runs asked for, until they have taken so long."""

BUDGET_SECONDS: Final = 4.0
"""Long steps are repeated less often than asked for: no further run begins after so long."""

_LARGE_BYTES: Final = 31 << 20
"""Just below what glibc's threshold grows to (mallopt(3), M_MMAP_THRESHOLD)."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold the garbage collector off, and keep freed memory in the process."""
    collecting = gc.isenabled()
    gc.collect()
    # Once glibc has freed a large array, it hands none of that size back to the system: every call would
    # fault its pages in again, or not, as earlier measurements happen to have left it.
    np.ones(_LARGE_BYTES, np.uint8)
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def timed(step: Callable[[], R]) -> tuple[R, float]:
    """Give what a step gives, and its CPU seconds: of all threads, so that none works unseen."""
    start = time.process_time()
    result = step()
    return result, time.process_time() - start


def best(step: Callable[[], object], runs: int, limit: float = float("inf")) -> float:
    """Give the least CPU seconds of some runs of a step, and of an earlier one that took `limit`."""
    least, spent, count = limit, 0.0, 0
    while spent < BUDGET_SECONDS and (count < runs or spent < ENOUGH_SECONDS):
        seconds = timed(step)[1]
        least, spent, count = min(least, seconds), spent + seconds, count + 1
    return least
