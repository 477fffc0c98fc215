"""Other processes' clocks, and the most they had in memory."""

import multiprocessing
import time
from multiprocessing.synchronize import Event

from mdl.bench.processes import parties

BALLAST = 64 << 20


def busy(ready: Event, done: Event) -> None:
    ballast = b"x" * BALLAST
    while time.process_time() < 0.3:
        pass
    ready.set()
    done.wait()
    assert ballast


def parent(ready: Event, done: Event) -> None:
    child = multiprocessing.get_context("fork").Process(target=busy, args=(ready, done))
    child.start()
    child.join()


def test_a_party_is_read_with_the_processes_below_it_and_others_are_not() -> None:
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    party = context.Process(target=parent, args=(ready, done), name="mdl-3")
    other = context.Process(target=done.wait, name="other")
    party.start()
    other.start()
    ready.wait()
    read = parties()
    done.set()
    party.join()
    other.join()
    assert list(read) == [3]
    assert 0.3 <= read[3].cpu_seconds < 5
    assert read[3].peak_bytes > BALLAST
    assert parties() == {}
