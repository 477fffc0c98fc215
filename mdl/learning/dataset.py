"""A data set as a value, and the folder through which the processes of one machine share it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdl.errors import DataUnavailable
from mdl.party import PartyId

Images: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]
"""Shape (N, channels, height, width) or (N, features)."""

Labels: TypeAlias = NDArray[np.int64]
"""Shape (N,), entries in [0, classes)."""

_ARRAYS: Final = ("train_images", "train_labels", "test_images", "test_labels")
_SHEET: Final = "dataset.json"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled examples to train on and to test with.

    Attributes:
        train_images: shape (N, ...); uint8 as long as nobody needs a batch of it, so that images cost a
            byte a pixel.
        train_labels: shape (N,).
        test_images: shape (M, ...), of the same example shape and type.
        test_labels: shape (M,).
        classes: number of labels.
        scale: what images are divided by before a model sees them: the largest pixel value.
        silos: the rows [start, stop) of the training set that came from each worker's own file; empty where
            one set is shared out.
    """

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    classes: int
    scale: float
    silos: Mapping[PartyId, tuple[int, int]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.train_images.shape[1:]


def spool(dataset: Dataset, folder: Path) -> None:
    """Write a data set as plain files that any number of processes can map (`open_spool`).

    The sheet that describes the arrays is written last: a folder without it is no finished spool.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in _ARRAYS:
        np.save(folder / f"{name}.npy", getattr(dataset, name), allow_pickle=False)
    sheet = {"classes": dataset.classes, "scale": dataset.scale, "silos": list(_rows_of(dataset.silos))}
    (folder / _SHEET).write_text(json.dumps(sheet), encoding="utf-8")


def open_spool(folder: Path) -> Dataset:
    """Map a spooled data set, read-only: all processes that do share the one copy in the page cache.

    Raises:
        DataUnavailable: the folder holds no finished spool.
    """
    try:
        sheet = json.loads((folder / _SHEET).read_text(encoding="utf-8"))
        arrays = {
            # Viewed as plain arrays: the subclass numpy.memmap is slower to index.
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray)
            for name in _ARRAYS
        }
        return _assembled(sheet, arrays)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataUnavailable(f"{folder} holds no spooled data set: {error}") from error


def _rows_of(silos: Mapping[PartyId, tuple[int, int]]) -> list[tuple[int, int, int]]:
    return [(worker, start, stop) for worker, (start, stop) in silos.items()]


def _assembled(sheet: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Dataset:
    silos = {int(worker): (int(start), int(stop)) for worker, start, stop in sheet["silos"]}
    return Dataset(**arrays, classes=int(sheet["classes"]), scale=float(sheet["scale"]), silos=silos)
