"""Plots of accuracy: lines over epochs and over time.

Each takes one run or several, within `drawing.theme`, and is None where the runs recorded nothing for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mdl.report import drawing, naming, series, units
from mdl.report.drawing import EndLabel, Picture
from mdl.report.runs import Run
from mdl.report.series import Point, Spread

Clock: TypeAlias = Callable[[Point | Spread], float]
"""Where on the horizontal axis a score stands."""

Dashes: TypeAlias = tuple[float, tuple[float, ...]]

MOST_BANDS: Final = 4
"""With more runs in one plot, bands and levels would cover each other."""

LONGEST_RATIO: Final = 20.0
"""Runs whose lengths differ by more share a logarithmic time axis: on a linear one the short are a stroke."""


@dataclass(frozen=True)
class Look:
    """How a line is drawn and what it is called.

    Attributes:
        width: in points.
        dashes: lengths of strokes and gaps in line widths, empty for a solid line.
        phase: where in the dashes the line begins, so that lines on top of each other show in turn.
    """

    name: str
    colour: str
    width: float = 2.6
    dashes: tuple[float, ...] = ()
    phase: float = 0.0

    @property
    def style(self) -> str | Dashes:
        """The dashes, as matplotlib takes them."""
        return (self.phase, self.dashes) if self.dashes else "-"


_GLOBAL: Final = Look("global", drawing.BLUE)
_OWN: Final = Look("workers' own (mean)", drawing.GREEN)
_REFERENCES: Final = {
    "alone": Look("trained alone (mean)", drawing.VERMILION, 1.6, (5, 2.5)),
    "pooled": Look("data pooled", drawing.PURPLE, 1.8, (1, 1.6)),
}


def accuracy_over_epochs(runs: Sequence[Run]) -> Picture | None:
    """Draw each model's accuracy on the test set against the epoch."""
    title = "Accuracy over epochs"
    figure = _accuracy(runs, title, lambda score: score.epoch, logarithmic=False)
    if figure is None:
        return None
    axes = figure.axes[0]
    drawing.mark_epochs(axes, "epoch")
    caption = f"What each epoch taught. {_legend(runs)}"
    if any(run.summary.own_pace for run in runs):
        caption += " Workers at their own pace count epochs of their own."
    return drawing.finish(figure, "accuracy-epochs", title, caption)


def accuracy_over_time(runs: Sequence[Run]) -> Picture | None:
    """Draw each model's accuracy on the test set against the time since its run's start."""
    title = "Accuracy over time"
    lengths = [_length_seconds(run) for run in runs]
    unit, unit_seconds = units.time_unit(max(lengths))
    positive = [length for length in lengths if length > 0]
    logarithmic = bool(positive) and max(positive) > LONGEST_RATIO * min(positive)
    figure = _accuracy(runs, title, lambda score: score.seconds / unit_seconds, logarithmic=logarithmic)
    if figure is None:
        return None
    if not logarithmic:
        figure.axes[0].set_xlim(left=0)
    said = ["since the run's start", naming.clock(runs), "logarithmic" if logarithmic else ""]
    figure.axes[0].set_xlabel(f"{unit} {', '.join(filter(None, said))}")
    caption = f"How soon an accuracy was reached, cryptography and waiting included. {_legend(runs)}"
    return drawing.finish(figure, "accuracy-time", title, caption)


def _length_seconds(run: Run) -> float:
    """Say how long after the run's start its last score on a line was taken, 0 if there is none."""
    lines = [*series.curves(run, "global").values(), *series.curves(run, "own").values()]
    return max((point.seconds for line in lines for point in line), default=0.0)


def _accuracy(runs: Sequence[Run], title: str, clock: Clock, *, logarithmic: bool) -> Figure | None:
    if not any(_has_a_line(run) for run in runs):
        return None
    names = naming.labels(runs)
    said = [units.shorten(names[0], 60) if len(runs) == 1 else "", naming.clock(runs)]
    subtitle = " · ".join(filter(None, said))
    figure = drawing.frame(title, subtitle, height_inches=3.7)
    axes = figure.add_subplot()
    ends = _one_run(axes, runs[0], clock) if len(runs) == 1 else _many_runs(axes, runs, names, clock)
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.margins(x=0.03, y=0.08)
    drawing.mark_percent(axes)
    drawing.label_ends(axes, ends)
    return figure


def _has_a_line(run: Run) -> bool:
    """Say whether a run has scores to stand on an axis; a level alone is better read from the table."""
    if series.curves(run, "global") or series.curves(run, "own"):
        return True
    return any(len(line) > 1 for model in _REFERENCES for line in series.curves(run, model).values())


def _one_run(axes: Axes, run: Run, clock: Clock) -> list[EndLabel]:
    """Draw one run's models, a colour for each kind of model."""
    own, shared = series.curves(run, "own"), series.global_curve(run)
    sums, last = series.own_spread(run), series.last_own(run)
    _band(axes, sums, clock, _OWN.colour)
    for line in own.values():
        _line(axes, line, clock, Look("", _OWN.colour, width=0.9), alpha=0.55)
    ends = []
    if shared:
        ends.append(_main_line(axes, run, shared, clock, _GLOBAL))
    if last and shared:
        ends.append(_end(clock(last), last.mean, _OWN))
    elif sums:
        ends.append(_main_line(axes, run, _means(sums), clock, _OWN))
    for model, look in _REFERENCES.items():
        ends += _reference(axes, run, model, clock, look)
    return ends


def _many_runs(axes: Axes, runs: Sequence[Run], names: Sequence[str], clock: Clock) -> list[EndLabel]:
    """Draw several runs, a colour for each."""
    ends = []
    few = len(runs) <= MOST_BANDS
    for run, look in zip(runs, _looks(names), strict=True):
        main = series.main_curve(run)
        if few:
            _band(axes, series.own_spread(run), clock, look.colour)
        if main:
            ends.append(_main_line(axes, run, main, clock, look))
        if few or not main:
            dashed = Look(look.name, look.colour, 1.6, (5, 2.5), look.phase)
            level = _reference(axes, run, "alone", clock, dashed)
            ends += [] if main else level
    return ends


def _looks(names: Sequence[str]) -> Sequence[Look]:
    """Give each run a look; where colours run out, dashes begin.

    A private run and its plain oracle have one and the same curve, so what is drawn later is thinner: what
    lies under it shows at its sides.
    """
    styles: tuple[tuple[float, ...], ...] = ((), (3, 1.5), (1, 1.5))
    looks = []
    for index, name in enumerate(names):
        colour = drawing.PALETTE[index % len(drawing.PALETTE)]
        dashes = styles[index // len(drawing.PALETTE) % len(styles)]
        width = 4.2 - 2.4 * index / max(len(names) - 1, 1)
        looks.append(Look(units.wrap(name), colour, width, dashes, phase=2.5 * index))
    return looks


def _means(sums: Sequence[Spread]) -> Sequence[Point]:
    return [Point(each.epoch, each.seconds, each.mean) for each in sums]


def _end(x: float | None, accuracy: float, look: Look) -> EndLabel:
    return EndLabel(x, accuracy, f"{look.name}  {units.percent(accuracy, 1)}", look.colour)


def _line(axes: Axes, line: Sequence[Point], clock: Clock, look: Look, *, alpha: float = 1.0) -> None:
    axes.plot(
        [clock(point) for point in line],
        [point.accuracy for point in line],
        color=look.colour,
        linewidth=look.width,
        linestyle=look.style,
        alpha=alpha,
        # One point makes no line.
        marker="o" if len(line) == 1 else "",
        markersize=2 + look.width,
    )


def _main_line(axes: Axes, run: Run, line: Sequence[Point], clock: Clock, look: Look) -> EndLabel:
    """Draw the line that a run is judged by; a cross at its end says that the run did not complete."""
    _line(axes, line, clock, look)
    last = line[-1]
    axes.plot(
        clock(last),
        last.accuracy,
        marker="o" if run.completed else "X",
        markersize=4.4 + look.width if run.completed else 8.4 + look.width,
        color=look.colour,
        markeredgecolor=drawing.PAPER,
        clip_on=False,
        zorder=4,
    )
    return _end(clock(last), last.accuracy, look)


def _band(axes: Axes, sums: Sequence[Spread], clock: Clock, colour: str) -> None:
    places = [clock(each) for each in sums]
    lows, highs = [each.low for each in sums], [each.high for each in sums]
    axes.fill_between(places, lows, highs, color=colour, alpha=0.14, linewidth=0)


def _reference(axes: Axes, run: Run, model: str, clock: Clock, look: Look) -> list[EndLabel]:
    """Draw what other training reaches: a level where it was scored once, a line where more often."""
    lines = series.curves(run, model).values()
    if not lines:
        return []
    if any(len(line) > 1 for line in lines):
        means = _means(series.spread(lines))
        _line(axes, means, clock, look)
        return [_end(clock(means[-1]), means[-1].accuracy, look)]
    # Each was scored once, at its own pace perhaps after as many epochs as no other.
    level = fmean(line[0].accuracy for line in lines)
    axes.axhline(level, color=look.colour, linewidth=look.width, linestyle=look.style)
    return [_end(None, level, look)]


def _legend(runs: Sequence[Run]) -> str:
    """Say in one sentence what the strokes mean."""
    cross = "a cross: the run ended early."
    if len(runs) == 1:
        return (
            "Bold: the global model (or the mean of the workers' own); thin, and shaded from worst to best: "
            "the workers' own models; dashed: workers that trained alone; dotted: one model on all data; "
        ) + cross
    main = "a run's global model (or the mean of its workers' own)"
    if len(runs) > MOST_BANDS:
        return f"A line is {main}; {cross}"
    return (
        f"Bold: {main}; shaded: its workers' own models, worst to best; dashed: its workers trained alone, "
        f"in the mean; {cross}"
    )
