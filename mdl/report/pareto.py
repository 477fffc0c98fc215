"""What accuracy costs: accuracy against bytes, time and privacy, with the settings that no other beats."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator

from mdl.report import drawing, naming, units
from mdl.report.drawing import EndLabel, Picture
from mdl.report.groups import Estimate, Group
from mdl.report.quantities import (
    ACCURACY,
    BYTES,
    EPSILON_PARAMETER,
    EPSILON_RECORD,
    EPSILON_WORKER,
    SECONDS,
    Quantity,
)

COSTS: Final = (EPSILON_RECORD, EPSILON_WORKER, EPSILON_PARAMETER, BYTES, SECONDS)
"""Of each less is better; a large ε is little privacy."""

FEWEST_TRADES: Final = 3
"""Fewer settings are a pair, and read from the table."""

LOGARITHMIC_RATIO: Final = 20.0

SAME_COST_RATIO: Final = 1.02
"""Costs within this ratio are all alike: what is left between them is noise."""

DOT: Final = (0.015, 0.025)
"""Width and height of a dot, as parts of the axes'."""

TICK_GAP_INCHES: Final = 0.08
"""Between two words at the horizontal axis."""

_BEATEN: Final = "#8d97a3"

MOST_NAMES: Final = 9
"""So many settings are numbered and named: all, or else those on the front."""


@dataclass(frozen=True)
class Trade:
    """What a setting costs, and what accuracy it gives for that."""

    name: str
    cost: Estimate
    accuracy: Estimate


def trades(groups: Sequence[Group], cost: Quantity) -> Sequence[Trade]:
    """List the settings of which both are known, in the groups' order."""
    found = []
    for group in groups:
        price, reached = group.estimate(cost), group.estimate(ACCURACY)
        if price is not None and reached is not None:
            found.append(Trade(group.name, price, reached))
    return found


def front(found: Sequence[Trade]) -> Sequence[Trade]:
    """Give the trades that no other beats, by ascending cost.

    One beats another if it costs no more and is at least as accurate, and is better in one of these. Of
    trades that are equal in both all are given.
    """
    unbeaten: list[Trade] = []
    for trade in sorted(found, key=lambda each: (each.cost.mean, -each.accuracy.mean)):
        best = unbeaten[-1] if unbeaten else None
        equal = best is not None and (best.cost.mean, best.accuracy.mean) == (
            trade.cost.mean,
            trade.accuracy.mean,
        )
        if best is None or equal or trade.accuracy.mean > best.accuracy.mean:
            unbeaten.append(trade)
    return unbeaten


def accuracy_for(groups: Sequence[Group], cost: Quantity) -> Picture | None:
    """Draw every setting's accuracy against a cost, and the front; None where there is no trade to make."""
    found = trades(groups, cost)
    prices = sorted(trade.cost.mean for trade in found)
    if len(found) < FEWEST_TRADES or prices[-1] <= SAME_COST_RATIO * prices[0]:
        return None
    title = f"Accuracy for {cost.title}"
    runs = [run for group in groups for run in group.runs]
    clock = naming.clock(runs) if cost is SECONDS else ""
    said = ("joined: what no other setting beats", clock)
    figure = drawing.frame(title, " · ".join(filter(None, said)), height_inches=3.9)
    _draw(figure, found, cost)
    caption = (
        "Up and to the left is better. Joined and coloured are the settings that no other beats: none costs "
        "less and is as accurate. Bars: a standard deviation over seeds."
    )
    return drawing.finish(figure, f"pareto-{cost.key.replace('_', '-')}", title, caption)


def _draw(figure: Figure, found: Sequence[Trade], cost: Quantity) -> None:
    axes = figure.add_subplot()
    unbeaten = front(found)
    _scatter(axes, [trade for trade in found if trade not in unbeaten], _BEATEN)
    _scatter(axes, unbeaten, drawing.BLUE)
    costs, heights = _means(unbeaten)
    axes.plot(costs, heights, color=drawing.BLUE, linewidth=1.6, drawstyle="steps-post", zorder=3)
    prices = sorted(trade.cost.mean for trade in found)
    logarithmic = prices[0] > 0 and prices[-1] > LOGARITHMIC_RATIO * prices[0]
    if logarithmic:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: cost.write(value)))
    axes.margins(x=0.06, y=0.1)
    axes.set_xlabel(cost.title)
    drawing.mark_percent(axes)
    axes.minorticks_off()
    _number(axes, found if len(found) <= MOST_NAMES else _telling(unbeaten))
    mark_costs(figure, axes, logarithmic=logarithmic)


def mark_costs(figure: Figure, axes: Axes, *, logarithmic: bool) -> None:
    """Mark the horizontal axis as densely as its width, which the names beside it decide, lets one read."""
    for locator in _locators(logarithmic=logarithmic):
        axes.xaxis.set_major_locator(locator)
        figure.draw_without_rendering()
        low, high = axes.get_xlim()
        shown = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
        extents = [label.get_window_extent() for label in shown]
        room = figure.dpi * TICK_GAP_INCHES
        if all(left.x1 + room <= right.x0 for left, right in pairwise(extents)):
            return


def _locators(*, logarithmic: bool) -> Iterator[Locator]:
    """Give ways to mark an axis, from dense to sparse."""
    if logarithmic:
        for subs in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
            yield LogLocator(subs=subs)
        yield from (LogLocator(numticks=count) for count in (4, 3, 2))
    else:
        yield from (MaxNLocator(nbins=count) for count in (8, 6, 5, 4, 3, 2, 1))


def _telling(unbeaten: Sequence[Trade]) -> Sequence[Trade]:
    """Choose whom to name where there is no room for all: evenly along the front, its ends included."""
    if len(unbeaten) <= MOST_NAMES:
        return unbeaten
    step = (len(unbeaten) - 1) / (MOST_NAMES - 1)
    return [unbeaten[round(step * index)] for index in range(MOST_NAMES)]


def _number(axes: Axes, named: Sequence[Trade]) -> None:
    """Write numbers into the dots, from the highest down, and what they mean beside the plot."""
    ends: list[EndLabel] = []
    dots: list[tuple[tuple[float, float], list[str]]] = []
    for number, trade in enumerate(sorted(named, key=lambda each: -each.accuracy.mean), start=1):
        place = (trade.cost.mean, trade.accuracy.mean)
        same = next((numbers for other, numbers in dots if _touch(axes, place, other)), None)
        if same is None:
            dots.append((place, [str(number)]))
        else:
            same.append(str(number))
        text = f"{number}  {units.wrap(trade.name)}  {units.percent(trade.accuracy.mean, 1)}"
        ends.append(EndLabel(*place, text.replace("\n", "\n    "), drawing.BLUE))
    for place, numbers in dots:
        axes.annotate(
            ",".join(numbers) if len(numbers) < 3 else f"{numbers[0]}…{numbers[-1]}",
            xy=place,
            ha="center",
            va="center_baseline",
            size=8 if len(numbers) == 1 else 6,
            color=drawing.PAPER,
            zorder=5,
        )
    # Upwards: of labels for one height the later stands above.
    drawing.label_ends(axes, ends[::-1], leaders=False)


def _touch(axes: Axes, one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Tell whether two dots lie on each other, so that their numbers could not be told apart."""
    to_axes = axes.transScale + axes.transLimits
    (left, low), (right, high) = to_axes.transform([one, other])
    return bool(abs(left - right) < DOT[0] and abs(low - high) < DOT[1])


def _scatter(axes: Axes, found: Sequence[Trade], colour: str) -> None:
    costs, heights = _means(found)
    axes.errorbar(
        costs,
        heights,
        xerr=[trade.cost.deviation for trade in found],
        yerr=[trade.accuracy.deviation for trade in found],
        fmt="o",
        color=colour,
        markersize=11 if colour == drawing.BLUE else 9,
        elinewidth=1.0,
        zorder=4 if colour == drawing.BLUE else 2,
    )


def _means(found: Sequence[Trade]) -> tuple[Sequence[float], Sequence[float]]:
    return [trade.cost.mean for trade in found], [trade.accuracy.mean for trade in found]
