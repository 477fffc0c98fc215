"""What the plots and tables show, drawn from a run and free of any drawing."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mdl.ledger import LedgerEntry, Traffic
from mdl.party import MANAGER, PartyId
from mdl.report.runs import Metric, Run
from mdl.summary import ACTIVITIES


@dataclass(frozen=True)
class Point:
    """One score of one model: after `epoch`, `seconds` into the run, accuracy in [0, 1]."""

    epoch: int
    seconds: float
    accuracy: float
    loss: float | None = None


@dataclass(frozen=True)
class Spread:
    """The scores of several models after one epoch, in [0, 1]; `seconds` is the mean of their instants."""

    epoch: int
    seconds: float
    low: float
    mean: float
    high: float


@dataclass(frozen=True)
class Flow:
    """The messages of one kind, each counted once, by its sender.

    Attributes:
        kind: of the messages.
        up: sent by workers, to a manager or to one another.
        down: sent by the manager, or by who is beside the workers where there is none.
    """

    kind: str
    up: Traffic
    down: Traffic

    @property
    def size_bytes(self) -> int:
        """Both directions together."""
        return self.up.size_bytes + self.down.size_bytes


@dataclass(frozen=True)
class PhaseCost:
    """What a phase of a computation on secrets cost in a run.

    Attributes:
        name: of the phase.
        steps: of training in which it was; 0 if it was none of training.
        rounds: of messages.
        size_bytes: sent by all parties.
        computing: seconds, of the mean party.
        waiting: seconds, of the mean party.
    """

    name: str
    steps: int
    rounds: int
    size_bytes: int
    computing: float
    waiting: float


@dataclass(frozen=True)
class EpochRow:
    """An epoch in figures. What was not recorded is None.

    Attributes:
        seconds: since the run's start, when the global model (or else the workers' own) was scored.
        opened, missed: blocks.
        present: workers.
    """

    epoch: int
    seconds: float | None
    score: Point | None
    own: Spread | None
    opened: float | None
    missed: float | None
    present: float | None


def curves(run: Run, model: str) -> Mapping[PartyId, Sequence[Point]]:
    """Give each party's scores of `model`, by epoch; where an epoch was scored twice, the later one."""
    found: dict[PartyId, dict[int, Point]] = {}
    for metric in run.metrics:
        # NaN is no height on an accuracy axis.
        if metric.kind == "evaluated" and metric.model == model and _is_number(metric.accuracy):
            found.setdefault(metric.party, {})[metric.epoch] = _point(metric)
    return {party: [points[epoch] for epoch in sorted(points)] for party, points in sorted(found.items())}


def spread(lines: Iterable[Sequence[Point]]) -> Sequence[Spread]:
    """Sum up several curves, epoch by epoch."""
    by_epoch: dict[int, list[Point]] = {}
    for point in (point for line in lines for point in line):
        by_epoch.setdefault(point.epoch, []).append(point)
    return [_spread(epoch, by_epoch[epoch]) for epoch in sorted(by_epoch)]


def global_curve(run: Run) -> Sequence[Point]:
    """Give the global model's scores, by epoch; empty for a system without one."""
    return next(iter(curves(run, "global").values()), ())


def own_spread(run: Run) -> Sequence[Spread]:
    """Sum up the workers' own models, epoch by epoch.

    Empty where workers at their own pace have a global model beside them: their epochs are not the run's,
    and what one reached in its tenth stands beside what another did hours later in its.
    """
    if run.summary.own_pace and global_curve(run):
        return ()
    return spread(curves(run, "own").values())


def main_curve(run: Run) -> Sequence[Point]:
    """Give what a run is judged by: the global model's scores, or else the mean of the workers' own."""
    return global_curve(run) or [Point(each.epoch, each.seconds, each.mean) for each in own_spread(run)]


def epoch_seconds(run: Run) -> float | None:
    """Give how long an epoch took in the mean, the first left out; None where fewer than two are recorded.

    An epoch ends when the manager says so; where there is none, when the last party is done with it.
    """
    kind = "epoch" if any(metric.kind == "epoch" for metric in run.metrics) else "done"
    ends: dict[int, float] = {}
    for metric in run.metrics:
        if metric.kind == kind:
            ends[metric.epoch] = max(ends.get(metric.epoch, 0.0), metric.seconds)
    if len(ends) < 2:
        return None
    first, last = min(ends), max(ends)
    return (ends[last] - ends[first]) / (last - first)


def last_own(run: Run) -> Spread | None:
    """Sum up the workers' own models as each was scored last; None if none was."""
    last = [line[-1] for line in curves(run, "own").values()]
    return _spread(max(point.epoch for point in last), last) if last else None


def common_target(runs: Sequence[Run]) -> float | None:
    """Give the accuracy within a point of the best that every run reached; None if none was scored."""
    best = [max(point.accuracy for point in line) for run in runs if (line := main_curve(run))]
    return min(best) - 0.01 if best else None


def seconds_to(run: Run, accuracy: float) -> float | None:
    """Say how long after its start a run was first scored at `accuracy` or above; None if it never was."""
    return min((point.seconds for point in main_curve(run) if point.accuracy >= accuracy), default=None)


def accepted(run: Run) -> Mapping[PartyId, int]:
    """Give how many of each worker's contributions were taken; empty where they were not counted."""
    counts = run.summary.fairness.accepted if run.summary.fairness else {}
    return {int(worker): counts[worker] for worker in sorted(counts, key=int)}


def epoch_rows(run: Run) -> Sequence[EpochRow]:
    """Put together what was recorded of each epoch."""
    scores = {point.epoch: point for point in global_curve(run)}
    own = {each.epoch: each for each in own_spread(run)}
    books = {metric.epoch: metric for metric in run.metrics if metric.kind == "epoch"}
    rows = []
    for epoch in sorted(scores.keys() | own.keys() | books.keys()):
        timed, book = scores.get(epoch) or own.get(epoch) or books.get(epoch), books.get(epoch)
        rows.append(
            EpochRow(
                epoch=epoch,
                seconds=timed.seconds if timed else None,
                score=scores.get(epoch),
                own=own.get(epoch),
                opened=book.opened if book else None,
                missed=book.missed if book else None,
                present=book.present if book else None,
            )
        )
    return rows


def flows(run: Run) -> Sequence[Flow]:
    """Sum up the messages by kind, the kind with most bytes first.

    A message is counted by its sender alone: both ends would count it twice.
    """
    up = _sum_sent(entry for entry in run.ledger if entry.party != MANAGER)
    down = _sum_sent(entry for entry in run.ledger if entry.party == MANAGER)
    found = [
        Flow(kind, up.get(kind, Traffic()), down.get(kind, Traffic())) for kind in up.keys() | down.keys()
    ]
    return sorted(found, key=lambda flow: (-flow.size_bytes, flow.kind))


def phases(run: Run) -> Sequence[PhaseCost]:
    """Sum up what phases of a computation on secrets cost, in the order in which they came.

    Rounds are those of the party that took part in most; bytes those of all; seconds those of the mean party.
    """
    found: dict[tuple[str, bool], dict[PartyId, list[Metric]]] = {}
    for metric in run.metrics:
        if metric.kind == "cost" and metric.phase is not None:
            by_party = found.setdefault((metric.phase, bool(metric.steps)), {})
            by_party.setdefault(metric.party, []).append(metric)
    return [_phase(name, list(by_party.values())) for (name, _), by_party in found.items()]


def _phase(name: str, parties: Sequence[Sequence[Metric]]) -> PhaseCost:
    return PhaseCost(
        name,
        max(sum(each.steps or 0 for each in metrics) for metrics in parties),
        max(sum(each.rounds or 0 for each in metrics) for metrics in parties),
        sum(each.sent_bytes or 0 for metrics in parties for each in metrics),
        sum(each.computing_seconds or 0.0 for metrics in parties for each in metrics) / len(parties),
        sum(each.waiting_seconds or 0.0 for metrics in parties for each in metrics) / len(parties),
    )


def traffic(run: Run) -> Mapping[PartyId, tuple[int, int]]:
    """Sum up the bytes that each party sent, and those that it received."""
    found: dict[PartyId, tuple[int, int]] = {}
    for entry in run.ledger:
        sent, received = found.get(entry.party, (0, 0))
        found[entry.party] = (
            sent + total(entry.sent.values()).size_bytes,
            received + total(entry.received.values()).size_bytes,
        )
    return {party: found[party] for party in sorted(found)}


def total(parts: Iterable[Traffic]) -> Traffic:
    """Add up traffic."""
    listed = list(parts)
    return Traffic(sum(part.messages for part in listed), sum(part.size_bytes for part in listed))


def time_spent(run: Run) -> Mapping[PartyId, Mapping[str, float]]:
    """Sum up the seconds of each party, by activity; without waiting where `counts_waiting` is false."""
    spent: dict[PartyId, dict[str, float]] = {}
    for entry in run.ledger:
        sums = spent.setdefault(entry.party, {})
        for activity, seconds in entry.seconds.items():
            if activity != "waiting" or counts_waiting(run):
                sums[activity] = sums.get(activity, 0.0) + seconds
    return {party: spent[party] for party in sorted(spent)}


def counts_waiting(run: Run) -> bool:
    """Tell whether waiting was time lost: parties at their own pace listen while they train."""
    return not run.summary.own_pace


def activities(spent: Iterable[Mapping[str, float]]) -> Sequence[str]:
    """List the activities that took any time, in the order in which they are shown."""
    named = {activity for sums in spent for activity, seconds in sums.items() if seconds > 0}
    return [*(each for each in ACTIVITIES if each in named), *sorted(named.difference(ACTIVITIES))]


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _point(metric: Metric) -> Point:
    assert metric.accuracy is not None
    return Point(metric.epoch, metric.seconds, metric.accuracy, metric.loss)


def _spread(epoch: int, points: Sequence[Point]) -> Spread:
    heights = [point.accuracy for point in points]
    return Spread(
        epoch=epoch,
        seconds=sum(point.seconds for point in points) / len(points),
        low=min(heights),
        mean=sum(heights) / len(heights),
        high=max(heights),
    )


def _sum_sent(entries: Iterable[LedgerEntry]) -> Mapping[str, Traffic]:
    found: dict[str, list[Traffic]] = {}
    for entry in entries:
        for kind, traffic in entry.sent.items():
            found.setdefault(kind, []).append(traffic)
    return {kind: total(parts) for kind, parts in found.items()}
