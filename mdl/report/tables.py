"""The report's tables, as text in cells."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from mdl.errors import party_name
from mdl.ledger import Traffic
from mdl.report import naming, series, units
from mdl.report.figures import text, timed, topics
from mdl.report.runs import Run


@dataclass(frozen=True)
class Table:
    """Text in rows.

    Attributes:
        title: a few words.
        head: the columns' names.
        rows: each as long as `head`; the first cell names the row.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def comparison(runs: Sequence[Run], names: Sequence[str]) -> Sequence[Table]:
    """Set the runs' key figures side by side: a table a topic, a column a run. Unknown rows are left out."""
    tables = []
    for title, figures in topics(runs):
        rows = [(name, *(figure(run) for run in runs)) for name, figure in figures.items()]
        known = [row for row in rows if set(row[1:]) != {units.UNKNOWN}]
        if known:
            tables.append(Table(title, ("", *names), known))
    return tables


def differences(runs: Sequence[Run], names: Sequence[str]) -> Table:
    """List the settings in which the experiment files differ."""
    flat = [dict(_flatten(run.settings)) for run in runs]
    keys = sorted({key for settings in flat for key in settings})
    rows = [(key, *(settings.get(key, units.UNKNOWN) for settings in flat)) for key in keys]
    return Table("Settings that differ", ("", *names), [row for row in rows if len(set(row[1:])) > 1])


def epochs(run: Run) -> Table:
    """List what was scored and opened, epoch by epoch; what was not counted has no column."""
    head = (
        "epoch",
        naming.clock([run]) or "since start",
        "global",
        "loss",
        "own, mean",
        "worst",
        "best",
        "opened",
        "missed",
        "workers",
    )
    rows = [
        (
            str(row.epoch),
            units.duration(row.seconds),
            units.percent(row.score.accuracy if row.score else None),
            units.decimal(row.score.loss if row.score else None),
            units.percent(row.own.mean if row.own else None),
            units.percent(row.own.low if row.own else None),
            units.percent(row.own.high if row.own else None),
            units.count(row.opened),
            units.count(row.missed),
            units.count(row.present),
        )
        for row in series.epoch_rows(run)
    ]
    known = [not rows or {row[column] for row in rows} != {units.UNKNOWN} for column in range(len(head))]
    return Table("Epoch by epoch", list(compress(head, known)), [list(compress(row, known)) for row in rows])


def messages(run: Run) -> Table:
    """List messages and bytes by kind and direction; without a manager by who sent them."""
    by_workers, beside = ("up", "down") if run.led else ("of workers", f"of the {run.beside}")
    two = run.led or bool(run.beside)
    head = ["kind", f"messages {by_workers}", f"bytes {by_workers}"]
    head += [f"messages {beside}", f"bytes {beside}"] if two else []
    rows = []
    for flow in series.flows(run):
        both = series.total((flow.up, flow.down))
        rows.append((flow.kind, *_cells(flow.up), *(_cells(flow.down) if two else ()), _mean_size(both)))
    return Table("Messages by kind", [*head, "bytes a message"], rows)


def traffic(run: Run) -> Table:
    """List what each party sent and received, where no manager sends what others receive."""
    found = {} if run.led or not run.ledger else series.traffic(run)
    rows = [
        (run.name_of(party), units.size(sent), units.size(received))
        for party, (sent, received) in found.items()
        if sent or received
    ]
    return Table("Bytes by party", ("party", "sent", "received"), rows)


def times(run: Run) -> Table:
    """List seconds by party and activity."""
    spent = series.time_spent(run)
    names = series.activities(spent.values())
    rows = [
        (run.name_of(party), *(units.duration(sums.get(name, 0.0)) for name in names))
        for party, sums in spent.items()
    ]
    return Table(timed("Time by party", [run]), ("party", *names), rows if names else [])


def phases(run: Run) -> Table:
    """List what the phases of a computation on secrets cost: those of training by the step, others in all."""
    found = series.phases(run)
    training = [cost for cost in found if cost.steps and cost.name]
    steps = max((cost.steps for cost in training), default=0)
    rows = [_phase_row(cost, steps, cost.name) for cost in training]
    if training:
        rows.append(_phase_row(_added(training), steps, "a whole step"))
    rows += [
        _phase_row(cost, 1, f"{cost.name or 'setting up, opening'}, in all")
        for cost in found
        if not (cost.steps and cost.name)
    ]
    head = ("phase", "rounds", "sent, all parties", "computing, ms, mean party", "waiting, ms")
    return Table(f"Phases, by the step ({units.count(steps)} steps)", head, rows)


def _phase_row(cost: series.PhaseCost, times: int, name: str) -> Sequence[str]:
    return (
        name,
        units.count(cost.rounds / times),
        units.size(cost.size_bytes / times),
        _milliseconds(cost.computing / times),
        _milliseconds(cost.waiting / times),
    )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.1f}" if seconds < 1 else f"{1000 * seconds:,.0f}"


def _added(costs: Sequence[series.PhaseCost]) -> series.PhaseCost:
    return series.PhaseCost(
        "",
        max(cost.steps for cost in costs),
        sum(cost.rounds for cost in costs),
        sum(cost.size_bytes for cost in costs),
        sum(cost.computing for cost in costs),
        sum(cost.waiting for cost in costs),
    )


def contributions(run: Run) -> Table:
    """List how many of each worker's contributions were taken."""
    counts = series.accepted(run)
    total = sum(counts.values())
    rows = [
        (party_name(worker), units.count(count), units.percent(count / total if total else None))
        for worker, count in counts.items()
    ]
    return Table("Contributions taken", ("worker", "accepted", "of all"), rows)


def environment(run: Run) -> Table:
    """List what the run ran on."""
    return Table("Environment", ("", ""), list(_flatten(run.environment)))


def weights(run: Run) -> Table:
    """List the hashes of the final parameters."""
    rows = [(model, found) for model, found in _flatten(run.summary.weights) if found != units.UNKNOWN]
    return Table("Final weights", ("model", "SHA-256"), rows)


def _cells(traffic: Traffic) -> tuple[str, str]:
    if traffic.messages == 0:
        return units.UNKNOWN, units.UNKNOWN
    return units.count(traffic.messages), units.size(traffic.size_bytes)


def _mean_size(traffic: Traffic) -> str:
    return units.size(traffic.size_bytes / traffic.messages) if traffic.messages else units.UNKNOWN


def _flatten(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Write nested tables as one, keys joined by dots."""
    return ((key, text(value)) for key, value in naming.flatten(table))
