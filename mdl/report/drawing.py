"""How plots look, and how they become files: the theme, the frame around a plot, SVG and PNG.

Figures are built on matplotlib's objects alone; nothing here touches pyplot, which keeps figures
in a global.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mdl.report import units

INK: Final = "#1b1f24"
MUTED: Final = "#5b6471"
GRID: Final = "#e3e6eb"
PAPER: Final = "#fefefe"
IDLE: Final = "#c3c9d1"

# Okabe and Ito's colours, which the colour-blind can tell apart ("Color universal design", 2008), without
# black and without the yellow that vanishes on white.
BLUE: Final = "#0072b2"
VERMILION: Final = "#d55e00"
GREEN: Final = "#009e73"
PURPLE: Final = "#cc79a7"
SKY: Final = "#56b4e9"
ORANGE: Final = "#e69f00"
PALETTE: Final = (BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE)

WIDTH_INCHES: Final = 7.0

# A line of a label, and the room between two labels.
_LINE_INCHES: Final = 0.16
_GAP_INCHES: Final = 0.04

_FONT: Final = "DejaVu Sans"

# On the page these follow its light or dark theme, so each must be a colour that is used for nothing else.
_THEMED: Final = {INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper", IDLE: "--idle"}

# Any, because matplotlib's stubs of different versions disagree about the type of a style.
_STYLE: Final[Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": PAPER,
    "font.family": _FONT,
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.fontsize": 9.5,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # a run may have a dollar sign in its name
    "xtick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.color": MUTED,
    "ytick.major.size": 0,
}

# From the label's left edge to the line's end: thin, lest it be taken for data.
_LEADER: Final = {
    "arrowstyle": "-",
    "linewidth": 0.8,
    "alpha": 0.7,
    "relpos": (0, 0.5),
    "shrinkA": 1,
    "shrinkB": 2,
}


@dataclass(frozen=True)
class Picture:
    """A finished plot.

    Attributes:
        name: lower case, for file names.
        title: a few words.
        caption: how it is to be read, one sentence.
        svg: an `<svg>` element to stand in a page that defines the theme's variables.
        png: a file's contents.
    """

    name: str
    title: str
    caption: str
    svg: str
    png: bytes


@contextmanager
def theme() -> Iterator[None]:
    """Draw in the house style within this context; matplotlib's own settings are as before after it."""
    with mpl.rc_context(_STYLE):
        yield


def frame(title: str, subtitle: str, height_inches: float, keys: Sequence[Artist] = ()) -> Figure:
    """Make a figure with title, muted subtitle and a row of legend keys in a strip above the plot area."""
    strip_inches = 0.62 + (0.3 if keys else 0.0)
    figure = Figure(figsize=(WIDTH_INCHES, height_inches + strip_inches))
    height = figure.get_figheight()
    figure.text(0.012, 1 - 0.1 / height, title, size=12.5, weight="bold", va="top").set_in_layout(False)
    figure.text(0.012, 1 - 0.36 / height, subtitle, size=9.5, color=MUTED, va="top").set_in_layout(False)
    if keys:
        legend = figure.legend(
            handles=list(keys),
            loc="upper left",
            bbox_to_anchor=(0.012, 1 - 0.56 / height),
            ncols=len(keys),
            frameon=False,
            borderaxespad=0,
            borderpad=0.1,
            handlelength=1.0,
            handleheight=0.9,
            handletextpad=0.5,
            columnspacing=1.6,
        )
        legend.set_in_layout(False)
    figure.set_layout_engine("constrained", h_pad=0.07, rect=(0, 0, 1, 1 - strip_inches / height))
    return figure


@dataclass(frozen=True)
class EndLabel:
    """A word about a line, to stand at the right of the plot.

    Attributes:
        x: of the line's end, in the axes' units; None for a level, which ends where the axes do.
        y: of the line's end, in the axes' units.
        text: the word.
        colour: the line's.
    """

    x: float | None
    y: float
    text: str
    colour: str


def label_ends(axes: Axes, ends: Sequence[EndLabel], *, leaders: bool = True) -> None:
    """Name lines at their ends, the labels pushed apart where they would touch.

    The axes' limits must be final. A label may have several lines.

    Args:
        axes: to their right the labels stand.
        ends: what to name.
        leaders: whether a thin line joins each end with its label.
    """
    low, high = axes.get_ylim()
    right = axes.get_xlim()[1]
    figure = axes.figure
    assert isinstance(figure, Figure)
    inch = (high - low) / (figure.get_figheight() - 1.2)
    ends = sorted(ends, key=lambda end: end.y)
    sizes = [(_LINE_INCHES * (1 + end.text.count("\n")) + _GAP_INCHES) * inch for end in ends]
    heights = spread_out([end.y for end in ends], sizes, low, high)
    for end, height in zip(ends, heights, strict=True):
        axes.annotate(
            end.text,
            xy=(right if end.x is None else end.x, end.y),
            xytext=(1.035, height),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            size=9.5,
            color=INK,
            annotation_clip=False,
            arrowprops={**_LEADER, "color": end.colour} if leaders else None,
        )


def mark_epochs(axes: Axes, label: str) -> None:
    """Mark the horizontal axis in whole epochs."""
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def mark_percent(axes: Axes) -> None:
    """Mark the vertical axis in per cent of accuracy, within what there is to see."""
    low, high = axes.get_ylim()
    # Beyond 0 and 100 % there is nothing to see; a little room keeps a line along the edge whole.
    low, high = max(low, -0.005), min(high, 1.005)
    axes.set_ylim(low, high)
    digits = 0 if high - low > 0.06 else 1
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: units.percent(round(value, 6), digits)))
    axes.set_ylabel("accuracy on the test set")


def spread_out(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> Sequence[float]:
    """Move labels of these sizes off each other, and none below `low`.

    None is above `high` either, if there is room for all. A label that is free already stays.

    Args:
        wanted: where their middles should be, ascending.
        sizes: how high each is.
        low: where the lowest middle may be.
        high: where the highest middle may be.

    Returns:
        Where their middles are.
    """
    gaps = [(lower + upper) / 2 for lower, upper in pairwise(sizes)]
    heights: list[float] = []
    for height, gap in zip(wanted, [0.0, *gaps], strict=False):
        heights.append(max(height, heights[-1] + gap if heights else low))
    ceiling = high
    for index in reversed(range(len(heights))):
        heights[index] = min(heights[index], ceiling)
        ceiling = heights[index] - (gaps[index - 1] if index else 0.0)
    lift = max(0.0, low - heights[0]) if heights else 0.0
    return [height + lift for height in heights]


def finish(figure: Figure, name: str, title: str, caption: str) -> Picture:
    """Turn a figure into files."""
    svg = _svg(figure, name, title)
    figure.set_layout_engine("none")  # all has its place: finding it again takes as long as drawing
    return Picture(name, title, caption, svg, _png(figure))


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()


def _svg(figure: Figure, name: str, title: str) -> str:
    buffer = io.StringIO()
    # The salt keeps element names of different plots on one page apart, and those of one plot the same.
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    # Who has not this font gets one as wide, or at least one without serifs.
    text = text.replace(f"'{_FONT}'", f"'{_FONT}', Verdana, sans-serif")
    for colour, variable in _THEMED.items():
        text = text.replace(colour, f"var({variable})")
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
