"""Accuracy against a number that the runs vary, the other settings apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from mdl.report import drawing, naming, units
from mdl.report.drawing import EndLabel, Picture
from mdl.report.emphasis import Stroke, strokes, told
from mdl.report.groups import Estimate, Group
from mdl.report.quantities import ACCURACY

FEWEST_VALUES: Final = 3
"""Fewer values of a number make no curve."""

LOGARITHMIC_RATIO: Final = 10.0
"""Values that span more are often a geometric row, and crowd at the left of a linear axis."""


@dataclass(frozen=True)
class Curve:
    """What is reached at each value of the number, all other settings the same.

    Attributes:
        name: the other settings; empty if nothing else varies.
        points: ascending values, each with its accuracy.
    """

    name: str
    points: Sequence[tuple[float, Estimate]]


def numeric_keys(groups: Sequence[Group]) -> Sequence[str]:
    """List the varied keys that are numbers wherever they are set, of enough different values."""
    found = []
    for key in groups[0].settings:
        values = {group.settings[key] for group in groups if _is_number(group.settings[key])}
        others = [
            each for group in groups if not _is_number(each := group.settings[key]) and each is not None
        ]
        if len(values) >= FEWEST_VALUES and not others:
            found.append(key)
    return found


def curves(groups: Sequence[Group], key: str) -> Sequence[Curve]:
    """Put the groups in lines along a key; those that do not set it, or have no accuracy, are left out."""
    found: dict[str, list[tuple[float, Estimate]]] = {}
    for group in groups:
        reached = group.estimate(ACCURACY)
        if reached is not None and group.settings[key] is not None:
            rest = {name: value for name, value in group.settings.items() if name != key}
            found.setdefault(naming.told(rest), []).append((float(group.settings[key]), reached))
    return [Curve(name, sorted(points, key=lambda point: point[0])) for name, points in found.items()]


def accuracy_against(groups: Sequence[Group], key: str) -> Picture | None:
    """Draw the last accuracy against a varied number, a line for each combination of the other settings."""
    keys = list(groups[0].settings)
    word = naming.short_keys(keys)[keys.index(key)]
    title = f"Accuracy against {word}"
    found = curves(groups, key)
    places = sorted({place for curve in found for place, _ in curve.points})
    if len(places) < FEWEST_VALUES:
        return None
    said = ("after the last epoch", told(len(found), "lines"))
    figure = drawing.frame(title, " · ".join(filter(None, said)), height_inches=3.9)
    axes = figure.add_subplot()
    ends: list[EndLabel] = []
    heights = [max(reached.mean for _, reached in curve.points) for curve in found]
    for curve, stroke in zip(found, strokes(heights), strict=True):
        ends += _draw(axes, curve, stroke)
    if places[0] > 0 and places[-1] > LOGARITHMIC_RATIO * places[0]:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if len(places) <= 8:
        axes.set_xticks(places)
        axes.minorticks_off()
    axes.margins(x=0.05, y=0.1)
    axes.set_xlabel(key)
    drawing.mark_percent(axes)
    drawing.label_ends(axes, ends)
    caption = "Where more of it helps, and where it stops to. Bars: a standard deviation over seeds."
    return drawing.finish(figure, f"accuracy-by-{word}", title, caption)


def _draw(axes: Axes, curve: Curve, stroke: Stroke) -> Sequence[EndLabel]:
    places = [place for place, _ in curve.points]
    means = [reached.mean for _, reached in curve.points]
    axes.errorbar(
        places,
        means,
        yerr=[reached.deviation for _, reached in curve.points],
        color=stroke.colour,
        linewidth=stroke.width,
        elinewidth=1.0,
        capsize=2.5,
        marker="o",
        markersize=3 + stroke.width,
        zorder=3 if stroke.named else 2,
    )
    name = units.wrap(curve.name)
    return [EndLabel(places[-1], means[-1], name, stroke.colour)] if stroke.named and name else []


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
