"""The network that costs nothing to train, and whose gradient is worth encoding."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from mdl.bench import models
from mdl.bench.cases import GRID
from mdl.learning.models import build
from mdl.learning.settings import LearningSettings


def test_its_name_says_how_many_parameters_it_has() -> None:
    settings = LearningSettings(model="mdl.bench.models:vector_1234")
    model = build(settings, (1, 8, 8), models.CLASSES, 0)
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_234


@pytest.mark.parametrize("name", ["vector_", "vector_x", "nothing"])
def test_other_names_are_none(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(models, name)


@pytest.mark.parametrize("label", [0, 7])
def test_its_gradient_spreads_over_the_grid_and_none_of_it_saturates(label: int) -> None:
    model = models.Vector(1_000)
    loss = functional.cross_entropy(model(torch.zeros(1, 64)), torch.tensor([label]))
    torch.autograd.backward(loss)
    (weights,) = model.parameters()
    assert weights.grad is not None
    encoded, saturated = GRID.encode(weights.grad.numpy())
    assert saturated == 0
    assert len(np.unique(encoded)) > 400
    assert encoded.max() > 4_000
    assert encoded.min() < -4_000
