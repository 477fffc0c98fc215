"""Recovered images beside the originals, role by role."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.audit.galleries import Cell, Gallery
from mdl.audit.inversion.attacks import titled
from mdl.audit.inversion.study import GUESS, Attempt, images
from mdl.audit.inversion.target import Pictures
from mdl.learning.dataset import Dataset

COLUMNS: Final = 8
"""Images that are shown of a role, at most."""

ORIGINAL: Final = "original"


def gallery(name: str, title: str, attempts: Sequence[Attempt], dataset: Dataset) -> Gallery:
    """Put together a role's views: originals in columns, an attack in each row."""
    shown = [a for a in attempts if a.recovered is not None and a.attack != GUESS]
    columns = list(_columns(attempts))[:COLUMNS]
    originals = [Cell(_rgb(images(dataset, attempt.seen.rows)[place])) for attempt, place in columns]
    rows = [(ORIGINAL, originals)]
    for attack in dict.fromkeys(attempt.attack for attempt in shown):
        mine = {id(a.seen): a for a in shown if a.attack == attack}
        cells = [_cell(mine.get(id(attempt.seen)), place) for attempt, place in columns]
        rows.append((titled(attack), cells))
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
