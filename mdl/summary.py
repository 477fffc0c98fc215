"""A run in a few numbers, from what its parties reported."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import fmean
from typing import Any, Final, Literal, TypeAlias

from mdl.budget import Budget
from mdl.config import Experiment
from mdl.lessons import Lessons
from mdl.party import MANAGER, PartyId

Clock: TypeAlias = Literal["wall", "virtual"]

GAIN, GAIN_OVER = "gain by joining", "over the mean worker alone"
"""What `gain` is called wherever it is shown, and what it means."""

ACTIVITIES: Final = ("training", "cryptography", "evaluation", "waiting")
"""The order in which activities are shown; others follow."""

SATURATION_WARNED = 0.001
"""Above this share of saturated values, what is cut off may be felt in the accuracy."""


class Account:
    """Collects the events of a run, and gives its figures at the end.

    Args:
        experiment: what is run.
        resuming: whether the run goes on from checkpoints.
        started: when; by default now.
    """

    def __init__(
        self, experiment: Experiment, *, resuming: bool = False, started: datetime | None = None
    ) -> None:
        self.experiment, self.resuming = experiment, resuming
        self.started = started or datetime.now(UTC)
        # A manager counts the run's epochs, and at their own pace workers make more or fewer. Without one,
        # the run has come as far as the first party.
        self.led = experiment.led
        self.reason = "all epochs done"
        self.epochs = 0
        self.scores: dict[str, dict[PartyId, float]] = {}
        self.global_by_epoch: dict[int, float] = {}
        self.first_training_seconds: float | None = None
        self.weights: dict[PartyId, str | None] = {}
        self.cpu_seconds = 0.0
        self.loop_lag: dict[PartyId, Mapping[str, float]] = {}
        self.left: list[Mapping[str, Any]] = []
        self.away: set[PartyId] = set()
        self.missed = self.opened = self.saturated = 0
        self.updates = self.ends = 0
        self.accepted: dict[PartyId, int] = {}
        self.seconds: dict[str, dict[PartyId, float]] = {}
        self.counted = False
        self._by_workers = self._by_others = 0
        self.budget, self.lessons = Budget(experiment), Lessons(experiment)

    def goes_on(self, before: Mapping[str, Any]) -> None:
        """Take over from an earlier part's summary what its metrics and its ledger do not say."""
        self.started = datetime.fromisoformat(before["started"])
        self.cpu_seconds += before["cpu_seconds"]

    def recorded(self, event: Mapping[str, Any]) -> None:
        """Take in a line of the metrics."""
        self.budget.recorded(event)
        self.lessons.recorded(event)
        if event["kind"] == ("epoch" if self.led else "done"):
            self.epochs = max(self.epochs, event["epoch"])
        match event["kind"]:
            case "evaluated":
                self.away.discard(event["party"])  # it has come back
                self.scores.setdefault(event["model"], {})[event["party"]] = event["accuracy"]
                if event["model"] == "global":
                    self.global_by_epoch[event["epoch"]] = event["accuracy"]
            case "trained" if self.first_training_seconds is None:
                self.first_training_seconds = event["seconds"]
            case "epoch":
                self.missed += event["missed"]
                self.opened += event["opened"]
                self.ends += 1
            case "updated":
                self.saturated += event["saturated"]
                self.updates += 1
            case "accepted":
                self.accepted[event["worker"]] = event["count"]
            case "left":
                self.away.add(event["worker"])
                self.left.append({"worker": event["worker"], "epoch": event["epoch"], "how": event["how"]})

    @property
    def encoded(self) -> float:
        """How many values were encoded: each epoch by each worker its whole gradient, padded to blocks.

        With noise the workers say it themselves. Without, how many blocks there are follows from the
        manager's epochs. In one that is everybody's, each block is opened or missed. At the workers' own pace
        an epoch ends when blocks were opened once on average, so the figure is then a little too high, by
        what was opened in the last step beyond that.
        """
        if self.budget.noised:
            return self.budget.noised
        due = self.opened if self.experiment.system.own_pace else self.opened + self.missed
        blocks = due / self.ends if self.ends else 0.0
        return self.updates * blocks * getattr(self.experiment.system, "block", 1)

    def spent(self, entry: Mapping[str, Any]) -> None:
        """Take in a line of the ledger."""
        party, self.counted = entry["party"], True
        for activity, seconds in entry["seconds"].items():
            by_party = self.seconds.setdefault(activity, {})
            by_party[party] = by_party.get(party, 0.0) + seconds
        sent = sum(traffic["size_bytes"] for traffic in entry["sent"].values())
        if party == MANAGER:
            self._by_others += sent
        else:
            self._by_workers += sent

    @property
    def bytes(self) -> Mapping[str, int]:
        """What was sent: up and down where there is a manager; else by workers, and by who is beside them.

        A simulation that is broken off has no ledger: nobody knows what it sent.
        """
        if not self.counted:
            return {}
        if self.led:
            return {"up": self._by_workers, "down": self._by_others}
        beside = self.experiment.beside if self.experiment.linked else ""
        return {"workers": self._by_workers, **({beside: self._by_others} if beside else {})}

    def finished(self, party: PartyId, event: Mapping[str, Any]) -> None:
        """Take in a party's last word."""
        self.weights[party] = event["weights"]
        self.cpu_seconds += event["cpu_seconds"]
        if "loop_lag" in event:
            self.loop_lag[party] = event["loop_lag"]
        if party == MANAGER or MANAGER not in self.experiment.system.roster(self.experiment.workers):
            self.reason = event["reason"]


def summarise(
    account: Account, *, status: str, reason: str, seconds: float, clock: Clock = "wall"
) -> dict[str, Any]:
    """Give the run's figures as they stand in ``summary.json``.

    Args:
        account: of the run.
        status: ``completed``, ``interrupted`` or ``failed``.
        reason: why it ended.
        seconds: how long it took, by `clock`.
        clock: what all seconds are by, but those of the processor.
    """
    experiment = account.experiment
    system = experiment.system
    threshold = getattr(system, "visibility_threshold", None)
    secrecy = system.traits(experiment.workers).secrecy
    due = account.missed + account.opened
    return {
        "name": experiment.name,
        "system": system.type,
        "secrecy": asdict(secrecy) if secrecy else None,
        "scheme": getattr(getattr(system, "scheme", None), "type", None),
        "workers": experiment.workers,
        "threshold": threshold(experiment.workers) if threshold else None,
        "seed": experiment.seed,
        "started": account.started.isoformat(timespec="seconds"),
        "status": status,
        "reason": reason,
        "resumed": account.resuming,
        "clock": clock,
        "own_pace": system.own_pace,
        "epochs": account.epochs,
        "epochs_to_converge": epochs_to_converge(account.global_by_epoch),
        "accuracy": _accuracy(account.scores, account.away),
        "seconds": {
            "total": round(seconds, 3),
            "start": account.first_training_seconds,
            **{name: round(_mean(account.seconds.get(name, {})), 3) for name in ACTIVITIES},
        },
        "cpu_seconds": round(account.cpu_seconds, 2),
        # The party whose event loop was held up longest, by the median and by the 95th percentile.
        "loop_lag_seconds": {
            figure: round(max((lag[figure] for lag in account.loop_lag.values()), default=0.0), 4)
            for figure in ("median", "p95")
        },
        "bytes": account.bytes,
        # Where nothing was to be opened, nothing can be missed; where nothing is encoded, nothing is cut off.
        "missed": account.missed if due else None,
        "missed_share": _share(account.missed, due) if due else None,
        "saturated": account.saturated if account.led or account.updates else None,
        "saturated_share": _share(account.saturated, account.encoded),
        "privacy": account.budget.figures(),
        "opinions": account.lessons.figures(),
        "fairness": fairness(account.accepted, experiment.workers),
        "weights": {
            "global": account.weights.get(MANAGER),
            "workers": {str(party): weights for party, weights in sorted(account.weights.items()) if party},
        },
        "left": account.left,
    }


def epochs_to_converge(accuracy: Mapping[int, float]) -> int | None:
    """Give the first epoch whose global model comes within one point of the best; None without any."""
    if not accuracy:
        return None
    best = max(accuracy.values())
    return min(epoch for epoch, value in accuracy.items() if value >= best - 0.01)


def fairness(accepted: Mapping[PartyId, int], workers: int) -> dict[str, Any] | None:
    """Say how evenly contributions were taken.

    Args:
        accepted: how many of each worker's contributions were; who is not in it had none.
        workers: n.

    Returns:
        Jain's index, and each worker's count by its id; None for a system that counts none.
    """
    if not accepted:
        return None
    counts = {worker: accepted.get(worker, 0) for worker in range(1, workers + 1)}
    return {
        "jain": round(jain(list(counts.values())), 6),
        "accepted": {str(worker): count for worker, count in counts.items()},
    }


def jain(counts: Sequence[int]) -> float:
    """Give Jain's index of fairness, (Σc)² / (n·Σc²).

    Jain, Chiu, Hawe, "A quantitative measure of fairness and discrimination for resource allocation in
    shared computer systems", DEC-TR-301, 1984.

    Args:
        counts: what each of n got, n at least 1, none negative.

    Returns:
        Within [1/n, 1]: 1/n if one got all, 1 if all got the same, be it nothing.
    """
    squares = sum(count * count for count in counts)
    return sum(counts) ** 2 / (len(counts) * squares) if squares else 1.0


def gain(accuracy: Mapping[str, float | None]) -> float | None:
    """Give what joining brings: accuracy above that of the mean worker trained alone.

    It is the global model's; where there is none, the workers' own in the mean.
    """
    joined, alone = accuracy.get("global"), accuracy.get("alone_mean")
    if joined is None and accuracy.get("pooled") is None:
        joined = accuracy.get("own_mean")
    return None if joined is None or alone is None else joined - alone


def _accuracy(scores: Mapping[str, Mapping[PartyId, float]], away: Collection[PartyId]) -> dict[str, float]:
    """Give what the models reach: of the workers those that were there to the end, or all if none was."""
    workers = {party for model in ("own", "alone") for party in scores.get(model, {}) if party}
    counted = workers.difference(away) or workers
    found = {}
    for model in ("global", "pooled"):
        if model in scores:
            (found[model],) = scores[model].values()  # one party scores it
    for model in ("own", "alone"):
        if values := [value for party, value in scores.get(model, {}).items() if party in counted]:
            found[f"{model}_mean"], found[f"{model}_worst"] = fmean(values), min(values)
    return found


def _mean(values: Mapping[PartyId, float]) -> float:
    """Over the workers; the manager's time is not theirs."""
    workers: Sequence[float] = [seconds for party, seconds in values.items() if party]
    return fmean(workers) if workers else 0.0


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
