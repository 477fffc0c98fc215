"""What a person sees while a study goes on: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mdl.progress import human_seconds
from mdl.studies.processes import UNSTARTED, Event
from mdl.studies.tables import in_a_line

LINE_SECONDS: Final = 60.0
"""Where nothing ends for so long, a plain line tells how far the points that go on have come."""


class State:
    """How far a study has come, and how long the rest will take.

    Args:
        names: of the points, in their order.
        clock: gives seconds.
        noun: what a point is called.
    """

    def __init__(
        self, names: Sequence[str], clock: Callable[[], float] = time.monotonic, *, noun: str = "point"
    ) -> None:
        self._noun = noun
        self._clock, self._began = clock, clock()
        self.left = dict.fromkeys(names)
        self.going: dict[str, Mapping[str, Any]] = {}
        self.kept: list[str] = []
        self.ended: dict[str, str] = {}
        self.stopping = False

    def take(self, event: Event) -> None:
        """Take in an event."""
        match event.kind:
            case "kept":
                self.left.pop(event.name)
                self.kept.append(event.name)
            case "started":
                self.left.pop(event.name)
                self.going[event.name] = {}
            case "progress":
                self.going[event.name] = event.figures
            case "ended":
                assert event.ending is not None
                self.left.pop(event.name, None)
                self.going.pop(event.name, None)
                self.ended[event.name] = event.ending.status
            case "stopping":
                self.stopping = True

    @property
    def count(self) -> int:
        """Of all points."""
        return len(self.left) + len(self.going) + len(self.kept) + len(self.ended)

    @property
    def done(self) -> float:
        """How many points were done, parts of those that go on included; those of earlier sweeps are not."""
        shares = (float(each["epoch"] / each["epochs"]) for each in self.going.values() if each)
        return len(self.ended) + sum(shares)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self._clock() - self._began

    @property
    def seconds_left(self) -> float | None:
        """By the pace so far; None while there is none, and when all is done."""
        rest = self.count - len(self.kept) - self.done
        return self.seconds * rest / self.done if self.done and rest > 0 and not self.stopping else None

    def headline(self) -> str:
        """Say how many points are where."""
        statuses = list(self.ended.values())
        counts = {
            "done before": len(self.kept),
            "completed": statuses.count("completed"),
            "failed": statuses.count("failed"),
            "stopped": statuses.count("interrupted") + statuses.count("unstarted"),
            "running": len(self.going),
            "left": len(self.left),
        }
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        return f"{self.count} {self._noun}{'' if self.count == 1 else 's'}: {told}"

    def clockline(self) -> str:
        """Say how long it has taken, and how long the rest will take."""
        left = f", about {human_seconds(self.seconds_left)} left" if self.seconds_left is not None else ""
        stopping = "; stopping: runs end or are stopped (Ctrl-C again: at once)" if self.stopping else ""
        return f"{human_seconds(self.seconds)} so far{left}{stopping}"


class Lines(AbstractContextManager["Lines"]):
    """Plain lines, for logs and pipes: one for each point that ends, and one a minute where none does."""

    def __init__(self, console: Console, state: State) -> None:
        self._console, self._state, self._said = console, state, 0.0

    def __exit__(self, *_: object) -> None:
        """Nothing is left open: lines are written as they come."""

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self._state.take(event)
        if event.kind == "ended" and event.ending != UNSTARTED:
            self._say(f"{_obituary(event)}; {self._state.headline()}")
        elif event.kind == "stopping":
            self._say("stopping: runs end or are stopped")
        elif event.kind == "progress" and self._state.seconds - self._said > LINE_SECONDS:
            going = ", ".join(f"{name} {_epochs(figures)}" for name, figures in self._state.going.items())
            self._say(f"running: {going}")

    def _say(self, line: str) -> None:
        self._said = self._state.seconds
        left = self._state.seconds_left
        tail = f", about {human_seconds(left)} left" if left is not None else ""
        text = f"[{human_seconds(self._said)}] {line}{tail}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class LiveTable(AbstractContextManager["LiveTable"]):
    """A table that is redrawn as events come: the study on top, a line for each point that goes on."""

    def __init__(self, console: Console, state: State) -> None:
        self._state = state
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4, transient=True)

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take in one event; a failure is printed above the table, and stays on screen."""
        self._state.take(event)
        if event.ending is not None and event.ending.status == "failed":
            self._live.console.print(Text(_obituary(event), style="red"))

    def _draw(self) -> Group:
        state = self._state
        # A bar by itself does not end its line.
        completed = len(state.kept) + state.done
        bar = Padding(ProgressBar(total=max(state.count, 1), completed=completed, width=60))
        head = Text(state.headline(), style="bold")
        return Group(head, bar, self._going(), Text(state.clockline(), style="dim"))

    def _going(self) -> Table:
        table = Table(box=None, padding=(0, 2), show_edge=False)
        for name in ("running", "epoch", "test accuracy"):
            table.add_column(name, justify="left" if name == "running" else "right")
        for name, figures in self._state.going.items():
            accuracy = figures.get("accuracy")
            table.add_row(name, _epochs(figures), "-" if accuracy is None else f"{accuracy:.4f}")
        return table


def _epochs(figures: Mapping[str, Any]) -> str:
    return f"{figures['epoch']}/{figures['epochs']}" if "epoch" in figures else "starting"


def _obituary(event: Event) -> str:
    assert event.ending is not None
    reason = in_a_line(event.ending.reason)
    return f"{event.name} {event.ending.status}{f': {reason}' if event.ending.status == 'failed' else ''}"
