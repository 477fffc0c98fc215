"""The frame of a plot here: in the house style, with a line below that says where its numbers come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final, Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mdl.report import drawing
from mdl.report.drawing import Picture

LINE_INCHES: Final = 0.16
LINE_CHARACTERS: Final = 128
"""Of the small print below a plot."""


@dataclass(frozen=True)
class Series:
    """A line of a plot.

    Attributes:
        name: in the legend.
        colour: of the line.
        x: places, ascending.
        y: heights.
        spread: half the width of a band around it; empty for none.
        dashed: whether it is a yardstick, not the paper's.
    """

    name: str
    colour: str
    x: Sequence[float]
    y: Sequence[float]
    spread: Sequence[float] = ()
    dashed: bool = False

    @property
    def key(self) -> Artist:
        """Its entry in the legend."""
        return Line2D(
            [], [], color=self.colour, label=self.name, linestyle=self._style, marker="o", markersize=4
        )

    @property
    def _style(self) -> Literal["-", "--"]:
        return "--" if self.dashed else "-"

    def draw(self, axes: Axes) -> None:
        """Put it on the axes."""
        axes.plot(
            self.x, self.y, color=self.colour, linestyle=self._style, marker="o", markersize=4, linewidth=1.8
        )
        if self.spread:
            low = [y - s for y, s in zip(self.y, self.spread, strict=True)]
            high = [y + s for y, s in zip(self.y, self.spread, strict=True)]
            axes.fill_between(self.x, low, high, color=self.colour, alpha=0.18, linewidth=0)


def canvas(
    title: str, subtitle: str, notes: Sequence[str], keys: Sequence[Artist], height_inches: float = 3.2
) -> Figure:
    """Make a figure with a title, legend keys, and notes in small print below the plot."""
    notes = [line for note in notes for line in wrap(note, LINE_CHARACTERS)]
    room = LINE_INCHES * len(notes) + 0.1
    figure = drawing.frame(title, subtitle, height_inches + room, keys)
    height = figure.get_figheight()
    for index, note in enumerate(reversed(notes)):
        place = (0.06 + LINE_INCHES * index) / height
        figure.text(0.012, place, note, size=7.2, color=drawing.MUTED, va="bottom").set_in_layout(False)
    strip = 0.62 + (0.3 if keys else 0.0)
    figure.set_layout_engine(
        "constrained", h_pad=0.07, rect=(0, room / height, 1, 1 - (strip + room) / height)
    )
    return figure


def lines(
    name: str,
    *,
    title: str,
    subtitle: str,
    caption: str,
    notes: Sequence[str],
    panels: Mapping[str, Sequence[Series]],
    x_label: str,
    y_label: str,
    logarithmic: bool = False,
    ticks: bool = True,
    legend: Sequence[Series] = (),
) -> Picture:
    """Draw panels of lines side by side; give it as files.

    Args:
        name: of the file.
        title: a few words.
        subtitle: what was run.
        caption: how it is to be read.
        notes: small print below; the last line says where and when.
        panels: by their headings, the series of each.
        x_label: of all panels.
        y_label: of the first.
        logarithmic: whether both axes are.
        ticks: whether the places of the points are marked on the axis; else those that fit.
        legend: the series to be named; by default those of the first panel.
    """
    with drawing.theme():
        keys = [series.key for series in legend or next(iter(panels.values()))]
        figure = canvas(title, subtitle, notes, keys)
        places = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (heading, drawn) in zip(places, panels.items(), strict=True):
            for series in drawn:
                series.draw(axes)
            axes.set_xlabel(x_label)
            if heading:
                axes.set_title(heading, size=9.5, color=drawing.INK)
            if logarithmic:
                _logarithmic(axes, drawn)
            else:
                axes.set_ylim(0, 1.05 * max(y for series in drawn for y in series.y))
                axes.tick_params(axis="x", labelsize=10 if len(panels) == 1 else 8.5)
                if not ticks:
                    continue
                axes.set_xticks(sorted({x for series in drawn for x in series.x}))
                axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        places[0].set_ylabel(y_label)
        return drawing.finish(figure, name, title, caption)


def _logarithmic(axes: Axes, drawn: Sequence[Series]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({x for series in drawn for x in series.x})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.set_major_locator(LogLocator(10))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
