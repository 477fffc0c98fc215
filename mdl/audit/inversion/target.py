"""What an attack is given: a model at a point, the gradient that somebody saw there, and nothing else."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from mdl.errors import MdlError
from mdl.learning import flat
from mdl.vectors import Flags, Floats

Pictures: TypeAlias = NDArray[np.float32]
"""Images with pixels in [0, 1], shape (k, ...)."""


class NotApplicable(MdlError):
    """An attack needs what this model or this gradient does not have; the text says what."""


@dataclass(frozen=True, eq=False)
class Target:
    """A gradient to invert.

    Attributes:
        model: with the parameters at which the gradient was taken; scored as it is, not in training mode.
        gradient: of each trainable parameter, zero where it was not seen.
        known: which entries were seen, a mask of each parameter's shape.
        shape: of one image.
    """

    model: nn.Module
    gradient: Sequence[torch.Tensor]
    known: Sequence[torch.Tensor]
    shape: tuple[int, ...]

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The trainable parameters, in the order of `gradient`."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def of_type(self, dtype: torch.dtype) -> "Target":
        """Compute in another precision."""
        model = copy.deepcopy(self.model).to(dtype)
        return Target(model, [part.to(dtype) for part in self.gradient], self.known, self.shape)

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """Have the model classify images, shape (k, ...): scores of shape (k, classes)."""
        scores: torch.Tensor = self.model(images)
        return scores

    def gradient_of(self, images: torch.Tensor, labels: torch.Tensor) -> Sequence[torch.Tensor]:
        """Compute what the gradient would be if these were the images; it can be differentiated in turn."""
        loss = functional.cross_entropy(self.scores(images), labels)
        return torch.autograd.grad(loss, self.parameters, create_graph=True)


@dataclass(frozen=True, eq=False)
class Recovered:
    """What an attack made of a gradient.

    Attributes:
        images: shape (k, ...), pixels in [0, 1].
        labels: of these images, or of all that the attack counted; None where the attack tells none.
    """

    images: Pictures
    labels: Sequence[int] | None = None


def targeted(
    model: nn.Module, parameters: Floats, gradient: Floats, known: Flags, shape: tuple[int, ...]
) -> Target:
    """Put a gradient to a copy of the model at the parameters it belongs to.

    Args:
        model: of t trainable parameters.
        parameters: shape (t,).
        gradient: shape (t,).
        known: which entries of the gradient were seen, shape (t,).
        shape: of one image.
    """
    held = copy.deepcopy(model).eval()
    flat.write(held, parameters)
    sizes = [parameter.numel() for parameter in held.parameters() if parameter.requires_grad]
    shapes = [parameter.shape for parameter in held.parameters() if parameter.requires_grad]
    seen = torch.from_numpy(np.where(known, gradient, 0.0).astype(np.float64))
    masks = torch.from_numpy(known.copy())
    return Target(
        held,
        [part.view(size) for part, size in zip(torch.split(seen, sizes), shapes, strict=True)],
        [part.view(size) for part, size in zip(torch.split(masks, sizes), shapes, strict=True)],
        shape,
    )


def pictures(images: torch.Tensor) -> Pictures:
    """Give images as an array, pixels cut to [0, 1]: the attacker knows that much."""
    return images.detach().clamp(0, 1).to(torch.float32).numpy()
