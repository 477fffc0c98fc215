"""Runs of a step: at least as many as asked for, fewer only where they take long."""

import gc

import pytest

from mdl.bench import clock
from mdl.bench.clock import best, timed, undisturbed


class Ticking:
    """A processor that spends a given time on each step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
        self.now, self.steps, self._seconds = 0.0, 0, seconds
        monkeypatch.setattr("mdl.bench.clock.time.process_time", lambda: self.now)

    def step(self) -> int:
        self.now += self._seconds[min(self.steps, len(self._seconds) - 1)]
        self.steps += 1
        return self.steps


def test_a_step_is_timed_and_gives_what_it_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timed(Ticking(monkeypatch, 0.5).step) == (1, 0.5)


def test_the_best_run_counts_and_an_earlier_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert best(Ticking(monkeypatch, 0.5, 0.25, 0.5).step, 3) == 0.25
    assert best(Ticking(monkeypatch, 0.5).step, 3, limit=0.125) == 0.125


def test_short_steps_are_repeated_until_they_have_taken_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "ENOUGH_SECONDS", 1.0)
    ticking = Ticking(monkeypatch, 1 / 64)
    best(ticking.step, 3)
    assert ticking.steps == 64


def test_long_steps_are_repeated_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    ticking = Ticking(monkeypatch, clock.BUDGET_SECONDS)
    best(ticking.step, 3)
    assert ticking.steps == 1


def test_the_garbage_collector_rests_while_something_is_measured() -> None:
    with undisturbed():
        assert not gc.isenabled()
    assert gc.isenabled()
