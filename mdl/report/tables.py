"""The report's tables, as text in cells."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import Any, Final, TypeAlias

from mdl.errors import party_name
from mdl.ledger import Traffic
from mdl.report import naming, privacy, series, units
from mdl.report.runs import Metric, Run
from mdl.summary import GAIN, GAIN_OVER, gain

ESTIMATED: Final = "†"
"""Marks a figure that the summary lacks and that was taken from the metrics or the ledger instead."""

Figure: TypeAlias = Callable[[Run], str]
"""How a figure is got from a run."""


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
    for title, figures in _topics(runs):
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
    return Table(_timed("Time by party", [run]), ("party", *names), rows if names else [])


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


def departures(run: Run) -> Sequence[str]:
    """Say who left, how and when, a phrase each."""
    recorded = [_departure(metric) for metric in run.metrics if metric.kind == "left"]
    # Several parties may see one worker go.
    return list(dict.fromkeys(recorded)) or [_left(each) for each in run.summary.left]


def _topics(runs: Sequence[Run]) -> Iterator[tuple[str, Mapping[str, Figure]]]:
    yield "Experiment", _EXPERIMENT
    yield "Accuracy on the test set", _ACCURACY
    yield "Security of the computation", _SECRECY
    yield "Privacy", privacy.FIGURES
    yield _timed("How long it took", runs), _times(runs)
    yield _timed("Pace and fairness", runs), _pace(runs)
    yield "Bytes on the links", _links(runs)
    yield "What went astray", _LOSSES
    yield "Result", {"weights of the global model, SHA-256": _global_hash}


def _times(runs: Sequence[Run]) -> Mapping[str, Figure]:
    whole = ("total", "start")
    named = {name for run in runs for name in run.summary.seconds}
    parts = [*series.ACTIVITIES, *sorted(named.difference(whole, series.ACTIVITIES))]
    return {
        **{name: _seconds(name) for name in whole},
        **{f"{name}, mean of the workers": _seconds(name) for name in parts},
        "processor time of all parties": lambda run: units.duration(run.summary.cpu_seconds),
    }


def _timed(title: str, runs: Sequence[Run]) -> str:
    clock = naming.clock(runs)
    return f"{title} ({clock})" if clock else title


def _pace(runs: Sequence[Run]) -> Mapping[str, Figure]:
    target = series.common_target(runs)
    reached: Mapping[str, Figure] = {}
    if target is not None:
        best = "its best" if len(runs) == 1 else "the best that all reached"
        name = f"until accuracy {units.percent(target)}, a point below {best}"
        reached = {name: lambda run: units.duration(series.seconds_to(run, target))}
    return {
        **reached,
        "contributions taken": lambda run: units.count(_contributions(run)),
        "contributions taken a second": _contributions_a_second,
        "Jain's index of the workers' contributions": _jain,
    }


def _contributions(run: Run) -> int | None:
    return sum(series.accepted(run).values()) if run.summary.fairness else None


def _contributions_a_second(run: Run) -> str:
    count, seconds = _contributions(run), run.summary.seconds.get("total")
    if count is None or not seconds:
        return units.UNKNOWN
    pace = count / seconds
    return units.count(pace) if pace >= 1000 else units.decimal(pace)


def _jain(run: Run) -> str:
    return f"{run.summary.fairness.jain:.3f}" if run.summary.fairness else units.UNKNOWN


def _accuracy(name: str) -> Figure:
    def figure(run: Run) -> str:
        known = run.summary.accuracy.get(name)
        if known is not None:
            return units.percent(known)
        return _estimate(units.percent, _last_accuracies(run).get(name))

    return figure


def _last_accuracies(run: Run) -> Mapping[str, float]:
    """Read from the metrics, in [0, 1], what the summary of a run that ended early does not say."""
    found = {}
    if shared := series.global_curve(run):
        found["global"] = shared[-1].accuracy
    if own := series.last_own(run):
        found |= {"own_mean": own.mean, "own_worst": own.low}
    return found


def _gain(run: Run) -> str:
    gained = gain(run.summary.accuracy)
    return units.UNKNOWN if gained is None else f"{100 * gained:+.2f} points"


def _seconds(name: str) -> Figure:
    return lambda run: units.duration(
        run.summary.seconds.get(name) if name != "waiting" or series.counts_waiting(run) else None
    )


def _links(runs: Sequence[Run]) -> Mapping[str, Figure]:
    """Name what was sent up and down where there was a manager, and else who sent it."""
    beside = {run.beside: f"sent by the {run.beside}" for run in runs if not run.led and run.beside}
    return {
        "up (sent by workers)": _bytes("up", lambda run: run.led),
        "down (sent by the manager)": _bytes("down", lambda run: run.led),
        "sent by workers": _bytes("workers", lambda run: not run.led),
        **{title: _bytes(name, partial(_is_beside, name)) for name, title in beside.items()},
    }


def _is_beside(name: str, run: Run) -> bool:
    return not run.led and run.beside == name


def _bytes(key: str, applies: Callable[[Run], bool]) -> Figure:
    by_workers = key in ("up", "workers")

    def figure(run: Run) -> str:
        if not applies(run):
            return units.UNKNOWN
        if (known := run.summary.bytes.get(key)) is not None:
            return units.size(known)
        flows = series.flows(run)
        counted = sum((flow.up if by_workers else flow.down).size_bytes for flow in flows)
        return _estimate(units.size, counted if flows else None)

    return figure


def _secrecy(what: str) -> Figure:
    return lambda run: (
        getattr(run.traits.secrecy, what) if run.traits and run.traits.secrecy else units.UNKNOWN
    )


def _estimate(write: Callable[[float | None], str], value: float | None) -> str:
    return units.UNKNOWN if value is None else f"{write(value)}{ESTIMATED}"


def _missed(run: Run) -> str:
    missed, share = run.summary.missed, run.summary.missed_share
    if missed is None:
        return units.percent(share)
    return units.count(missed) if share is None else f"{units.count(missed)} ({units.percent(share)})"


def _departed(run: Run) -> str:
    return "; ".join(departures(run)) or ("none" if run.completed else units.UNKNOWN)


def _global_hash(run: Run) -> str:
    found = run.summary.weights.get("global")
    return f"{found[:16]}…" if isinstance(found, str) else units.UNKNOWN


def _text(value: object) -> str:
    return units.UNKNOWN if value is None else str(value)


def _instant(iso: str | None) -> str:
    """Write ISO 8601 to the second, as a person does, the zone kept."""
    return units.UNKNOWN if iso is None else iso.replace("T", " ", 1).replace("+00:00", " UTC")


def _setting(key: str) -> Figure:
    return lambda run: _text(dict(naming.flatten(run.settings)).get(key))


def _resumed(run: Run) -> str:
    return "yes: figures are those of all its parts" if run.summary.resumed else units.UNKNOWN


def _departure(metric: Metric) -> str:
    who = "a worker" if metric.worker is None else party_name(metric.worker)
    how = f": {_first_line(metric.how)}" if metric.how else ""
    return f"{who} in epoch {metric.epoch}{how}"


def _left(entry: object) -> str:
    if isinstance(entry, int):
        return party_name(entry)
    if isinstance(entry, Mapping) and entry.keys() == {"worker", "epoch", "how"}:
        return f"{party_name(entry['worker'])} in epoch {entry['epoch']}: {_first_line(str(entry['how']))}"
    if isinstance(entry, Mapping):
        return ", ".join(f"{key} {value}" for key, value in entry.items())
    return str(entry)


def _first_line(how: str) -> str:
    """Leave out the end of the party's log, which follows."""
    return how.partition("\n")[0]


def _cells(traffic: Traffic) -> tuple[str, str]:
    if traffic.messages == 0:
        return units.UNKNOWN, units.UNKNOWN
    return units.count(traffic.messages), units.size(traffic.size_bytes)


def _mean_size(traffic: Traffic) -> str:
    return units.size(traffic.size_bytes / traffic.messages) if traffic.messages else units.UNKNOWN


def _flatten(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Write nested tables as one, keys joined by dots."""
    return ((key, _text(value)) for key, value in naming.flatten(table))


_EXPERIMENT: Final[Mapping[str, Figure]] = {
    "experiment": lambda run: run.name,
    "status": lambda run: run.summary.status,
    "ended because": lambda run: _text(run.summary.reason),
    "system": lambda run: _text(run.summary.system),
    "scheme": lambda run: _text(run.summary.scheme),
    "mode": _setting("system.mode"),
    "graph": _setting("system.graph.type"),
    "workers": lambda run: _text(run.summary.workers),
    "threshold": lambda run: _text(run.summary.threshold),
    "epochs": lambda run: str(run.epochs),
    "epochs to converge": lambda run: _text(run.summary.epochs_to_converge),
    "seed": lambda run: _text(run.summary.seed),
    "started": lambda run: _instant(run.summary.started),
    "ended": lambda run: _instant(run.summary.ended),
    "resumed": _resumed,
}

_ACCURACY: Final[Mapping[str, Figure]] = {
    "global model": _accuracy("global"),
    "one model on all data pooled": _accuracy("pooled"),
    "workers' own models, mean": _accuracy("own_mean"),
    "workers' own models, worst": _accuracy("own_worst"),
    "trained alone, mean": _accuracy("alone_mean"),
    "trained alone, worst": _accuracy("alone_worst"),
    f"{GAIN}, {GAIN_OVER}": _gain,
}

_SECRECY: Final[Mapping[str, Figure]] = {
    "security model": _secrecy("model"),
    "who together would know everything": _secrecy("together"),
    "who does not follow the protocol": _secrecy("deviating"),
    "the model is opened to": _secrecy("opened"),
    "rounding of quotients": _secrecy("rounding"),
}

_LOSSES: Final[Mapping[str, Figure]] = {
    "missed blocks": _missed,
    "values cut to the range": lambda run: units.count(run.summary.saturated),
    "workers that left": _departed,
}
