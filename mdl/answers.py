"""What a worker asks a shared model, and what it is told: files of its own."""

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.errors import DataUnavailable
from mdl.folder import write_atomically
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
        file: an ``.npz`` with ``x_test``, and ``y_test`` if labels are known; empty for the
            learner's test set.
        learner: whose network is asked.
        limit: as many of them at most; 0 for all.

    Raises:
        DataUnavailable: the file cannot be read, or holds no images for this network.
    """
    batches = list(learner.test_batches(_AT_ONCE))
    shape = batches[0][0].shape[1:]
    if not file:
        whole = [np.concatenate(parts) for parts in zip(*batches, strict=True)]
        return _limited(Asked(whole[0], whole[1]), limit)
    try:
        with np.load(file, allow_pickle=False) as arrays:
            images = np.asarray(arrays["x_test"], np.float32)
            labels = np.asarray(arrays["y_test"], np.int64) if "y_test" in arrays else None
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataUnavailable(f"{file}: an .npz file with the array x_test is needed: {error}") from None
    if images.shape[1:] != shape or len(images) == 0:
        raise DataUnavailable(f"{file}: x_test has the shape {images.shape}; needed is (n, *{tuple(shape)})")
    if labels is not None and labels.shape != images.shape[:1]:
        raise DataUnavailable(f"{file}: {len(images)} images, and labels of the shape {labels.shape}")
    return _limited(Asked(images, labels), limit)


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
