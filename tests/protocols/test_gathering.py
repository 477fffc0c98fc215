"""Errands run at once: who fails to answer is left out, and who fails otherwise takes all with it."""

import asyncio
import gc

import pytest

from mdl.errors import InvalidShare, PeerLeft
from mdl.protocols.gathering import each
from mdl.simulator.loop import VirtualLoop


async def gives(value: int, after: float = 0.0) -> int:
    await asyncio.sleep(after)
    return value


async def fails(error: Exception) -> int:
    raise error


async def test_who_left_or_is_late_is_absent_from_the_results() -> None:
    left = fails(PeerLeft("gone", [2]))
    assert await each({1: gives(10), 2: left, 3: gives(30, after=5.0)}, within=0.05) == {1: 10}


async def test_any_other_error_ends_them_all() -> None:
    with pytest.raises(InvalidShare):
        await each({1: fails(InvalidShare("wrong", [1])), 2: gives(20, after=5.0)})


def test_whenever_it_is_cancelled_no_errand_is_left_unbegun() -> None:
    """A task that is cancelled before its first step never awaits its errand: Python warns of that."""

    async def ask() -> None:
        await each({worker: gives(worker, after=5.0) for worker in range(1, 5)})

    async def story() -> None:
        asking = asyncio.ensure_future(ask())
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    for schedule in range(30):
        loop = VirtualLoop(schedule)
        try:
            loop.run_until_complete(story())
        finally:
            loop.close()
    gc.collect()
