"""What a worker asks a shared model, and what it is told: files of its own."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.errors import DataUnavailable
from mdl.folder import write_atomically
from mdl.learning.archives import check_range, read_images
from mdl.mpc.fixed import LARGEST
from mdl.system import OpenLearner
from mdl.vectors import Floats

ANSWERS: Final = "answers.csv"

_AT_ONCE: Final = 500


@dataclass(frozen=True)
class Asked:
    """Images to be classified.

    Attributes:
        images: shape (n, ...), as the network takes them.
        labels: shape (n,), if they are known.
    """

    images: Floats
    labels: NDArray[np.int64] | None


def asked(file: str, learner: OpenLearner, limit: int) -> Asked:
    """Read what is asked.

    Args:
        file: an ``.npz`` with ``x_test``, and ``y_test`` if labels are known
            (`mdl.learning.archives.read_images`); empty for the learner's test set.
        learner: whose network is asked.
        limit: as many of them at most; 0 for all.

    Raises:
        DataUnavailable: the file cannot be read.
    """
    if file:
        return _limited(Asked(*read_images(Path(file))), limit)
    images, labels = (np.concatenate(parts) for parts in zip(*learner.test_batches(_AT_ONCE), strict=True))
    return _limited(Asked(images, labels), limit)


def check_question(file: Path, shape: tuple[int, ...], classes: int) -> None:
    """Make sure, before any party starts, that a file holds images for a network.

    Raises:
        DataUnavailable: it cannot be read, or its images do not fit.
    """
    images, labels = read_images(file)
    if images.shape[1:] != shape:
        raise DataUnavailable(
            f"{file}: x_test has images of shape {images.shape[1:]}, and the network takes {shape}"
        )
    check_range(images, "x_test", file, largest=LARGEST)
    if labels is not None and labels.max() >= classes:
        raise DataUnavailable(f"{file}: y_test has the label {labels.max()}; there are {classes} classes")


def _limited(found: Asked, limit: int) -> Asked:
    if not limit:
        return found
    return Asked(found.images[:limit], None if found.labels is None else found.labels[:limit])


def write_answers(folder: Path, found: Asked, scores: Floats) -> Path:
    """Write for each image the class, the label if it is known, and the scores, shape (n, classes)."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", "class", "label", *(f"score_{number}" for number in range(scores.shape[1]))])
    labels = [""] * len(scores) if found.labels is None else found.labels.tolist()
    for number, (label, row) in enumerate(zip(labels, scores, strict=True)):
        table.writerow([number, int(row.argmax()), label, *(f"{score:.6g}" for score in row)])
    write_atomically(folder / ANSWERS, text.getvalue().encode())
    return folder / ANSWERS


def right_of(path: Path) -> tuple[int, int] | None:
    """Give how many answers are those of the labels, of how many; None if labels are not known."""
    with path.open(newline="") as file:
        rows = [(row["class"], row["label"]) for row in csv.DictReader(file)]
    if not rows or not rows[0][1]:
        return None
    return sum(given == label for given, label in rows), len(rows)
