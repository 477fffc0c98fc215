"""What can be said of a model and its data before the data set is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mdl.errors import DataUnavailable
from mdl.learning.dataset import Dataset
from mdl.learning.datasets import NAMED, load, own_files
from mdl.learning.partition import split
from mdl.learning.settings import LearningSettings

if TYPE_CHECKING:
    from torch import nn

_SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "digits": (1, 8, 8),
    "mnist": (1, 28, 28),
    "fashion-mnist": (1, 28, 28),
    "svhn": (3, 32, 32),
    "cifar10": (3, 32, 32),
}


@dataclass(frozen=True)
class Sized:
    """A model, and what it was made for.

    Attributes:
        network: a `torch.nn.Module`.
        shape: of an example.
        classes: how many.
        parts: how many examples each worker trains on; None where the data has not been read.
    """

    network: "nn.Module"
    shape: tuple[int, ...]
    classes: int
    parts: Sequence[int] | None = None

    @property
    def examples(self) -> int | None:
        """How many there are to train on, of all workers together, if that is known."""
        return None if self.parts is None else sum(self.parts)


def models_of(
    settings: LearningSettings, data_dir: Path | None, *, workers: int, seed: int = 0, largest: float = inf
) -> Mapping[str, Sized]:
    """Make the model for these settings, or each kind of model that workers have; by name.

    Args:
        settings: which model, for which data.
        data_dir: where named data sets lie, if known.
        workers: n.
        seed: the experiment's, by which one set is shared out.
        largest: what entries of examples must be below in absolute value, where they are read.

    Raises:
        ConfigError: it cannot be made.
        DataUnavailable: a user's own file, whose shape decides, cannot be read.
    """
    if (shape := _SHAPES.get(settings.dataset)) is not None:
        return made(settings, shape, 10)
    dataset = load(settings, data_dir, workers=range(1, workers + 1), largest=largest)
    return made(settings, dataset.shape, dataset.classes, _parts(settings, dataset, workers, seed))


def made(
    settings: LearningSettings, shape: tuple[int, ...], classes: int, parts: Sequence[int] | None = None
) -> Mapping[str, Sized]:
    """Make each kind of model that workers have, for examples of a shape; by name.

    Args:
        settings: which models.
        shape: of an example.
        classes: how many.
        parts: how many examples each worker has, if that is known.

    Raises:
        ConfigError: one cannot be made.
    """
    from mdl.learning.models import build  # here, because it brings in torch

    return {
        name: Sized(build(each, shape, classes, 0), shape, classes, parts)
        for name, each in settings.kinds.items()
    }


def _parts(settings: LearningSettings, dataset: Dataset, workers: int, seed: int) -> Sequence[int]:
    if settings.split == "files":
        return [stop - start for start, stop in dataset.silos.values()]
    return [len(part) for part in split(dataset.train_labels, settings, workers, seed)]


def parameter_count(model: "nn.Module") -> int:
    """Count a model's trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def check_data(settings: LearningSettings, data_dir: Path | None, *, workers: int) -> None:
    """Make sure, before anything is begun, that a data set's files are there; they are not read.

    Raises:
        DataUnavailable: one is not.
    """
    everybody = range(1, workers + 1)
    if (missing := missing_data(settings, data_dir)) is not None:
        raise DataUnavailable(missing)
    if not all(file.exists() for file in own_files(settings, data_dir, workers=everybody)):
        load(settings, data_dir, workers=everybody)  # says what is missing


def missing_data(settings: LearningSettings, data_dir: Path | None) -> str | None:
    """Say where a named data set was looked for in vain, and how to get it; None if its files are there."""
    folder = Path(settings.data_dir) if settings.data_dir is not None else data_dir
    if settings.dataset not in NAMED or (settings.download and folder is not None):
        return None
    files = NAMED[settings.dataset].files
    if folder is not None and (
        (folder / f"{settings.dataset}.npz").exists() or all((folder / file).exists() for file in files)
    ):
        return None
    try:
        load(settings.model_copy(update={"download": False}), data_dir)
    except DataUnavailable as error:
        return str(error)
    return None
