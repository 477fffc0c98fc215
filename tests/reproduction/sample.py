"""A figure that takes no time, and whose only check can be made to fail."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mdl.report import drawing
from mdl.report.drawing import Picture
from mdl.reproduction import plots
from mdl.reproduction.figure import Check, Data, Figure, Setting
from mdl.reproduction.plots import Series


def setting(folder: Path, *, quick: bool = True, tell: Callable[[str], None] = lambda _: None) -> Setting:
    return Setting(quick, folder, None, None, tell)


def _run(setting: Setting) -> Data:
    rows = [{"x": x, "y": setting.kept(f"y-{x}", {"x": x}, partial(pow, x, 2))} for x in (1, 2, 3)]
    return Data(rows, {"seeds": [1]}, "measured")


def _checks(data: Data) -> Sequence[Check]:
    heights = [float(row["y"] or 0) for row in data.rows]
    return [Check("|it| rises <b>fast</b>", f"{heights}", heights == sorted(heights))]


def _draw(data: Data, provenance: str) -> Picture:
    heights = [float(row["y"] or 0) for row in data.rows]
    return plots.lines(
        "figure-1",
        title="A line",
        subtitle="of three points",
        caption="It rises.",
        notes=[provenance],
        panels={"": [Series("y", drawing.BLUE, [1, 2, 3], heights, spread=[0.1, 0.1, 0.1])]},
        x_label="x",
        y_label="y",
    )


SAMPLE = Figure(
    name="1",
    title="a line",
    section="I",
    claim="It rises & rises.",
    quick="three points",
    full="three thousand",
    run=_run,
    checks=_checks,
    draw=_draw,
)


def failing() -> Figure:
    """The same, but nothing is as expected."""
    return replace(SAMPLE, name="2", checks=lambda _: [Check("it falls", "it rises", holds=False)])
