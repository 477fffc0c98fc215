"""Which of many lines stand out: a plot can name a few, and the others are its background."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mdl.report import drawing

MOST: Final = 6
"""So many lines are coloured and named: as many as there are colours that the colour-blind can tell apart."""


@dataclass(frozen=True)
class Stroke:
    """How one line of many is drawn.

    Attributes:
        named: whether it stands out.
        width: in points.
    """

    colour: str
    width: float
    named: bool


def strokes(heights: Sequence[float]) -> Sequence[Stroke]:
    """Give each line a stroke: of more than `MOST`, those that end highest stand out.

    Lines may lie on each other, so what is drawn later is thinner: what lies under it shows at its sides.

    Args:
        heights: what the lines are judged by, in the lines' order.
    """
    best = sorted(range(len(heights)), key=lambda index: -heights[index])[:MOST]
    named = {
        index: Stroke(colour, 3.2 - 1.6 * place / max(len(best) - 1, 1), named=True)
        for place, (index, colour) in enumerate(zip(sorted(best), drawing.PALETTE, strict=False))
    }
    return [named.get(index, Stroke(drawing.IDLE, 1.1, named=False)) for index in range(len(heights))]


def told(count: int, what: str) -> str:
    """Say how many lines there are, if not all have a name; else nothing."""
    return f"{count} {what}, the {MOST} best named" if count > MOST else ""
