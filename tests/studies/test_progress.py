import io

from rich.console import Console

from mdl.studies.entry import Ending
from mdl.studies.processes import UNSTARTED, Event
from mdl.studies.progress import LINE_SECONDS, Lines, LiveTable, State

COMPLETED, FAILED = Ending("completed"), Ending("failed", "it broke\nand more")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def state_of(*names: str) -> tuple[State, Clock]:
    clock = Clock()
    return State(names, clock), clock


def left(state: State) -> float | None:
    return state.seconds_left


def progress(name: str, epoch: int) -> Event:
    return Event(name, "progress", {"epoch": epoch, "epochs": 10, "accuracy": 0.25})


def test_the_rest_takes_as_long_as_the_pace_so_far_says() -> None:
    state, clock = state_of("a", "b", "c", "d")
    state.take(Event("a", "kept", ending=COMPLETED))
    state.take(Event("b", "started"))
    assert left(state) is None
    clock.now = 10.0
    state.take(progress("b", 5))
    assert left(state) == 50.0  # half a point took 10 s, and two and a half are left
    state.take(Event("b", "ended", ending=COMPLETED))
    clock.now = 20.0
    assert left(state) == 40.0
    for name in ("c", "d"):
        state.take(Event(name, "started"))
        state.take(Event(name, "ended", ending=COMPLETED))
    assert left(state) is None


def test_the_headline_counts_every_point_once() -> None:
    state, _ = state_of(*"abcdef")
    state.take(Event("a", "kept", ending=COMPLETED))
    for name, ending in (("b", COMPLETED), ("c", FAILED)):
        state.take(Event(name, "started"))
        state.take(Event(name, "ended", ending=ending))
    state.take(Event("d", "started"))
    assert state.headline() == "6 points: 1 done before, 1 completed, 1 failed, 1 running, 2 left"
    state.take(Event("", "stopping"))
    state.take(Event("e", "ended", ending=UNSTARTED))
    assert state.headline() == "6 points: 1 done before, 1 completed, 1 failed, 1 stopped, 1 running, 1 left"
    assert "stopping" in state.clockline()


def shown(lines: type[Lines] | type[LiveTable], state: State, *events: Event) -> str:
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=False)
    with lines(console, state) as display:
        for event in events:
            display(event)
    return file.getvalue()


def test_a_plain_line_tells_of_every_end_and_why_a_point_failed() -> None:
    state, _ = state_of("a", "b", "c")
    text = shown(
        Lines,
        state,
        Event("a", "started"),
        Event("a", "ended", ending=COMPLETED),
        Event("b", "started"),
        Event("b", "ended", ending=FAILED),
        Event("c", "ended", ending=UNSTARTED),
    )
    assert text.splitlines() == [
        "[0.0 s] a completed; 3 points: 1 completed, 2 left, about 0.0 s left",
        "[0.0 s] b failed: it broke; 3 points: 1 completed, 1 failed, 1 left, about 0.0 s left",
    ]


def test_points_are_called_as_the_command_calls_them() -> None:
    assert State(["a", "b"], noun="experiment").headline() == "2 experiments: 2 left"
    assert State(["a"], noun="run").headline() == "1 run: 1 left"


def test_a_plain_line_a_minute_tells_how_far_long_runs_are() -> None:
    state, clock = state_of("a")
    file = io.StringIO()
    lines = Lines(Console(file=file, width=100), state)
    for epoch in range(10):
        clock.now = epoch * LINE_SECONDS * 0.6
        lines(Event("a", "started") if not epoch else progress("a", epoch))
    assert [line.partition("]")[2] for line in file.getvalue().splitlines()][:2] == [
        " running: a 2/10, about 4 min 48 s left",
        " running: a 4/10, about 3 min 36 s left",
    ]


def test_a_failure_stays_on_the_screen_above_the_live_table() -> None:
    state, _ = state_of("a", "b")
    text = shown(
        LiveTable, state, Event("a", "started"), progress("a", 3), Event("a", "ended", ending=FAILED)
    )
    assert "a failed: it broke" in text
