"""What workers of a run learnt from the opinions that others have of their examples, by what they report."""

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any, Final

from mdl.config import Experiment
from mdl.party import PartyId

COUNTS: Final = ("asked", "answered", "opinions", "opinions_right", "opinions_needed", "learnt_from")
"""What a line of the metrics may say of opinions.

Questions that the worker has asked and answered in the run; examples of which it knows an opinion; which
part of these is right, in [0, 1], and which part must be; how many it learnt from in the epoch.
"""


class Lessons:
    """Counts what every worker was told and learnt from.

    Args:
        experiment: what is run.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._limit: int | None = getattr(experiment.system, "answers_limit", None)
        self._latest: dict[PartyId, dict[str, Any]] = {}
        self._learnt: dict[PartyId, set[int]] = {}

    def recorded(self, event: Mapping[str, Any]) -> None:
        """Take in a line of the metrics; a worker's newest counts."""
        if "opinions" not in event:
            return
        party = event["party"]
        self._latest.setdefault(party, {}).update({key: event[key] for key in COUNTS if key in event})
        learnt = self._learnt.setdefault(party, set())
        if event["learnt_from"]:
            learnt.add(event["epoch"])

    def figures(self) -> dict[str, Any] | None:
        """Give it as it stands in ``summary.json``: the mean over the workers, and each by its id.

        None if no worker is told opinions. ``epochs_learnt`` is in how many epochs any was learnt from.
        """
        if not self._latest:
            return None
        workers = {
            str(party): {**dict.fromkeys(COUNTS), **counts, "epochs_learnt": len(self._learnt[party])}
            for party, counts in sorted(self._latest.items())
        }
        means = {key: _mean(each[key] for each in workers.values()) for key in (*COUNTS, "epochs_learnt")}
        return {**means, "answers_limit": self._limit, "workers": workers}


def in_words(opinions: Mapping[str, Any]) -> str:
    """Say of the figures what was asked, how good what is known at the end is, and what came of it."""
    asked, right, needed = (opinions[key] for key in ("asked", "opinions_right", "opinions_needed"))
    limit = f" of {limit:,} at most" if (limit := opinions["answers_limit"]) is not None else ""
    share = "" if right is None else f", {right:.0%} right"
    known = f"{asked or 0:,.0f} asked{limit}; {opinions['opinions']:,.0f} known{share}"
    if opinions["epochs_learnt"]:
        return f"{known}; learnt from {opinions['learnt_from']:,.0f}"
    least = f" (at least {needed:.0%} must be right)" if right is not None and right < needed else ""
    return f"{known}; none was ever learnt from{least}"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
