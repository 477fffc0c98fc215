"""Bars in groups, with what several seeds gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mdl.report import drawing
from mdl.report.drawing import Picture
from mdl.reproduction.learning_runs import Spread
from mdl.reproduction.plots import canvas


@dataclass(frozen=True)
class Bars:
    """One bar in each group.

    Attributes:
        name: in the legend.
        colour: of the bars.
        heights: by group.
    """

    name: str
    colour: str
    heights: Sequence[Spread]


def grouped(
    name: str,
    *,
    title: str,
    subtitle: str,
    caption: str,
    notes: Sequence[str],
    panels: Mapping[str, Sequence[Bars]],
    places: Sequence[str],
    x_label: str,
    y_label: str,
    lines: Mapping[str, tuple[str, float]] | None = None,
    decimals: int = 2,
) -> Picture:
    """Draw panels of grouped bars side by side; give it as files.

    Args:
        name: of the file.
        title: a few words.
        subtitle: what was run.
        caption: how it is to be read.
        notes: small print below.
        panels: by their headings, the bars of each; at least one, with the same names in all.
        places: the groups' labels.
        x_label: of all panels.
        y_label: of the first.
        lines: by panel a yardstick: its name and height.
        decimals: of the heights, where they are written.
    """
    first = next(iter(panels.values()))
    keys: list[Artist] = [Patch(color=bars.colour, label=bars.name) for bars in first]
    if lines:
        label = next(iter(lines.values()))[0]
        keys.append(Line2D([], [], color=drawing.INK, linestyle=":", label=label))
    with drawing.theme():
        figure = canvas(title, subtitle, notes, keys)
        columns = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        width = 0.8 / len(first)
        for axes, (heading, drawn) in zip(columns, panels.items(), strict=True):
            for index, bars in enumerate(drawn):
                middle = (index - (len(drawn) - 1) / 2) * width
                at = [place + middle for place in range(len(places))]
                means = [spread.mean for spread in bars.heights]
                errors = [spread.deviation for spread in bars.heights]
                axes.bar(
                    at,
                    means,
                    width * 0.92,
                    color=bars.colour,
                    yerr=errors,
                    error_kw={"ecolor": drawing.INK, "capsize": 2},
                )
                for x, mean, error in zip(at, means, errors, strict=True):
                    axes.annotate(
                        f"{mean:.{decimals}f}",
                        (x, mean + error),
                        (0, 4),
                        textcoords="offset points",
                        ha="center",
                        size=7.5,
                        bbox={"boxstyle": "square,pad=0", "fc": drawing.PAPER, "ec": "none"},
                        zorder=5,
                    )
            if lines:
                axes.axhline(lines[heading][1], color=drawing.INK, linestyle=":", linewidth=1.2)
            axes.set_xticks(range(len(places)), places)
            axes.set_xlabel(x_label)
            axes.set_ylim(0, 1)
            axes.set_title(heading, size=9.5, color=drawing.INK)
        columns[0].set_ylabel(y_label)
        return drawing.finish(figure, name, title, caption)
