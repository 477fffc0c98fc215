"""What a person sees of a run: lines in a pipe, a table on a terminal."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mdl.config import Experiment, parse
from mdl.progress import Lines, LiveTable, State, human_bytes, human_seconds, sent_before

Show = Callable[[Mapping[str, Any]], object]


def experiment(
    *, workers: int = 3, epochs: int = 2, evaluate_every: int = 1, system: Mapping[str, Any] | None = None
) -> Experiment:
    chosen = system or {"type": "coordinated", "threshold": 3}
    head = {"name": "made-up", "workers": workers, "epochs": epochs, "evaluate_every": evaluate_every}
    return parse({**head, "system": chosen})


def an_epoch(show: Show, epoch: int, *, workers: int = 3) -> None:
    """Show the events of an epoch."""
    for worker in range(1, workers + 1):
        show({"kind": "trained", "party": worker, "epoch": epoch, "loss": 1.5, "examples": 10})
        traffic = {"Upload": {"messages": 1, "size_bytes": 1000}}
        show({"kind": "ledger", "entry": {"party": worker, "epoch": epoch, "sent": traffic}})
    show({"kind": "epoch", "party": 0, "epoch": epoch, "opened": 8, "missed": 0, "present": 3})
    show({"kind": "evaluated", "party": 0, "epoch": epoch, "model": "global", "loss": 1.0, "accuracy": 0.75})


def lines_of(*epochs: int, before: Mapping[str, Any] | None = None) -> list[str]:
    output = io.StringIO()
    with Lines(Console(file=output, width=40), State(experiment())) as lines:
        if before:
            lines(before)
        for epoch in epochs:
            an_epoch(lines, epoch)
    return output.getvalue().splitlines()


def test_each_epoch_gives_one_line_with_what_matters() -> None:
    [first, second] = lines_of(1, 2)
    assert "epoch 1/2, test accuracy 0.7500, training loss 1.5000, 3 kB sent" in first
    assert "epoch 2/2" in second
    assert "6 kB sent" in second


def test_what_goes_on_before_the_first_epoch_is_said() -> None:
    [line] = lines_of(before={"kind": "starting", "what": "reading the data set"})
    assert line.endswith("s] reading the data set")


def test_an_interruption_is_said() -> None:
    [line] = lines_of(before={"kind": "stopping"})
    assert "stopping" in line


def test_who_left_is_said_and_brackets_are_no_markup() -> None:
    left = {"kind": "left", "party": 0, "epoch": 1, "worker": 2, "how": "it died [red]in epoch 1"}
    [line] = lines_of(before=left)
    assert line.endswith("worker 2 left: it died [red]in epoch 1")


ALONE = {"type": "standalone"}


def by_itself(
    show: Show, worker: int, epoch: int, *, loss: float = 1.0, accuracy: float = 0.5, scored: bool = True
) -> list[object]:
    """Show the events of an epoch of a party without a manager, in the order in which they come."""
    traffic = {"Average": {"messages": 1, "size_bytes": 1000}}
    events: list[Mapping[str, Any]] = [
        {"kind": "trained", "party": worker, "epoch": epoch, "loss": loss},
        {"kind": "done", "party": worker, "epoch": epoch},
        {"kind": "ledger", "entry": {"party": worker, "epoch": epoch, "sent": traffic}},
        {"kind": "evaluated", "party": worker, "epoch": epoch, "model": "own", "accuracy": accuracy},
    ]
    return [show(event) for event in (events if scored else events[:-1])]


def test_without_a_manager_an_epoch_ends_when_the_last_worker_is_scored() -> None:
    state = State(experiment(system=ALONE))
    ends = [by_itself(state.take, worker, 1) for worker in (1, 2, 3)]
    assert ends == [[False] * 4, [False] * 4, [False, False, False, True]]


def test_without_a_manager_nothing_is_waited_for_that_is_not_due() -> None:
    state = State(experiment(system=ALONE, evaluate_every=0))
    assert [by_itself(state.take, worker, 1)[2] for worker in (1, 2, 3)] == [False, False, True]
    assert [by_itself(state.take, worker, 2)[3] for worker in (1, 2, 3)] == [False, False, True]


def test_without_a_manager_one_that_left_holds_nobody_up() -> None:
    state = State(experiment(system=ALONE))
    by_itself(state.take, 1, 1)
    assert not by_itself(state.take, 2, 1)[-1]
    assert state.take({"kind": "left", "party": 0, "epoch": 0, "worker": 3, "how": "it was killed"})
    assert state.epoch == 1


def test_a_line_is_of_all_parties_epoch_even_where_some_are_ahead() -> None:
    output = io.StringIO()
    with Lines(Console(file=output, width=40), State(experiment(system=ALONE))) as lines:
        by_itself(lines, 1, 1, loss=3.0, accuracy=0.25)
        by_itself(lines, 1, 2, loss=9.0, accuracy=0.75)
        by_itself(lines, 2, 1, loss=2.0, accuracy=0.5)
        by_itself(lines, 3, 1, loss=1.0, accuracy=0.75)
    [line] = output.getvalue().splitlines()
    assert "epoch 1/2, test accuracy 0.5000 (mean of own models), training loss 2.0000, 4 kB" in line


def test_a_score_of_an_earlier_epoch_is_not_put_beside_a_later_one() -> None:
    state = State(experiment(epochs=4, evaluate_every=2, system=ALONE))
    lines = []
    for epoch in (1, 2, 3):
        for worker in (1, 2, 3):
            by_itself(state.take, worker, epoch, scored=epoch == 2)
        lines.append(state.line())
    assert ["accuracy" in line for line in lines] == [False, True, False]
    assert state.accuracy == 0.5


def test_a_run_that_goes_on_shows_no_epoch_of_before() -> None:
    state = State(experiment(epochs=6, system=ALONE))
    ends = [by_itself(state.take, worker, 4) for worker in (1, 2, 3)]
    assert [worker.index(True) if True in worker else None for worker in ends] == [None, None, 3]
    assert state.epoch == 4


def test_a_common_model_without_a_manager_is_nobodys_own() -> None:
    state = State(experiment(system=ALONE))
    state.take({"kind": "evaluated", "party": 1, "epoch": 1, "model": "global", "accuracy": 0.5})
    ends = [
        state.take({"kind": "ledger", "entry": {"party": worker, "epoch": 1, "sent": {}}})
        for worker in (1, 2, 3)
    ]
    assert ends == [False, False, True]
    assert state.score == "test accuracy 0.5000"


def test_what_was_sent_before_a_run_goes_on_counts_up_to_where_it_goes_on(tmp_path: Path) -> None:
    assert sent_before(tmp_path, {1: 2}) == 0
    entries = [
        {"party": party, "epoch": epoch, "sent": {"Upload": {"messages": 1, "size_bytes": size}}}
        for party, epoch, size in ((1, 1, 1), (1, 2, 10), (1, 3, 100), (2, 2, 1000))
    ]
    lines = [json.dumps(entry) for entry in entries]
    (tmp_path / "ledger.jsonl").write_text("\n".join([*lines, '{"party": 1, "epo']))
    assert sent_before(tmp_path, {1: 2, 2: 1}) == 11
    assert "11 B sent" in State(experiment(), size_bytes=11).line()


def at_their_own_pace(show: Show) -> None:
    for worker, epoch in ((1, 3), (2, 1), (3, 7)):
        show({"kind": "trained", "party": worker, "epoch": epoch, "loss": 1.0 * worker})
        show({"kind": "done", "party": worker, "epoch": epoch})
    show({"kind": "evaluated", "party": 0, "epoch": 1, "model": "global", "loss": 1.0, "accuracy": 0.75})


def test_workers_at_their_own_pace_count_beside_the_epochs_of_the_run() -> None:
    output = io.StringIO()
    found = experiment(system={"type": "dynamic", "threshold": 3})
    with Lines(Console(file=output, width=40), State(found)) as lines:
        at_their_own_pace(lines)
    [line] = output.getvalue().splitlines()
    assert "epoch 1/2 (workers' own 1-7), test accuracy 0.7500, training loss 2.0000" in line


def test_the_live_table_tells_own_epochs_from_those_of_the_run() -> None:
    output = io.StringIO()
    console = Console(file=output, width=80, height=30, force_terminal=True, color_system=None)
    with LiveTable(console, State(experiment(system={"type": "dynamic", "threshold": 3}))) as table:
        at_their_own_pace(table)
    assert "made-up  epoch 1/2 (workers' own 1-7)" in output.getvalue()
    assert "own epoch" in output.getvalue()
    assert "own epoch" not in drawn()


def test_a_model_on_all_data_is_one_of_those_whose_epochs_are_waited_for() -> None:
    state = State(experiment(workers=2, system={"type": "standalone", "pooled": True}))
    for party in (1, 2):
        assert not any(by_itself(state.take, party, 1))
    state.take({"kind": "trained", "party": 0, "epoch": 1, "loss": 7.0})
    state.take({"kind": "evaluated", "party": 0, "epoch": 1, "model": "pooled", "accuracy": 0.75})
    assert state.take({"kind": "ledger", "entry": {"party": 0, "epoch": 1, "sent": {}}})
    assert "test accuracy 0.7500, training loss 1.0000" in state.line()


def test_the_time_left_follows_from_the_pace_and_is_unknown_at_first() -> None:
    state, left = State(experiment(epochs=10)), []
    for epoch in (1, 2, 10):
        an_epoch(state.take, epoch)
        left.append(state.seconds_left)
    assert left[0] is None
    assert left[1] is not None
    assert left[1] >= 0
    assert left[2] is None


def drawn(workers: int = 3, *, height: int = 30, epochs: int = 1, **keys: Any) -> str:
    """The live table after so many epochs, as text."""
    output = io.StringIO()
    console = Console(file=output, width=80, height=height, force_terminal=True, color_system=None)
    with LiveTable(console, State(experiment(workers=workers, **keys))) as table:
        for epoch in range(1, epochs + 1):
            an_epoch(table, epoch, workers=workers)
        table({"kind": "left", "party": 0, "epoch": epochs, "worker": 2, "how": "it was killed"})
    return output.getvalue()


def test_the_live_table_shows_the_run_and_every_worker() -> None:
    text = drawn()
    assert "made-up  epoch 1/2   test accuracy 0.7500" in text
    assert "worker 2 left: it was killed" in text
    assert "3 kB sent" in text
    assert all(len(line) <= 200 for line in text.splitlines())


def test_the_bar_has_a_line_of_its_own() -> None:
    last = drawn().rpartition("made-up")[2].splitlines()
    assert "worker" in last[2]
    assert "worker" not in last[1]


def test_more_workers_than_lines_are_counted() -> None:
    text = drawn(workers=20, height=16)
    assert "+10" in text
    assert "not shown" in text


def test_a_manager_that_trains_on_all_data_has_a_row_too() -> None:
    output = io.StringIO()
    console = Console(file=output, width=80, height=30, force_terminal=True, color_system=None)
    chosen = {"type": "standalone", "pooled": True}
    with LiveTable(console, State(experiment(system=chosen))) as table:
        table({"kind": "trained", "party": 0, "epoch": 1, "loss": 0.5})
    assert "pooled" in output.getvalue()


def test_a_dealer_is_called_so() -> None:
    output = io.StringIO()
    console = Console(file=output, width=80, height=30, force_terminal=True, color_system=None)
    chosen = {"type": "quantised-mpc", "security": "dealer"}
    with LiveTable(console, State(experiment(system=chosen))) as table:
        table({"kind": "trained", "party": 0, "epoch": 1})
    assert "dealer" in output.getvalue()
    assert "pooled" not in output.getvalue()


def test_a_simulation_shows_its_own_time_and_no_bytes_that_it_has_not_counted() -> None:
    output = io.StringIO()
    with Lines(Console(file=output, width=80), State(experiment(), simulated=True)) as lines:
        scored = {"kind": "evaluated", "party": 0, "epoch": 1, "model": "global", "accuracy": 0.75}
        lines({**scored, "seconds": 125.0})
    assert "epoch 1/2, test accuracy 0.7500, simulated time 2 min 05 s" in output.getvalue()


def test_a_worker_that_comes_back_is_no_longer_shown_as_gone() -> None:
    state = State(experiment())
    state.take({"kind": "left", "party": 0, "epoch": 0, "worker": 3, "how": "it was killed"})
    assert state.workers[3]["state"] == "left"
    state.take({"kind": "trained", "party": 3, "epoch": 1, "loss": 1.0})
    assert state.workers[3]["state"] == ""


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (65592, "65.6 kB"), (7.46e6, "7.46 MB"), (2e9, "2 GB")],
)
def test_sizes_are_written_with_three_digits(size: float, text: str) -> None:
    assert human_bytes(size) == text


def test_a_size_near_the_next_unit_is_not_written_with_an_exponent() -> None:
    assert human_bytes(999_900) == "1 MB"
    assert human_bytes(5e15) == "5000 TB"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (61, "1 min 01 s"), (3725, "1 h 02 min")],
)
def test_durations_are_written_as_a_person_would(seconds: float, text: str) -> None:
    assert human_seconds(seconds) == text


def test_within_a_long_epoch_steps_are_told_and_how_long_the_rest_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("mdl.progress.time.monotonic", lambda: now)
    output = io.StringIO()
    mpc = experiment(system={"type": "quantised-mpc"})
    with Lines(Console(file=output, width=200), State(mpc)) as lines:
        for step in (20, 40, 60, 80):
            now += 20.0
            lines({"kind": "step", "party": 1, "epoch": 1, "step": step, "steps": 100})
    # 20 steps in 20 seconds; of two epochs of 100 steps 160 and 120 are left.
    assert output.getvalue().splitlines() == [
        "[40.0 s] epoch 1: step 40 of 100, 2 min 40 s left",
        "[1 min 20 s] epoch 1: step 80 of 100, 2 min 00 s left",
    ]


@pytest.mark.parametrize("evaluate_every", [0, 1])
def test_a_dealer_who_has_no_model_to_be_scored_holds_no_line_up(evaluate_every: int) -> None:
    state = State(experiment(workers=2, evaluate_every=evaluate_every, system={"type": "mutual"}))
    reached = []
    for epoch in (1, 2):
        state.take({"kind": "done", "party": 0, "epoch": epoch})
        state.take({"kind": "ledger", "entry": {"party": 0, "epoch": epoch, "sent": {}}})
        for worker in (1, 2):
            by_itself(state.take, worker, epoch)
        reached.append(state.epoch)
    assert reached == [1, 2]
