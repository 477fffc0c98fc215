"""Plots of costs: bytes by kind of message, time by activity.

Each takes one run or several, within `drawing.theme`, and is None where the runs recorded nothing for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from mdl.errors import party_name
from mdl.report import drawing, naming, series, units
from mdl.report.drawing import Picture
from mdl.report.runs import Run
from mdl.report.series import Flow

MOST_KINDS: Final = 12
"""So many kinds of message get a bar of their own."""

_ACTIVITY_COLOURS: Final[Mapping[str, str]] = {
    "training": drawing.BLUE,
    "cryptography": drawing.VERMILION,
    "evaluation": drawing.SKY,
    "waiting": drawing.IDLE,
}
_OTHER_COLOURS: Final = (drawing.GREEN, drawing.PURPLE, drawing.ORANGE)


@dataclass(frozen=True)
class Bar:
    """A stacked bar: its name, the lengths of its layers, and the word at its end."""

    name: str
    lengths: Sequence[float]
    word: str


@dataclass(frozen=True)
class Layer:
    """What a layer of the bars means, and its colour."""

    name: str
    colour: str


def bytes_by_kind(runs: Sequence[Run]) -> Picture | None:
    """Draw the bytes sent in messages of each kind, by direction."""
    title = "Bytes by kind of message"
    found = [fold(series.flows(run)) for run in runs]
    longest = max((flow.size_bytes for flows in found for flow in flows), default=0)
    unit, unit_bytes = units.byte_unit(longest)
    panels = [[_flow_bar(flow, unit_bytes) for flow in flows] for flows in found]
    layers = [Layer("sent by workers", drawing.BLUE)]
    if beside := " or ".join(dict.fromkeys(run.beside for run in runs if run.beside)):
        layers.append(Layer(f"sent by the {beside}", drawing.ORANGE))
    figure = _stacked(runs, title, panels, layers)
    if figure is None:
        return None
    figure.axes[-1].set_xlabel(f"{unit} on the links, framing included")
    caption = (
        "What all parties together put on the links over the whole run, each message counted once, by its "
        "sender: the longest bar is where bytes could be saved."
    )
    return drawing.finish(figure, "bytes", title, caption)


def time_by_activity(runs: Sequence[Run]) -> Picture | None:
    """Draw the time each party spent on each activity."""
    title = "Time by activity"
    spent = [series.time_spent(run) for run in runs]
    names = series.activities(sums for parties in spent for sums in parties.values())
    longest = max((sum(sums.values()) for parties in spent for sums in parties.values()), default=0.0)
    unit, unit_seconds = units.time_unit(longest)
    panels = [
        [_party_bar(run.name_of(party), sums, names, unit_seconds) for party, sums in parties.items()]
        for run, parties in zip(runs, spent, strict=True)
    ]
    figure = _stacked(runs, title, panels, list(_activity_layers(names)))
    if figure is None:
        return None
    figure.axes[-1].set_xlabel(", ".join(filter(None, (unit, naming.clock(runs), "activities added up"))))
    caption = (
        "What each party did with its time over the whole run; busy is all but waiting. Activities of one "
        "party can overlap, so a bar may be longer than the run. Parties at their own pace listen while they "
        "work: no waiting is counted for them. Pauses of slow workers are not shown."
    )
    return drawing.finish(figure, "time", title, caption)


def contributions_by_worker(runs: Sequence[Run]) -> Picture | None:
    """Draw how many of each worker's contributions were taken, in the runs that counted them."""
    title = "Contributions taken, by worker"
    counting = [run for run in runs if series.accepted(run)]
    panels = [
        [
            Bar(party_name(worker), [count], units.count(count))
            for worker, count in series.accepted(run).items()
        ]
        for run in counting
    ]
    figure = _stacked(counting, title, panels, [Layer("accepted", drawing.BLUE)])
    if figure is None:
        return None
    figure.axes[-1].set_xlabel("contributions: one worker's gradient of one block each")
    caption = (
        "Whose gradients were accepted into a sum: bars of one length are what Jain's index calls 1, and a "
        "single bar among n is 1/n."
        + (" Runs that counted none are left out." if len(counting) < len(runs) else "")
    )
    return drawing.finish(figure, "contributions", title, caption)


def fold(flows: Sequence[Flow]) -> Sequence[Flow]:
    """Put the kinds that weigh least into one: at most `MOST_KINDS` + 1 remain. The heaviest come first."""
    if len(flows) <= MOST_KINDS + 1:
        return flows
    rest = flows[MOST_KINDS:]
    up, down = series.total(flow.up for flow in rest), series.total(flow.down for flow in rest)
    return [*flows[:MOST_KINDS], Flow(f"{len(rest)} other kinds", up, down)]


def _flow_bar(flow: Flow, unit_bytes: float) -> Bar:
    lengths = [flow.up.size_bytes / unit_bytes, flow.down.size_bytes / unit_bytes]
    return Bar(flow.kind, lengths, units.size(flow.size_bytes))


def _party_bar(name: str, sums: Mapping[str, float], names: Sequence[str], unit_seconds: float) -> Bar:
    busy = sum(seconds for activity, seconds in sums.items() if activity != "waiting")
    return Bar(name, [sums.get(each, 0.0) / unit_seconds for each in names], f"{units.duration(busy)} busy")


def _activity_layers(names: Sequence[str]) -> Iterator[Layer]:
    others = [name for name in names if name not in _ACTIVITY_COLOURS]
    for name in names:
        if name in _ACTIVITY_COLOURS:
            yield Layer(name, _ACTIVITY_COLOURS[name])
        else:
            yield Layer(name, _OTHER_COLOURS[others.index(name) % len(_OTHER_COLOURS)])


def _stacked(
    runs: Sequence[Run], title: str, panels: Sequence[Sequence[Bar]], layers: Sequence[Layer]
) -> Figure | None:
    """Draw a panel of bars for each run, one under the other on one axis: lengths compare across runs."""
    if not layers or not any(panels):
        return None
    names = naming.labels(runs)
    head = units.shorten(names[0], 60) if len(runs) == 1 else f"{len(runs)} runs on one scale"
    subtitle = " · ".join(filter(None, (head, naming.clock(runs))))
    keys = [Patch(color=layer.colour, label=layer.name) for layer in layers]
    figure = drawing.frame(title, subtitle, _height_inches(panels), keys)
    ratios = [max(len(bars), 1) + 0.3 for bars in panels]
    grid = figure.subplots(len(runs), 1, sharex=True, squeeze=False, height_ratios=ratios)
    for axes, bars, name in zip(grid[:, 0], panels, names, strict=True):
        _draw_bars(axes, bars, layers)
        if len(runs) > 1:
            axes.set_title(units.shorten(name, 60), loc="left", size=10, weight="bold")
    longest = max((sum(bar.lengths) for bars in panels for bar in bars), default=0.0)
    grid[0, 0].set_xlim(0, longest or 1.0)  # the axes share it: the longest bar of all runs fits
    return figure


def _height_inches(panels: Sequence[Sequence[Bar]]) -> float:
    rows = sum(max(len(bars), 1) for bars in panels)
    heads = 0.0 if len(panels) == 1 else 0.4 * len(panels)
    # Some eight inches of bars fit a screen; beyond that they get thinner, down to what a label needs.
    return rows * min(max(8 / rows, 0.2), 0.32) + heads + 0.7


def _draw_bars(axes: Axes, bars: Sequence[Bar], layers: Sequence[Layer]) -> None:
    places = range(len(bars))
    starts = [0.0] * len(bars)
    for index, layer in enumerate(layers):
        lengths = [bar.lengths[index] for bar in bars]
        axes.barh(places, lengths, left=starts, height=0.68, color=layer.colour, linewidth=0)
        starts = [start + length for start, length in zip(starts, lengths, strict=True)]
    for place, start, bar in zip(places, starts, bars, strict=True):
        axes.annotate(
            bar.word,
            xy=(start, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            size=9,
            color=drawing.MUTED,
        )
    axes.set_yticks(places, [bar.name for bar in bars], color=drawing.INK)
    axes.set_ylim(max(len(bars), 1) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    if not bars:
        axes.text(0.0, 0.5, "nothing recorded", transform=axes.transAxes, va="center", color=drawing.MUTED)
