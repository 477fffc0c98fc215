"""Accuracy over epochs where settings were run with several seeds, or where there are many of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from statistics import fmean
from typing import Final

from matplotlib.axes import Axes

from mdl.report import drawing, naming, series, units
from mdl.report.drawing import EndLabel, Picture
from mdl.report.emphasis import Stroke, strokes, told
from mdl.report.groups import Group
from mdl.report.series import Spread

_MOST_WORDS: Final = 3
"""Of settings in a title."""


@dataclass(frozen=True)
class Band:
    """A setting's accuracy by epoch: the mean of its seeds' runs, the lowest and the highest of them."""

    name: str
    spreads: Sequence[Spread]
    seeds: int


def bands(groups: Sequence[Group]) -> Sequence[Band]:
    """Draw together what the runs of each group recorded; groups without any score are left out.

    A band ends with the shortest of its runs: the mean of those that are left would jump.
    """
    found = []
    for group in groups:
        curves = [curve for run in group.completed or group.runs if (curve := series.main_curve(run))]
        if curves:
            last = min(curve[-1].epoch for curve in curves)
            spreads = [each for each in series.spread(curves) if each.epoch <= last]
            found.append(Band(group.name, spreads, len(curves)))
    return found


def accuracy_by_setting(groups: Sequence[Group]) -> Picture | None:
    """Draw each setting's accuracy against the epoch: mean and range over its seeds."""
    title = f"Accuracy over epochs, by {_varied(groups)}"
    found = bands(groups)
    if not found:
        return None
    figure = drawing.frame(title, _subtitle(groups, found), height_inches=3.9)
    axes = figure.add_subplot()
    ends: list[EndLabel] = []
    for band, stroke in zip(found, strokes([_height(band) for band in found]), strict=True):
        ends += _draw(axes, band, stroke)
    axes.margins(x=0.03, y=0.08)
    drawing.mark_epochs(axes, _epoch(groups))
    drawing.mark_percent(axes)
    drawing.label_ends(axes, ends)
    caption = "What each epoch taught: a line is a setting's global model (or the mean of its workers' own)."
    return drawing.finish(figure, "accuracy-settings", title, caption)


def _varied(groups: Sequence[Group]) -> str:
    """Say in what the groups differ, if that is not too much for a title."""
    words = list(dict.fromkeys(naming.called(key) for key in groups[0].settings))
    if not 1 <= len(words) <= _MOST_WORDS:
        return "setting"
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _common(groups: Sequence[Group], key: str) -> str | None:
    """Give a setting of `[learning]` that all runs have; None if they differ, or none has it."""
    found = [run.settings.get("learning", {}).get(key, "") for group in groups for run in group.runs]
    values = {", ".join(value) if isinstance(value, list) else str(value) for value in found}
    return next(iter(values)) or None if len(values) == 1 else None


def _epoch(groups: Sequence[Group]) -> str:
    """Call the horizontal axis, and say how long an epoch is where that is not one pass over the data."""
    steps = _common(groups, "local_steps")
    return f"epoch (of {steps} step{'' if steps == '1' else 's'})" if steps else "epoch"


def _subtitle(groups: Sequence[Group], found: Sequence[Band]) -> str:
    dataset, model = _common(groups, "dataset"), _common(groups, "model") or _common(groups, "models")
    what = ", ".join(filter(None, (dataset and PurePath(dataset).stem, model)))
    counts = {band.seeds for band in found}
    many = f"{'up to ' if len(counts) > 1 else ''}{max(counts)} seeds"
    over = f"mean of {many}, shaded from worst to best" if max(counts) > 1 else ""
    return " · ".join(filter(None, (what, over, told(len(found), "settings"))))


def _height(band: Band) -> float:
    """Judge a band by its last tenth: the very last epoch is chance."""
    tail = band.spreads[-max(1, len(band.spreads) // 10) :]
    return fmean(each.mean for each in tail)


def _draw(axes: Axes, band: Band, stroke: Stroke) -> Sequence[EndLabel]:
    epochs = [each.epoch for each in band.spreads]
    axes.plot(
        epochs,
        [each.mean for each in band.spreads],
        color=stroke.colour,
        linewidth=stroke.width,
        marker="o" if len(epochs) == 1 else "",
        zorder=3 if stroke.named else 2,
    )
    if not stroke.named:
        return []
    if band.seeds > 1:
        lows, highs = [each.low for each in band.spreads], [each.high for each in band.spreads]
        axes.fill_between(epochs, lows, highs, color=stroke.colour, alpha=0.14, linewidth=0)
    last = band.spreads[-1]
    name = f"{units.wrap(band.name)}  {units.percent(last.mean, 1)}"
    return [EndLabel(last.epoch, last.mean, name, stroke.colour)]
