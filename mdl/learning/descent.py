"""Gradient descent over an epoch's batches, whatever the loss."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from torch import nn
from torch.nn import functional

from mdl.learning.partition import Rows
from mdl.learning.settings import LearningSettings

Numbered: TypeAlias = tuple[torch.Tensor, torch.Tensor, Rows]
"""A batch: images, shape (b, ...); labels, shape (b,); the examples' numbers at their owner, shape (b,)."""

Loss: TypeAlias = Callable[[torch.Tensor, torch.Tensor, Rows], torch.Tensor]
"""Takes a batch's scores, shape (b, classes), its labels and its numbers; gives the mean over the batch."""


def cross_entropy(scores: torch.Tensor, labels: torch.Tensor, _numbers: Rows) -> torch.Tensor:
    """Give the loss where labels alone are learnt from."""
    return functional.cross_entropy(scores, labels)


def descend(
    model: nn.Module, settings: LearningSettings, batches: Iterator[Numbered], loss: Loss
) -> tuple[float, int]:
    """Take a step per batch; return the mean loss and the number of examples seen."""
    model.train()
    step = stepper(model, settings)
    total, seen = torch.zeros(()), 0
    for images, labels, numbers in batches:
        model.zero_grad(set_to_none=True)
        found = loss(model(images), labels, numbers)
        found.backward()  # type: ignore[no-untyped-call]
        step()
        # The loss stays a tensor until the end: reading it out at each step would cost more than adding it
        # up.
        total.add_(found.detach(), alpha=len(numbers))
        seen += len(numbers)
    return float(total) / seen, seen


def stepper(model: nn.Module, settings: LearningSettings) -> Callable[[], object]:
    """Make the rule of one step, with fresh state."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if settings.optimiser == "momentum":
        return torch.optim.SGD(parameters, lr=settings.learning_rate, momentum=settings.momentum_factor).step
    if settings.optimiser in ("adam", "amsgrad"):
        amsgrad = settings.optimiser == "amsgrad"
        return torch.optim.Adam(parameters, lr=settings.learning_rate, amsgrad=amsgrad).step

    # The paper's w - λ∇. By hand, because the first use of torch.optim imports torch's compiler: more than
    # a second and tens of megabytes in every process.
    @torch.no_grad()
    def descend() -> None:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.add_(parameter.grad, alpha=-settings.learning_rate)

    return descend
