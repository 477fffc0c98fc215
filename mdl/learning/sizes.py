"""What can be said of a model and its data before the data set is read."""

from collections.abc import Mapping
from dataclasses import dataclass
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
        examples: to train on, of all workers together; None where the data has not been read.
    """

    network: "nn.Module"
    shape: tuple[int, ...]
    classes: int
    examples: int | None = None


def models_of(settings: LearningSettings, data_dir: Path | None, *, workers: int) -> Mapping[str, Sized]:
    """Make the model for these settings, or each kind of model that workers have; by name.

    Raises:
        ConfigError: it cannot be made.
        DataUnavailable: a user's own file, whose shape decides, cannot be read.
    """
    from mdl.learning.models import build  # here, because it brings in torch

    shape, classes, examples = _SHAPES.get(settings.dataset), 10, None
    if shape is None:
        dataset = load(settings, data_dir, workers=range(1, workers + 1))
        shape, classes = dataset.shape, dataset.classes
        examples = _count(settings, dataset, workers)
    return {
        name: Sized(build(each, shape, classes, 0), shape, classes, examples)
        for name, each in settings.kinds.items()
    }


def _count(settings: LearningSettings, dataset: Dataset, workers: int) -> int:
    if settings.split == "files":
        return len(dataset.train_labels)
    return sum(map(len, split(dataset.train_labels, settings, workers, 0)))  # whatever the seed


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
