"""Recovered images beside the originals, role by role."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib import image as files
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mdl.audit.inversion.attacks import ATTACKS
from mdl.audit.inversion.study import GUESS, Attempt, images
from mdl.audit.inversion.target import Pictures
from mdl.learning.dataset import Dataset
from mdl.report.drawing import INK, MUTED, theme

COLUMNS: Final = 8
"""Images that are shown of a role, at most."""

ORIGINAL: Final = "original"


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


def gallery(name: str, title: str, attempts: Sequence[Attempt], dataset: Dataset) -> Gallery:
    """Put together a role's views: originals in columns, an attack in each row."""
    shown = [a for a in attempts if a.recovered is not None and a.attack != GUESS]
    columns = list(_columns(attempts))[:COLUMNS]
    originals = [Cell(_rgb(images(dataset, attempt.seen.rows)[place])) for attempt, place in columns]
    rows = [(ORIGINAL, originals)]
    for attack in dict.fromkeys(attempt.attack for attempt in shown):
        mine = {id(a.seen): a for a in shown if a.attack == attack}
        cells = [_cell(mine.get(id(attempt.seen)), place) for attempt, place in columns]
        rows.append((ATTACKS[attack].title, cells))
    return Gallery(name, title, rows)


def _columns(attempts: Sequence[Attempt]) -> Iterator[tuple[Attempt, int]]:
    """Every original of every view, once."""
    first = {id(attempt.seen): attempt for attempt in reversed(attempts)}
    for attempt in reversed(first.values()):
        yield from ((attempt, place) for place in range(len(attempt.seen.rows)))


def _cell(attempt: Attempt | None, true: int) -> Cell:
    """Find what was assigned to an original."""
    if attempt is None or attempt.recovered is None:
        return Cell(None)
    for match in attempt.found:
        if match.true == true:
            return Cell(_rgb(attempt.recovered.images[match.recovered]), f"{match.decibels:.1f} dB")
    return Cell(None)


def _rgb(image: Pictures) -> NDArray[np.uint8]:
    """Give an image of shape (channels, height, width) or (features,) as one to look at."""
    pixels = image if image.ndim == 3 else image.reshape(1, 1, -1)
    colours = np.repeat(pixels, 3, axis=0) if len(pixels) == 1 else pixels[:3]
    return np.asarray(np.rint(colours.transpose(1, 2, 0) * 255), np.uint8)


def data_uri(image: NDArray[np.uint8]) -> str:
    """Write an image into a page."""
    buffer = io.BytesIO()
    files.imsave(buffer, image, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def png(gallery: Gallery) -> bytes:
    """Draw a gallery."""
    count = len(gallery.rows[0][1])
    with theme():
        figure = Figure(figsize=(1.9 + 0.95 * count, 0.7 + 1.2 * len(gallery.rows)), layout="constrained")
        figure.suptitle(gallery.title, x=0.01, ha="left", size=11, weight="bold", color=INK)
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
