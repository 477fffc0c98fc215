"""How many parameters a model has, without reading a data set whose shape is known."""

from pathlib import Path
from typing import Final

from mdl.learning.datasets import load
from mdl.learning.models import build
from mdl.learning.settings import LearningSettings

_SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "digits": (1, 8, 8),
    "mnist": (1, 28, 28),
    "fashion-mnist": (1, 28, 28),
    "svhn": (3, 32, 32),
    "cifar10": (3, 32, 32),
}


def parameter_count(settings: LearningSettings, data_dir: Path | None, *, workers: int) -> int:
    """Count the trainable parameters of the model for these settings.

    Raises:
        ConfigError: the model cannot be made.
        DataUnavailable: a user's own file, whose shape decides, cannot be read.
    """
    shape, classes = _SHAPES.get(settings.dataset), 10
    if shape is None:
        dataset = load(settings, data_dir, workers=range(1, workers + 1))
        shape, classes = dataset.shape, dataset.classes
    model = build(settings, shape, classes, 0)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
