"""A model's parameters as one vector.

Trainable parameters only, in the order of `Module.parameters`. Buffers (batch normalisation's running
averages) are no parameters: they stay with the party that measured them.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from mdl.vectors import Floats


def count(model: torch.nn.Module) -> int:
    """Count the trainable parameters: t."""
    return sum(parameter.numel() for parameter in _trainable(model))


def read(model: torch.nn.Module) -> NDArray[np.float32]:
    """Copy the parameters into a fresh vector of shape (t,), float32."""
    vector = np.empty(count(model), np.float32)
    target = torch.from_numpy(vector)
    start = 0
    for parameter in _trainable(model):
        stop = start + parameter.numel()
        target[start:stop].copy_(parameter.detach().reshape(-1))
        start = stop
    return vector


def write(model: torch.nn.Module, vector: Floats) -> None:
    """Set the parameters from a vector of shape (t,), rounded to the model's precision."""
    assert vector.shape == (count(model),), f"{vector.shape} for {count(model)} parameters"
    # A copy where the caller's vector is read-only: torch has no read-only tensors and would warn of it.
    source = torch.from_numpy(np.require(vector, requirements=["C", "W"]))
    start = 0
    with torch.no_grad():
        for parameter in _trainable(model):
            stop = start + parameter.numel()
            parameter.copy_(source[start:stop].view(parameter.shape))
            start = stop


def _trainable(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
