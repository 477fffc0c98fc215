"""What workers learnt from the opinions that others have of their examples, as cells of tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from mdl.report import units
from mdl.report.runs import Metric, Opinions, Run

TITLE: Final = "Opinions of others, epoch by epoch, mean of the workers"
HEAD: Final = ("epoch", "known", "right", "must be right", "learnt from", "left out")


@dataclass(frozen=True)
class EpochOpinions:
    """An epoch's opinions, in the mean of the workers.

    Attributes:
        known: of how many examples one is known.
        right: which part of these is, in [0, 1]; None if none is known.
        needed: which part must be right for any to be learnt from; None if that is unknown.
        learnt_from: from how many was learnt.
    """

    epoch: int
    known: float
    right: float | None
    needed: float | None
    learnt_from: float


def by_epoch(run: Run) -> Sequence[EpochOpinions]:
    """Give what was recorded of opinions; of an epoch that a worker trained twice the later word."""
    found: dict[int, dict[int, Metric]] = {}
    for metric in run.metrics:
        if metric.opinions is not None:
            found.setdefault(metric.epoch, {})[metric.party] = metric
    return [_mean_worker(epoch, list(found[epoch].values())) for epoch in sorted(found)]


def _mean_worker(epoch: int, told: Sequence[Metric]) -> EpochOpinions:
    return EpochOpinions(
        epoch=epoch,
        known=fmean(each.opinions or 0 for each in told),
        right=_mean([each.opinions_right for each in told]),
        needed=_mean([each.opinions_needed for each in told]),
        learnt_from=fmean(each.learnt_from or 0 for each in told),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return fmean(known) if known else None


def rows(run: Run) -> Sequence[Sequence[str]]:
    """Write each epoch as the cells of a row; none where no opinions are told."""
    return [
        (
            str(each.epoch),
            units.count(each.known),
            units.percent(each.right),
            units.percent(each.needed),
            units.count(each.learnt_from),
            units.count(each.known - each.learnt_from),
        )
        for each in by_epoch(run)
    ]


def asked(run: Run) -> str:
    """Say how many questions were asked in the run."""
    return units.count(_told(run).asked)


def answered(run: Run) -> str:
    """Say how many questions were answered in the run, and how many may be."""
    told = _told(run)
    limit = f" of {units.count(told.answers_limit)} at most" if told.answers_limit is not None else ""
    return units.UNKNOWN if told.answered is None else f"{units.count(told.answered)}{limit}"


def right(run: Run) -> str:
    """Say which part of the opinions known at the end is right."""
    return units.percent(_told(run).opinions_right)


def needed(run: Run) -> str:
    """Say which part must be right for an epoch to be learnt with them: set, or else by default."""
    return units.percent(_told(run).opinions_needed)


def learnt_from(run: Run) -> str:
    """Say how many were learnt from in the last epoch, and in how many epochs any was."""
    told = _told(run)
    if told.learnt_from is None or told.epochs_learnt is None:
        return units.UNKNOWN
    if not told.epochs_learnt:
        return "none was ever learnt from"
    return f"{units.count(told.learnt_from)}, in {units.count(told.epochs_learnt)} epochs any"


def _told(run: Run) -> Opinions:
    return run.summary.opinions or Opinions()


FIGURES: Final = {
    "asked for": asked,
    "answers given": answered,
    "known at the end": lambda run: units.count(_told(run).opinions),
    "right, of those": right,
    "that must be right": needed,
    "learnt from at the end": learnt_from,
}
"""Rows of the table that sets runs side by side, by what they are called."""
