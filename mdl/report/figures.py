"""Key figures of runs, by topic, as text: what is set side by side."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

from mdl.errors import party_name, without_log
from mdl.report import naming, opinions, privacy, series, units
from mdl.report.runs import Metric, Run
from mdl.summary import ACTIVITIES, GAIN, GAIN_OVER, gain

ESTIMATED: Final = "†"
"""Marks a figure that the summary lacks and that was taken from the metrics or the ledger instead."""

Figure: TypeAlias = Callable[[Run], str]
"""How a figure is got from a run."""


def topics(runs: Sequence[Run]) -> Iterator[tuple[str, Mapping[str, Figure]]]:
    """Give topics, by their titles, with the figures that the runs are compared by."""
    yield "Experiment", _EXPERIMENT
    yield "Accuracy on the test set", _ACCURACY
    yield "Security of the computation", _SECRECY
    yield "Privacy", privacy.FIGURES
    yield "Opinions of others, mean of the workers", opinions.FIGURES
    yield timed("How long it took", runs), _times(runs)
    yield timed("Pace and fairness", runs), _pace(runs)
    yield "Bytes on the links", _links(runs)
    yield "What went astray", _LOSSES
    yield "Result", {"weights of the global model, SHA-256": _global_hash}


def departures(run: Run) -> Sequence[str]:
    """Say who left, how and when, a phrase each."""
    recorded = [_departure(metric) for metric in run.metrics if metric.kind == "left"]
    # Several parties may see one worker go.
    return list(dict.fromkeys(recorded)) or [_left(each) for each in run.summary.left]


def timed(title: str, runs: Sequence[Run]) -> str:
    """Say in a title which clock the runs' seconds are of, if it is not the wall's."""
    clock = naming.clock(runs)
    return f"{title} ({clock})" if clock else title


def text(value: object) -> str:
    """Write a value as it is, or say that it is unknown."""
    return units.UNKNOWN if value is None else str(value)


def _times(runs: Sequence[Run]) -> Mapping[str, Figure]:
    whole = ("total", "start")
    named = {name for run in runs for name in run.summary.seconds}
    parts = [*ACTIVITIES, *sorted(named.difference(whole, ACTIVITIES))]
    return {
        **{name: _seconds(name) for name in whole},
        **{f"{name}, mean of the workers": _seconds(name) for name in parts},
        "processor time of all parties": lambda run: units.duration(run.summary.cpu_seconds),
    }


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


def _instant(iso: str | None) -> str:
    """Write ISO 8601 to the second, as a person does, the zone kept."""
    return units.UNKNOWN if iso is None else iso.replace("T", " ", 1).replace("+00:00", " UTC")


def _setting(key: str) -> Figure:
    return lambda run: text(dict(naming.flatten(run.settings)).get(key))


def _resumed(run: Run) -> str:
    return "yes: figures are those of all its parts" if run.summary.resumed else units.UNKNOWN


def _departure(metric: Metric) -> str:
    who = "a worker" if metric.worker is None else party_name(metric.worker)
    how = f": {without_log(metric.how)}" if metric.how else ""
    return f"{who} in epoch {metric.epoch}{how}"


def _left(entry: object) -> str:
    if isinstance(entry, int):
        return party_name(entry)
    if isinstance(entry, Mapping) and entry.keys() == {"worker", "epoch", "how"}:
        return f"{party_name(entry['worker'])} in epoch {entry['epoch']}: {without_log(str(entry['how']))}"
    if isinstance(entry, Mapping):
        return ", ".join(f"{key} {value}" for key, value in entry.items())
    return str(entry)


_EXPERIMENT: Final[Mapping[str, Figure]] = {
    "experiment": lambda run: run.name,
    "status": lambda run: run.summary.status,
    "ended because": lambda run: text(run.summary.reason),
    "system": lambda run: text(run.summary.system),
    "scheme": lambda run: text(run.summary.scheme),
    "mode": _setting("system.mode"),
    "graph": _setting("system.graph.type"),
    "workers": lambda run: text(run.summary.workers),
    "threshold": lambda run: text(run.summary.threshold),
    "epochs": lambda run: str(run.epochs),
    "epochs to converge": lambda run: text(run.summary.epochs_to_converge),
    "seed": lambda run: text(run.summary.seed),
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
