"""What a person sees while a run goes on: a live table on a terminal, plain lines elsewhere."""

import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mdl import folder as files
from mdl.budget import Budget
from mdl.config import Experiment
from mdl.errors import party_name
from mdl.party import MANAGER, PartyId

_OTHER_LINES: Final = 6
"""Of the live table: head, bar, column names, what is not shown, foot, and the cursor's."""


class State:
    """What there is to show: the latest of everything, and how long the rest will take.

    The epoch shown is the whole run's: the manager's, or without one the slowest party's. It ends when the
    manager has scored the model, or without one when all parties that are there are through with it. Workers
    at their own pace count theirs apart.

    Args:
        experiment: what is run.
        simulated: whether events carry virtual seconds.
        size_bytes: what a run that goes on has sent before.
    """

    def __init__(self, experiment: Experiment, *, simulated: bool = False, size_bytes: int = 0) -> None:
        self.experiment = experiment
        self.virtual_seconds = 0.0 if simulated else None
        self.began = time.monotonic()
        self.stage = "starting"
        self.epoch = 0
        self._reached = 0.0
        self._first: tuple[float, float] | None = None
        self.accuracy: float | None = None
        self.size_bytes = size_bytes
        self.budget = Budget(experiment)
        self.workers: dict[int, dict[str, Any]] = {
            worker: _nothing_yet() for worker in range(1, experiment.workers + 1)
        }
        self._led = experiment.led
        self.own_pace = self._led and experiment.system.own_pace
        self._scored = 0
        self._own_models = not self._led
        self._losses: dict[int, dict[PartyId, float]] = {}
        self._scores: dict[int, dict[PartyId, float]] = {}
        self._through = {
            # Who is linked with the workers, and does not lead, has no model to be scored: a dealer, say.
            party: _Through(scored_too=party != MANAGER or not experiment.linked)
            for party in experiment.system.roster(experiment.workers)
        }

    def take(self, event: Mapping[str, Any]) -> bool:
        """Take in an event; say whether it ends an epoch of the whole run."""
        if self.virtual_seconds is not None:
            self.virtual_seconds = event.get("seconds", self.virtual_seconds)
        self.budget.recorded(event)
        match event["kind"]:
            case "starting":
                self.stage = event["what"]
            case "stopping":
                self.stage = "stopping: parties finish or are stopped"
            case "ledger":
                entry = event["entry"]
                self.size_bytes += _sent(entry)
                if self.virtual_seconds is None:
                    return self._through[entry["party"]].ends(entry["epoch"]) and self._slowest_ends()
            case "step":
                self._came(event["epoch"] - 1 + event["step"] / event["steps"])
                self.stage = f"epoch {event['epoch']}: step {event['step']:,} of {event['steps']:,}"
            case "trained":
                self.stage = "training"
                self._row(event["party"]).update(epoch=event["epoch"], loss=event.get("loss"), state="")
                if event["party"] != MANAGER and event.get("loss") is not None:
                    self._losses.setdefault(event["epoch"], {})[event["party"]] = event["loss"]
            case "left":
                self._row(event["worker"])["state"] = "left"
                return self._slowest_ends()
            case "evaluated" if self._led:
                if event["model"] == "global":
                    self.accuracy, self._scored = event["accuracy"], event["epoch"]
                    return self._epoch_ends(event["epoch"])
            case "evaluated" if event["model"] != "alone":
                self._own_models &= event["model"] == "own"
                self._scores.setdefault(event["epoch"], {})[event["party"]] = event["accuracy"]
                # A common model is scored by one, for all.
                for party in [event["party"]] if event["model"] != "global" else list(self._through):
                    self._through[party].scored = event["epoch"]
                return self._slowest_ends()
            case "done" if self.virtual_seconds is not None:  # else its ledger follows, with the bytes
                return self._through[event["party"]].ends(event["epoch"]) and self._slowest_ends()
        return False

    def _row(self, party: PartyId) -> dict[str, Any]:
        """A manager that trains a model of its own (on the pooled data) has a row too."""
        return self.workers.setdefault(party, _nothing_yet())

    def _slowest_ends(self) -> bool:
        if self._led:
            return False
        here = [
            found.epoch(self.experiment)
            for party, found in self._through.items()
            if self.workers.get(party, {}).get("state") != "left"
        ]
        return self._epoch_ends(min(here, default=0))

    def _epoch_ends(self, epoch: int) -> bool:
        if epoch <= self.epoch:
            return False
        self.epoch = epoch
        self._came(epoch)
        if scores := self._scores.get(epoch):
            pooled = scores.get(MANAGER)
            self.accuracy, self._scored = fmean(scores.values()) if pooled is None else pooled, epoch
        for by_epoch in (self._losses, self._scores):
            for past in [each for each in by_epoch if each < epoch]:
                del by_epoch[past]
        return True

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.began

    def _came(self, epochs: float) -> None:
        """Note how far the run is, parts of epochs included."""
        self._reached = max(self._reached, epochs)
        self._first = self._first or (epochs, time.monotonic())

    @property
    def seconds_left(self) -> float | None:
        """By the pace so far; None while there is none, and when all epochs are done."""
        if self._first is None or self._reached in (self._first[0], self.experiment.epochs):
            return None
        pace = (time.monotonic() - self._first[1]) / (self._reached - self._first[0])
        return pace * (self.experiment.epochs - self._reached)

    def line(self) -> str:
        """Give the epoch's line."""
        parts = [self.count]
        if self._scored == self.epoch:
            parts.append(self.score)
        if losses := self._latest_losses():
            parts.append(f"training loss {fmean(losses):.4f}")
        parts.append(self.expense)
        if spent := self.budget.brief():
            parts.append(spent)
        if self.seconds_left is not None:
            parts.append(f"{human_seconds(self.seconds_left)} left")
        return f"[{human_seconds(self.seconds)}] " + ", ".join(parts)

    @property
    def count(self) -> str:
        """Say how far the run has come, and how far the workers have where they need not keep step."""
        epoch = f"epoch {self.epoch}/{self.experiment.epochs}"
        if not self.own_pace:
            return epoch
        own = [row["epoch"] for who, row in self.workers.items() if who and row["state"] != "left"] or [0]
        return f"{epoch} (workers' own {min(own)}-{max(own)})"

    @property
    def score(self) -> str:
        """Say how accurate the models are, and which; empty while none is scored."""
        if self.accuracy is None:
            return ""
        whose = " (mean of own models)" if self._own_models else ""
        return f"test accuracy {self.accuracy:.4f}{whose}"

    @property
    def expense(self) -> str:
        """Say what was sent so far; of a simulation, which counts that at the end, what time it is there."""
        if self.virtual_seconds is None:
            return f"{human_bytes(self.size_bytes)} sent"
        return f"simulated time {human_seconds(self.virtual_seconds)}"

    def _latest_losses(self) -> list[float]:
        """Give the workers' losses in the epoch, of all that reported it; at their own pace their latest."""
        if not self.own_pace:
            return list(self._losses.get(self.epoch, {}).values())
        return [row["loss"] for who, row in self.workers.items() if who and row["loss"] is not None]


@dataclass
class _Through:
    """How far a party is.

    Attributes:
        done: the last epoch that it ended.
        before: the one before, 0 if it ended none here.
        scored: the last epoch after which its model was scored.
        scored_too: whether it has a model that is scored.
    """

    done: int = 0
    before: int = 0
    scored: int = 0
    scored_too: bool = True

    def ends(self, epoch: int) -> bool:
        """Take in that an epoch is done; say whether that is news."""
        if epoch <= self.done:
            return False
        self.before, self.done = self.done, epoch
        return True

    def epoch(self, experiment: Experiment) -> int:
        """Give the last epoch of which nothing more is to come."""
        every = experiment.evaluate_every
        due = self.scored_too and (self.done == experiment.epochs or (every and self.done % every == 0))
        return self.before if due and self.scored < self.done else self.done


def sent_before(run: Path, until: Mapping[PartyId, int]) -> int:
    """Give the bytes that all parties of a run sent up to the epochs that they go on from."""
    ledger = run / files.LEDGER
    found = 0
    for line in ledger.read_bytes().splitlines() if ledger.exists() else []:
        try:
            entry = json.loads(line)
        except ValueError:  # torn by a crash
            continue
        if entry["epoch"] <= until.get(entry["party"], 0):
            found += _sent(entry)
    return found


def _sent(entry: Mapping[str, Any]) -> int:
    return sum(row["size_bytes"] for row in entry["sent"].values())


def _nothing_yet() -> dict[str, Any]:
    return {"epoch": 0, "loss": None, "state": ""}


STEP_LINES_SECONDS: Final = 30.0
"""How long nothing must have been said before a line tells of a step within an epoch."""


class Lines(AbstractContextManager["Lines"]):
    """Plain lines, for logs and pipes."""

    def __init__(self, console: Console, state: State) -> None:
        self._console, self._state = console, state
        self._said = time.monotonic()

    def __exit__(self, *_: object) -> None:
        """Nothing is left open: lines are written as they come."""

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Show one event."""
        ends_epoch = self._state.take(event)
        if event["kind"] in ("starting", "stopping"):
            self._say(f"[{human_seconds(self._state.seconds)}] {self._state.stage}")
        elif event["kind"] == "step" and time.monotonic() - self._said >= STEP_LINES_SECONDS:
            left = self._state.seconds_left
            rest = "" if left is None else f", {human_seconds(left)} left"
            self._say(f"[{human_seconds(self._state.seconds)}] {self._state.stage}{rest}")
        elif event["kind"] == "left":
            self._say(
                f"[{human_seconds(self._state.seconds)}] {party_name(event['worker'])} left: {event['how']}"
            )
        if ends_epoch:
            self._say(self._state.line())

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class LiveTable(AbstractContextManager["LiveTable"]):
    """A table that is redrawn as events come: the run on top, a line for each worker."""

    def __init__(self, console: Console, state: State) -> None:
        self._console, self._state = console, state
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4, transient=True)

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take in one event; what should stay on screen is printed above the table."""
        self._state.take(event)
        if event["kind"] == "left":
            self._live.console.print(f"{party_name(event['worker'])} left: {event['how']}", style="yellow")

    def _draw(self) -> Group:
        state, experiment = self._state, self._state.experiment
        left = f", {human_seconds(state.seconds_left)} left" if state.seconds_left is not None else ""
        score = f"   {state.score}" if state.score else ""
        head = Text(f"{experiment.name}  {state.count}{score}", style="bold")
        so_far = f"{human_seconds(state.seconds)} so far{left}"
        said = (so_far, state.expense, state.budget.brief(), state.stage)
        foot = Text("; ".join(filter(None, said)), style="dim")
        # A bar by itself does not end its line.
        bar = Padding(ProgressBar(total=experiment.epochs, completed=state.epoch, width=60))
        return Group(head, bar, self._workers(), foot)

    def _workers(self) -> Table:
        table = Table(box=None, padding=(0, 2), show_edge=False)
        own = "own epoch" if self._state.own_pace else "epoch"
        for name in ("worker", own, "training loss", ""):
            table.add_column(name, justify="right" if name else "left", style="" if name else "dim")
        experiment = self._state.experiment
        beside = experiment.beside if experiment.linked else "pooled"  # it trains on all data
        rows = list(self._state.workers.items())
        shown = max(1, self._console.size.height - _OTHER_LINES)
        for worker, row in rows[:shown]:
            loss = f"{row['loss']:.4f}" if row["loss"] is not None else "-"
            table.add_row(str(worker or beside), str(row["epoch"]), loss, row["state"])
        if len(rows) > shown:
            table.add_row(f"+{len(rows) - shown}", "", "", "not shown")
        return table


def human_bytes(size: float) -> str:
    """Write a size with three digits and a decimal unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:  # above, three digits would say 1e+03
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB" if size < 999.5 else f"{size:.0f} TB"


def human_seconds(seconds: float) -> str:
    """Write a duration as a person would."""
    if seconds < 59.95:  # above, one decimal would say 60.0 s
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
