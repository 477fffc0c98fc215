"""Data sets from .npz archives: one for all workers, or each worker's own."""

import zipfile
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from mdl.errors import DataUnavailable
from mdl.learning.dataset import Dataset, Images, Labels
from mdl.learning.settings import WORKER
from mdl.party import PartyId

KEYS: Final = ("x_train", "y_train", "x_test", "y_test")
_MOST_CHANNELS: Final = 4

MORE_CLASSES: Final = (
    "a file counts its classes by its highest label, unless a number `classes` is saved beside its arrays"
)
"""What a file lacks in which no example is of the last class."""


def read_archive(path: Path, *, largest: float = inf) -> Dataset:
    """Read a data set from an .npz archive.

    Expected are x_train and x_test, uint8 (pixels 0..255) or floating (used as they are), of shape (N,
    channels, height, width), (N, height, width) for one channel, or (N, features); y_train and y_test,
    integers of shape (N,) from 0. A number `classes` may be added where the labels of this archive do not
    reach the last class, and a number `scale` where pixels end at another value than 255. Pickled objects
    are refused: loading one runs its code.

    Args:
        path: the archive.
        largest: what entries, divided by the scale, must be below in absolute value.

    Raises:
        DataUnavailable: the file is not there, or not like this.
    """
    arrays = _arrays(path)
    train, test = _images(arrays["x_train"], "x_train", path), _images(arrays["x_test"], "x_test", path)
    if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
        raise DataUnavailable(
            f"{path}: x_train has examples of shape {train.shape[1:]} ({train.dtype}),"
            f" x_test of shape {test.shape[1:]} ({test.dtype}); they must agree"
        )
    y_train = _labels(arrays["y_train"], "y_train", len(train), path)
    y_test = _labels(arrays["y_test"], "y_test", len(test), path)
    classes = int(_number(arrays, "classes", max(y_train.max(), y_test.max()) + 1, path))
    if max(y_train.max(), y_test.max()) >= classes:
        raise DataUnavailable(f"{path}: a label is {max(y_train.max(), y_test.max())}; classes is {classes}")
    scale = _number(arrays, "scale", 255.0 if train.dtype == np.uint8 else 1.0, path)
    for name, images in (("x_train", train), ("x_test", test)):
        check_range(images, name, path, largest=largest, scale=scale)
    return Dataset(train, y_train, test, y_test, classes, scale)


def read_images(path: Path) -> tuple[NDArray[np.float32], Labels | None]:
    """Read the test images of an archive, as a network takes them, and their labels if it has them.

    As in `read_archive`, but that of its arrays x_test alone is needed.

    Raises:
        DataUnavailable: the file is not there, or not like this.
    """
    arrays = _arrays(path, needed=("x_test",))
    images = _images(arrays["x_test"], "x_test", path)
    scale = _number(arrays, "scale", 255.0 if images.dtype == np.uint8 else 1.0, path)
    labels = _labels(arrays["y_test"], "y_test", len(images), path) if "y_test" in arrays else None
    return images.astype(np.float32) / np.float32(scale), labels


def check_range(images: Images, name: str, path: Path, *, largest: float, scale: float = 1.0) -> None:
    """Make sure that entries have a place in the range of numbers that are computed with.

    Raises:
        DataUnavailable: one, divided by `scale`, is not below `largest` in absolute value.
    """
    if not max(float(images.max()), -float(images.min())) / scale < largest:
        raise DataUnavailable(f"{path}: {name} has entries that are not within ±{largest:g}")


def read_silos(pattern: Path, workers: Sequence[PartyId], *, largest: float = inf) -> Dataset:
    """Read the archive of each of `workers` and lay their examples behind one another.

    The test sets are joined too, so that all are scored on the same examples.

    Args:
        pattern: the path, with ``{worker}`` in it.
        workers: whose.
        largest: see `read_archive`.

    Raises:
        DataUnavailable: an archive is missing or malformed, or one does not fit the others.
    """
    assert workers, "a pattern needs to know whose files to read"
    parts = [read_archive(silo_file(pattern, worker), largest=largest) for worker in workers]
    first = parts[0]
    for worker, part in zip(workers, parts, strict=True):
        if part.classes != first.classes:
            raise DataUnavailable(
                f"{pattern}: the file of worker {worker} has {part.classes} classes, that of worker "
                f"{workers[0]} {first.classes}; they must agree: {MORE_CLASSES}"
            )
        if (part.shape, part.train_images.dtype, part.scale) != (
            first.shape,
            first.train_images.dtype,
            first.scale,
        ):
            raise DataUnavailable(
                f"{pattern}: the file of worker {worker} has examples of shape {part.shape}"
                f" ({part.train_images.dtype}, scale {part.scale:g}), that of worker {workers[0]}"
                f" {first.shape} ({first.train_images.dtype}, scale {first.scale:g}); they must agree"
            )
    ends = np.cumsum([len(part.train_labels) for part in parts])
    return Dataset(
        np.concatenate([part.train_images for part in parts]),
        np.concatenate([part.train_labels for part in parts]),
        np.concatenate([part.test_images for part in parts]),
        np.concatenate([part.test_labels for part in parts]),
        classes=first.classes,
        scale=first.scale,
        silos={
            worker: (int(end) - len(part.train_labels), int(end))
            for worker, part, end in zip(workers, parts, ends, strict=True)
        },
    )


def silo_file(pattern: Path, worker: PartyId) -> Path:
    """Give the archive of a worker."""
    return Path(str(pattern).replace(WORKER, str(worker)))


def _arrays(path: Path, needed: Sequence[str] = KEYS) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file, _opened(file, path) as archive:
            missing = [key for key in needed if key not in archive.files]
            if missing:
                raise DataUnavailable(f"{path} lacks {', '.join(missing)}; it needs {', '.join(needed)}")
            return {key: archive[key] for key in (*KEYS, "classes", "scale") if key in archive.files}
    except FileNotFoundError as error:
        raise DataUnavailable(
            f"{path} does not exist{_relative(path)}; expected an archive with {', '.join(needed)}"
        ) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataUnavailable(f"{path} cannot be read as an .npz archive of plain arrays: {error}") from error


def _relative(path: Path) -> str:
    """Say where a relative path leads."""
    if path.is_absolute():
        return ""
    return f" (looked for is {path.absolute()}: relative paths are from the current directory)"


def _opened(file: BinaryIO, path: Path) -> NpzFile:
    # numpy looks at the content, not at the name: what it finds may be a lone array. What it does not know it
    # takes for a pickle, and says how to load it all the same: that would run code.
    try:
        archive = np.load(file, allow_pickle=False)
    except ValueError as error:
        said = "it is none, by its first bytes: save your arrays with numpy.savez"
        raise DataUnavailable(f"{path} cannot be read as an .npz archive: {said}") from error
    if not isinstance(archive, NpzFile):
        raise DataUnavailable(
            f"{path} cannot be read as an .npz archive: it holds a lone array, without a name"
        )
    return archive


def _images(array: NDArray[Any], name: str, path: Path) -> Images:
    if array.ndim == 3:
        array = array[:, np.newaxis]
    if array.ndim not in (2, 4) or 0 in array.shape:
        raise DataUnavailable(
            f"{path}: {name} has shape {array.shape}; expected (N, channels, height, width),"
            " (N, height, width) or (N, features), with at least one example"
        )
    if array.ndim == 4 and array.shape[1] > _MOST_CHANNELS >= array.shape[3]:
        raise DataUnavailable(
            f"{path}: {name} has shape {array.shape}: channels come second, (N, channels, height, width)"
        )
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if not np.issubdtype(array.dtype, np.floating):
        raise DataUnavailable(f"{path}: {name} is of type {array.dtype}; expected uint8 or a floating type")
    if not np.isfinite(array).all():
        raise DataUnavailable(f"{path}: {name} has entries that are not finite")
    return np.ascontiguousarray(array, np.float32)


def _labels(array: NDArray[Any], name: str, examples: int, path: Path) -> Labels:
    if array.shape != (examples,) or not np.issubdtype(array.dtype, np.integer):
        raise DataUnavailable(
            f"{path}: {name} has shape {array.shape} and type {array.dtype}; expected {examples} integers"
        )
    if array.min() < 0:
        raise DataUnavailable(f"{path}: {name} holds the label {array.min()}; labels count from 0")
    return array.astype(np.int64)


def _number(arrays: dict[str, NDArray[Any]], name: str, default: float, path: Path) -> float:
    value = arrays.get(name, np.asarray(default))
    if value.shape != () or not np.issubdtype(value.dtype, np.number) or not value > 0:
        raise DataUnavailable(f"{path}: {name} must be one positive number")
    return float(value)
