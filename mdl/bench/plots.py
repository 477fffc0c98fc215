"""Plots of a benchmark, in the style of the reports."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mdl.bench.scaling import BLOCK, Growth, Point
from mdl.bench.schemes import Found, Row
from mdl.bench.tables import figure as three_digits
from mdl.report import drawing
from mdl.report.drawing import Picture


@dataclass(frozen=True)
class Kind:
    """A kind of bar: what it means, its colour, its length, and whether that is written at its end."""

    name: str
    colour: str
    of: Callable[[Row], float]
    told: bool = True


_STEPS: Final = (
    Kind("encrypt", drawing.BLUE, lambda row: row.encrypt, told=False),
    Kind("share", drawing.VERMILION, lambda row: row.share, told=False),
    Kind("manager", drawing.GREEN, lambda row: row.manager, told=False),
    Kind("all parties", drawing.IDLE, lambda row: row.all_parties),
)
_WAYS: Final = (
    Kind("up", drawing.SKY, lambda row: row.up),
    Kind("down", drawing.ORANGE, lambda row: row.down),
)


def of_schemes(found: Found) -> Picture:
    """Draw what each step costs, and what travels, on logarithmic axes. There must be a row."""
    size, rows = found.size, found.rows
    title = "What hiding a parameter costs"
    subtitle = f"n = {size.workers}, m = {size.threshold}, {size.parameters:,} parameters · one core"
    caption = (
        "CPU time and bytes of one parameter, on logarithmic axes. Encrypt is one member's work, share one "
        "opener's; all parties are every member, every opener and the manager."
    )
    with drawing.theme():
        keys = [Patch(color=kind.colour, label=kind.name) for kind in (*_STEPS, *_WAYS)]
        figure = drawing.frame(title, subtitle, 0.5 * len(rows) + 0.7, keys)
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[5, 3])
        _bars(left, rows, _STEPS)
        _bars(right, rows, _WAYS)
        left.xaxis.set_major_locator(LogLocator(100))
        left.set_xlabel("CPU µs a parameter")
        right.set_xlabel("bytes a parameter and worker")
        left.set_yticks(range(len(rows)), [row.name for row in rows], color=drawing.INK)
        left.set_ylim(len(rows) - 0.4, -0.6)
        return drawing.finish(figure, "schemes", title, caption)


def _bars(axes: Axes, rows: Sequence[Row], kinds: Sequence[Kind]) -> None:
    """Draw a bar of each kind for each row. What costs nothing has none."""
    thickness = 0.84 / len(kinds)
    lengths = [kind.of(row) for row in rows for kind in kinds if kind.of(row) > 0]
    for index, kind in enumerate(kinds):
        for place, row in enumerate(rows):
            length = kind.of(row)
            middle = place + (index - (len(kinds) - 1) / 2) * thickness
            if length > 0:
                axes.barh(middle, length, height=thickness, color=kind.colour, linewidth=0)
            if length > 0 and kind.told:
                axes.annotate(
                    three_digits(length),
                    xy=(length, middle),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    size=8,
                    color=drawing.MUTED,
                )
    axes.set_xscale("log")
    axes.set_xlim(min(lengths) / 2, max(lengths) * 20)  # room for the longest bar's figure
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def of_growth(growth: Growth) -> Picture:
    """Draw the costs against n and against t, and linear growth beside them. Each line must have a point."""
    title = "How the cost of rlwe grows"
    subtitle = f"CPU ms of an exchange, one core · blocks of {BLOCK:,}"
    caption = (
        "CPU time of a worker that is a member and answers, by the way in which short keys are shared, and "
        "of the manager. Left: against n, with m = n/2. Right: against t. A dotted line grows as its axis "
        "does. PRSS ends where it would take too many keys."
    )
    with drawing.theme():
        keys = [Patch(color=line.colour, label=line.name) for line in _LINES]
        figure = drawing.frame(title, subtitle, 3.2, keys)
        left, right = figure.subplots(1, 2)
        _draw(left, growth.by_workers, lambda point: point.workers, "{:,.0f}")
        _draw(right, growth.by_parameters, lambda point: point.parameters / 1000, "{:,.0f}k")
        left.set_xlabel(f"workers n; t = {growth.size.parameters:,}")
        right.set_xlabel(f"parameters t; n = {growth.size.workers}, m = {growth.size.threshold}")
        return drawing.finish(figure, "scaling", title, caption)


@dataclass(frozen=True)
class _Line:
    """A line against n or t: what it is called, its colour, the points on it, and their heights."""

    name: str
    colour: str
    keys: str
    of: Callable[[Point], float]


_LINES: Final = (
    _Line("worker, sealed keys", drawing.BLUE, "shamir", lambda point: point.worker),
    _Line("worker, PRSS keys", drawing.PURPLE, "prss", lambda point: point.worker),
    _Line("manager", drawing.VERMILION, "shamir", lambda point: point.manager),
)


def _draw(axes: Axes, points: Sequence[Point], where: Callable[[Point], float], written: str) -> None:
    for line in _LINES:
        mine = [point for point in points if point.keys == line.keys]
        places, costs = [where(point) for point in mine], [line.of(point) for point in mine]
        linear = [costs[0] * place / places[0] for place in places]
        axes.plot(places, costs, color=line.colour, linewidth=2, marker="o", markersize=5)
        axes.plot(places, linear, color=line.colour, linewidth=1.2, linestyle=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = sorted({where(point) for point in points})
    axes.set_xticks(ticks, [written.format(tick) for tick in ticks])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
