"""Images in rows, as a PNG and for a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib import image as files
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mdl.report.drawing import INK, MUTED, theme

_TITLE_INCHES: Final = 0.1
"""What a letter of a title takes, at most but for a row of capitals."""

_KEY: Final = "Under each its PSNR: above 20 dB one sees what it shows"


@dataclass(frozen=True, eq=False)
class Cell:
    """An image and how close it comes.

    Attributes:
        image: shape (height, width, 3), uint8; None where there is none.
        caption: its PSNR, or nothing for an original.
    """

    image: NDArray[np.uint8] | None
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Rows of images: the originals, then what each attack made of them.

    Attributes:
        name: lower case, for file names.
        title: whose view.
        rows: a name and its cells, each as many as there are originals.
    """

    name: str
    title: str
    rows: Sequence[tuple[str, Sequence[Cell]]]


def data_uri(image: NDArray[np.uint8]) -> str:
    """Write an image into a page."""
    buffer = io.BytesIO()
    files.imsave(buffer, image, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def png(gallery: Gallery) -> bytes:
    """Draw a gallery."""
    count = len(gallery.rows[0][1])
    with theme():
        width = max(2.1 + 0.95 * count, 0.2 + _TITLE_INCHES * max(len(gallery.title), len(_KEY)))
        figure = Figure(figsize=(width, 0.9 + 1.2 * len(gallery.rows)), layout="constrained")
        figure.suptitle(gallery.title, x=0.01, ha="left", size=11, weight="bold", color=INK)
        figure.supxlabel(_KEY, x=0.01, ha="left", size=9, color=MUTED)
        axes = figure.subplots(len(gallery.rows), count, squeeze=False)
        for line, (name, cells) in zip(axes, gallery.rows, strict=True):
            line[0].set_ylabel(name, rotation=0, ha="right", va="center", size=9, color=INK)
            for axis, cell in zip(line, cells, strict=True):
                axis.set(xticks=[], yticks=[])
                axis.grid(visible=False)
                for spine in axis.spines.values():
                    spine.set_visible(False)
                axis.set_xlabel(cell.caption, size=8, color=MUTED)
                if cell.image is not None:
                    axis.imshow(cell.image, interpolation="nearest")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()
