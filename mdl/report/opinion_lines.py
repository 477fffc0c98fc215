"""The plot of opinions: which part of them is right, and which part is learnt from, over epochs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from matplotlib.axes import Axes

from mdl.report import drawing, naming, units
from mdl.report.drawing import EndLabel, Picture
from mdl.report.opinions import EpochOpinions, by_epoch
from mdl.report.runs import Run

_CAPTION: Final = (
    "Of the opinions of others that the mean worker knows: bold, which part is right; thin, from which part "
    "it learns; dashed, which part must be right for an epoch to be learnt with any."
)


def opinions_over_epochs(runs: Sequence[Run]) -> Picture | None:
    """Draw what opinions were worth, in the runs that are told any; None if there is no such run.

    Within `drawing.theme`.
    """
    title = "Opinions of others"
    told = [(run, found) for run in runs if (found := by_epoch(run))]
    if not told:
        return None
    names = naming.labels([run for run, _ in told])
    figure = drawing.frame(title, units.shorten(names[0], 60) if len(told) == 1 else "", height_inches=3.2)
    axes = figure.add_subplot()
    ends = [
        end for (_, found), look in zip(told, _looks(names), strict=True) for end in _draw(axes, found, *look)
    ]
    axes.margins(x=0.03, y=0.08)
    drawing.mark_percent(axes)
    axes.set_ylabel("of the opinions known")
    drawing.mark_epochs(axes, "epoch")
    drawing.label_ends(axes, ends)
    return drawing.finish(figure, "opinions", title, _CAPTION)


def _looks(names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Give each run's name before its lines, and their colours: two of a single run, else one a run."""
    if len(names) == 1:
        yield "", drawing.GREEN, drawing.BLUE
        return
    for index, name in enumerate(names):
        colour = drawing.PALETTE[index % len(drawing.PALETTE)]
        yield f"{units.wrap(name)}: ", colour, colour


def _draw(
    axes: Axes, found: Sequence[EpochOpinions], name: str, of_right: str, of_learnt: str
) -> list[EndLabel]:
    """Draw a run's lines; give what stands at their ends."""
    ends = [
        *_line(axes, found, lambda each: each.right, f"{name}right", of_right, 2.6),
        *_line(axes, found, _part_learnt, f"{name}learnt from", of_learnt, 1.4),
    ]
    if (needed := found[-1].needed) is not None:
        axes.axhline(needed, color=of_right, linewidth=1.2, linestyle=(0, (5, 2.5)))
        ends.append(_end(None, needed, f"{name}must be right", of_right))
    return ends


def _part_learnt(each: EpochOpinions) -> float | None:
    return each.learnt_from / each.known if each.known else None


def _line(
    axes: Axes,
    found: Sequence[EpochOpinions],
    height: Callable[[EpochOpinions], float | None],
    name: str,
    colour: str,
    width: float,
) -> list[EndLabel]:
    points = [(each.epoch, y) for each in found if (y := height(each)) is not None]
    if not points:
        return []
    marker = "o" if len(points) == 1 else ""  # one point makes no line
    axes.plot(*zip(*points, strict=True), color=colour, linewidth=width, marker=marker)
    return [_end(points[-1][0], points[-1][1], name, colour)]


def _end(x: float | None, y: float, name: str, colour: str) -> EndLabel:
    return EndLabel(x, y, f"{name}  {units.percent(y, 1)}", colour)
