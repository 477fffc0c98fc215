"""Finding and reading the data set an experiment names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from math import inf
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mdl.errors import DataUnavailable
from mdl.learning.archives import read_archive, read_silos, silo_file
from mdl.learning.dataset import Dataset, Images, Labels, open_spool, spool
from mdl.learning.settings import WORKER, LearningSettings
from mdl.party import PartyId

__all__ = ["NAMED", "Dataset", "digits", "fetch", "load", "open_spool", "own_files", "spool"]

_PIXEL: Final = 255.0
_DIGITS_FILE: Final = "datasets/data/digits.csv.gz"
_DIGIT_PIXEL: Final = 16.0
_EVERY_FIFTH: Final = 5


def load(
    settings: LearningSettings,
    data_dir: Path | None = None,
    *,
    workers: Sequence[PartyId] = (),
    largest: float = inf,
) -> Dataset:
    """Read the data set of `settings`.

    Args:
        settings: names the set.
        data_dir: where to look if the settings do not say.
        workers: whose files to read where each worker has its own: all of them where one process reads for
            all parties, a party's own id where it runs on a host of its own.
        largest: what entries in the user's own archives must be below in absolute value.

    Raises:
        DataUnavailable: it is not there, or not what it should be.
    """
    folder = Path(settings.data_dir) if settings.data_dir is not None else data_dir
    if settings.dataset == "digits":
        return digits()
    if settings.dataset in NAMED:
        return _named(settings.dataset, folder, download=settings.download, largest=largest)
    path = _beside(Path(settings.dataset), folder)
    if WORKER in settings.dataset:
        return read_silos(path, workers, largest=largest)
    return read_archive(path, largest=largest)


def own_files(
    settings: LearningSettings, data_dir: Path | None, *, workers: Sequence[PartyId]
) -> Sequence[Path]:
    """Give the files of a data set of the user's own, where `load` looks for them; none of a known set."""
    if settings.dataset == "digits" or settings.dataset in NAMED:
        return []
    folder = Path(settings.data_dir) if settings.data_dir is not None else data_dir
    path = _beside(Path(settings.dataset), folder)
    return [silo_file(path, worker) for worker in workers] if WORKER in settings.dataset else [path]


def digits() -> Dataset:
    """The 1,797 handwritten digits, 8x8 pixels of 0..16, that scikit-learn carries (UCI Optdigits).

    Of each class every fifth example is for testing: 1,442 to train on, 355 to test with, class by class in
    proportion, the same for every seed. (The examples lie writer by writer, so both parts know all the
    writers.)
    """
    table = _digits_table()
    images = table[:, :-1].astype(np.uint8).reshape(-1, 1, 8, 8)
    labels = table[:, -1].astype(np.int64)
    test = _place_in_class(labels) % _EVERY_FIFTH == _EVERY_FIFTH - 1
    return Dataset(images[~test], labels[~test], images[test], labels[test], 10, _DIGIT_PIXEL)


def _digits_table() -> NDArray[np.float64]:
    """Read the file that scikit-learn's `load_digits` reads: importing that takes as long as a short run."""
    package = find_spec("sklearn")
    file = Path(package.origin or "").parent / _DIGITS_FILE if package else Path()
    table: NDArray[np.float64]
    if file.is_file():
        table = np.loadtxt(file, delimiter=",")
        return table
    from sklearn.datasets import load_digits  # where this version has the file, it knows itself

    bunch = load_digits()
    table = np.c_[bunch.data, bunch.target]
    return table


def fetch(name: str, folder: Path) -> None:
    """Download a named data set into `folder` through torchvision, unless it is there.

    Raises:
        DataUnavailable: the network or the server did not give it.
    """
    source = NAMED[name]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        source.open(_torchvision(), folder, download=True)
    except (OSError, RuntimeError) as error:  # urllib's errors are OSErrors; a bad checksum is a RuntimeError
        raise DataUnavailable(f"{name} could not be downloaded into {folder}: {error}") from error


@dataclass(frozen=True)
class Source:
    """How a named data set lies on disk and how torchvision opens it.

    Attributes:
        files: what must be under the folder, relative to it, for torchvision to find the set.
        open: opens the training and the test part.
    """

    files: Sequence[str]
    open: Callable[..., Dataset]


def _named(name: str, folder: Path | None, *, download: bool, largest: float) -> Dataset:
    source = NAMED[name]
    if folder is None:
        raise DataUnavailable(
            f"{name} is to be read from disk, and no folder is named: set learning.data_dir or MDL_DATA "
            "(and learning.download = true to fetch it)"
        )
    archive = folder / f"{name}.npz"
    if archive.exists():
        return read_archive(archive, largest=largest)
    if not all((folder / file).exists() for file in source.files):
        if not download:
            raise DataUnavailable(_not_found(name, folder))
        fetch(name, folder)
    try:
        return source.open(_torchvision(), folder, download=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise DataUnavailable(f"{name} in {folder} cannot be read: {error}") from error


def _not_found(name: str, folder: Path) -> str:
    files = "\n".join(f"  {file}" for file in NAMED[name].files)
    return (
        f"{name} is not in {folder}. Expected there:\n{files}\n"
        f"or {name}.npz with x_train, y_train, x_test, y_test.\n"
        f"With a network, fetch it by: python scripts/fetch_data.py {name} --into {folder}"
        "\nor let the run do it: mdl run FILE --set learning.download=true"
    )


def _beside(path: Path, folder: Path | None) -> Path:
    """A relative path is looked for under the current directory, then under the data folder."""
    plain = Path(str(path).replace(WORKER, "1"))
    if plain.is_absolute() or folder is None or plain.exists() or not (folder / plain).exists():
        return path
    return folder / path


def _place_in_class(labels: Labels) -> Labels:
    """Number the examples of each class from 0 in the order they lie in."""
    places = np.empty_like(labels)
    for label in np.unique(labels):
        (members,) = np.nonzero(labels == label)
        places[members] = np.arange(len(members))
    return places


def _torchvision() -> ModuleType:
    # Here, because these imports take seconds, and the digits and archives do without.
    from mdl.learning.compat import import_torchvision_datasets

    return import_torchvision_datasets()


def _open_grey(kind: str) -> Callable[..., Dataset]:
    def open_parts(torchvision: ModuleType, folder: Path, *, download: bool) -> Dataset:
        opener = getattr(torchvision, kind)
        train, test = (opener(folder, train=part, download=download) for part in (True, False))
        return _joined(
            train.data.numpy()[:, np.newaxis], train.targets, test.data.numpy()[:, np.newaxis], test.targets
        )

    return open_parts


def _open_cifar10(torchvision: ModuleType, folder: Path, *, download: bool) -> Dataset:
    train, test = (torchvision.CIFAR10(folder, train=part, download=download) for part in (True, False))
    first = [np.ascontiguousarray(part.data.transpose(0, 3, 1, 2)) for part in (train, test)]
    return _joined(first[0], train.targets, first[1], test.targets)


def _open_svhn(torchvision: ModuleType, folder: Path, *, download: bool) -> Dataset:
    train, test = (torchvision.SVHN(folder, split=part, download=download) for part in ("train", "test"))
    return _joined(train.data, train.labels, test.data, test.labels)


def _joined(train: Images, train_labels: Any, test: Images, test_labels: Any) -> Dataset:
    return Dataset(
        train,
        np.asarray(train_labels, np.int64),
        test,
        np.asarray(test_labels, np.int64),
        classes=10,
        scale=_PIXEL,
    )


def _idx_files(kind: str) -> tuple[str, ...]:
    parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return tuple(f"{kind}/raw/{part}-ubyte" for part in parts)


_CIFAR10_BATCHES: Final = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")

NAMED: Final = {
    "mnist": Source(_idx_files("MNIST"), _open_grey("MNIST")),
    "fashion-mnist": Source(_idx_files("FashionMNIST"), _open_grey("FashionMNIST")),
    "svhn": Source(("train_32x32.mat", "test_32x32.mat"), _open_svhn),
    "cifar10": Source(tuple(f"cifar-10-batches-py/{batch}" for batch in _CIFAR10_BATCHES), _open_cifar10),
}
"""The data sets read through torchvision, by the name an experiment file gives them."""
