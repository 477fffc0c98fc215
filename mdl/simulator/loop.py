"""An asyncio event loop with a clock of its own.

Time stands still while anything can run, and jumps to the next timer when nothing can. Callbacks that are
ready together run in an order drawn from a seed, so one seed is one schedule and many seeds are many.
"""

import asyncio
import random
from collections import deque
from typing import Any

from mdl.errors import MdlError


class Deadlock(MdlError):
    """No party can go on: nothing is ready and no timer is set. The text says who waits for what."""


class _Clock:
    """Stands where the loop expects its selector. There are no files: to select is to let time pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Deadlock("nothing is ready, and no timer is set")
        self.now += timeout
        return []

    def close(self) -> None:
        """Nothing to close."""


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop. Everything of asyncio that needs no file works in it: tasks, futures, queues, time-outs.

    Args:
        seed: of the order of callbacks; None for asyncio's own, first come, first served.
    """

    def __init__(self, seed: int | None) -> None:
        super().__init__()
        self._selector = _Clock()
        self._order = None if seed is None else random.Random(seed)  # noqa: S311 - schedules are no secrets

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._selector.now

    def _run_once(self) -> None:
        if self._order is not None:
            ready = list(self._ready)
            self._order.shuffle(ready)
            self._ready: deque[Any] = deque(ready)
        super()._run_once()  # type: ignore[misc]  # private to asyncio, and stable since 3.4

    def _process_events(self, event_list: list[Any]) -> None:
        assert not event_list

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody need be woken."""
