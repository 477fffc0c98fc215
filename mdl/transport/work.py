"""Where a party's time goes: its one thread, and the clock of its waits."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from mdl.ledger import Ledger

R = TypeVar("R")


class OwnThread:
    """One thread for what blocks and may not run twice at once: the learner.

    Args:
        name: of the thread.
        ledger: where the seconds are counted.
    """

    def __init__(self, name: str, ledger: Ledger) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._ledger = ledger
        self._jobs: set[Future[Any]] = set()

    async def run(
        self, activity: str, fn: Callable[[], R], *, waited: Callable[[], float] | None = None
    ) -> R:
        """Run `fn` when its turn comes; the time it then takes counts as `activity`.

        Cancelling does not stop a function that has begun; the next one waits for its end all the same.

        Args:
            activity: what it does.
            fn: to be run.
            waited: says at its end for how many of these seconds it has waited for others: they count as
                *waiting* instead.
        """
        loop = asyncio.get_running_loop()

        def work() -> R:
            start = time.perf_counter()
            try:
                return fn()
            finally:
                # The ledger belongs to the loop's thread, where this arrives before the result does.
                seconds = time.perf_counter() - start
                if waited is not None:
                    loop.call_soon_threadsafe(self._ledger.spend, "waiting", waited())
                    seconds -= waited()
                loop.call_soon_threadsafe(self._ledger.spend, activity, seconds)

        job = self._executor.submit(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return await asyncio.wrap_future(job)

    async def close(self) -> None:
        """End the thread after the function that runs; those whose turn has not come are cancelled."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        while running := [asyncio.wrap_future(job) for job in list(self._jobs)]:
            await asyncio.wait(running)
        # Nothing runs any more, so this does not block.
        self._executor.shutdown(wait=True)


class WaitingClock:
    """Counts the time in which at least one receive waits; where several do, once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waits = 0
        self._since = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Be one of those who wait."""
        if self._waits == 0:
            self._since = time.perf_counter()
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
            if self._waits == 0:
                self._ledger.spend("waiting", time.perf_counter() - self._since)
