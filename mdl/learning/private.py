"""DP-SGD: steps that tell of no single example more than the accountant says.

[ACG+16] M. Abadi, A. Chu, I. Goodfellow, H. B. McMahan, I. Mironov, K. Talwar, L. Zhang, "Deep Learning with
Differential Privacy", CCS 2016, Algorithm 1; with Poisson sampling, which the accountant assumes.

What is added up is whole numbers. Each example's gradient is cut to the clipping norm and its coordinates are
rounded towards zero on a grid, so its norm stays within the clip exactly. Noise is discrete Gaussian on the
same grid, from a secure source, and drawn without knowledge of the sum. So the low-order bits of floating
point, by which noise of that kind gives itself away (I. Mironov, CCS 2012), do not exist here. What remains
of floating point is that the gradient of one example is computed together with others': that its last bits
depend on theirs is not accounted for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

from mdl.errors import ConfigError
from mdl.learning.partition import Rows
from mdl.privacy import discrete
from mdl.privacy.record_level import Sampling
from mdl.system import Randomness

GRID: Final = 1 << 16
"""Steps of the grid to one clipping norm.

So fine that rounding is nothing beside the noise; so coarse that float32 holds a sum of `_AT_MOST`
coordinates exactly.
"""

_AT_MOST: Final = 256
"""Examples whose gradients are made at once, at most."""

_HELD_BYTES: Final = 8 << 20
"""Memory for them: what fits the processor's cache is fastest."""

_SHORTER: Final = 1 - 2.0**-20
"""Gradients are cut a little below the clip, by more than float32 rounds their coordinates up."""

Gradients: TypeAlias = Callable[[torch.Tensor, torch.Tensor], list[torch.Tensor]]
"""Takes images, shape (b, ...), and labels, shape (b,); gives for each trainable parameter the gradients of
the examples' losses, flat, of shape (b, size)."""

MIXES_EXAMPLES: Final = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
"""Layers whose answer to one example depends on the others in the batch, and which take none alone."""

Batches: TypeAlias = Callable[[Rows], tuple[torch.Tensor, torch.Tensor]]
"""Makes the batch of some rows: images and labels."""


@dataclass(frozen=True)
class Plan:
    """How one worker trains privately.

    Attributes:
        clip: L2 norm of an example's gradient.
        noise_multiplier: standard deviation of the noise on a sum, in clips.
        sampling: of each epoch.
    """

    clip: float
    noise_multiplier: float
    sampling: Sampling


def noisy_gradients(
    model: nn.Module, batches: Batches, rows: Rows, plan: Plan, *, rng: Randomness
) -> Iterator[None]:
    """Put a private gradient into the parameters' `grad`, once a step of the epoch; the caller steps between.

    Args:
        model: to be trained; its buffers stay as they are, whatever it does with them: they hold no noise.
        batches: makes batches.
        rows: all that the worker has, shape (n,).
        plan: how.
        rng: secret randomness, for what is sampled and for the noise.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = per_example(model)
    sizes = [parameter.numel() for parameter in parameters]
    # Lines 3 to 8 of Algorithm 1. The divisor is the expected size of a batch: the true one is a secret.
    unit = plan.clip / (GRID * plan.sampling.rate * len(rows))
    for _ in range(plan.sampling.steps):
        taken = sampled(rows, plan.sampling.rate, rng=rng)
        total = clipped_sum(gradients, batches, taken, clip=plan.clip, size=sum(sizes))
        noise = discrete.gaussian(plan.noise_multiplier * GRID, sum(sizes), rng=rng)
        gradient = (unit * (total + torch.from_numpy(noise))).float()
        for parameter, part in zip(parameters, torch.split(gradient, sizes), strict=True):
            parameter.grad = part.view_as(parameter)
        yield


def sampled(rows: Rows, rate: float, *, rng: Randomness) -> Rows:
    """Take each row with probability `rate`, independently: Poisson sampling."""
    if rate >= 1:
        return rows
    return rows[discrete.uniform_words(len(rows), rng=rng) < int(rate * 2.0**64)]


def clipped_sum(
    gradients: Gradients, batches: Batches, rows: Rows, *, clip: float, size: int
) -> torch.Tensor:
    """Add up the examples' gradients, each cut to norm `clip`, in steps of clip / `GRID`.

    Args:
        gradients: of `per_example`.
        batches: makes batches.
        rows: which examples; there may be none.
        clip: L2 norm.
        size: t.

    Returns:
        Shape (t,), int64. One example more or less changes it by a vector of norm `GRID` at most.
    """
    total = torch.zeros(size, dtype=torch.int64)
    for start in range(0, len(rows), at_once(size)):
        found = gradients(*batches(rows[start : start + at_once(size)]))
        _round(found, clip)
        total += torch.cat([part.sum(0) for part in found]).to(torch.int64)
    return total


def at_once(size: int) -> int:
    """Give how many gradients of `size` coordinates are held at a time."""
    return max(1, min(_AT_MOST, _HELD_BYTES // (4 * size)))


def per_example(model: nn.Module) -> Gradients:
    """Make the function that gives each example's own gradient at the parameters that the model then has."""
    trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
    fixed = {name: each.detach() for name, each in model.named_buffers()}
    fixed |= {name: each.detach() for name, each in model.named_parameters() if not each.requires_grad}

    def loss(parameters: dict[str, torch.Tensor], image: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        scores = functional_call(model, (parameters, fixed), (image.unsqueeze(0),))
        return functional.cross_entropy(scores, label.unsqueeze(0))

    each = vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")

    def gradients(images: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
        found = each({name: value.detach() for name, value in trained.items()}, images, labels)
        return [found[name].flatten(1) for name in trained]

    return gradients


def check(model: nn.Module, name: str, shape: tuple[int, ...]) -> None:
    """Make sure that each example has a gradient of its own.

    Args:
        model: is left as it is.
        name: of the model, for the error.
        shape: of an example.

    Raises:
        ConfigError: a layer mixes the examples of a batch, or `torch.func` cannot take the model's gradients.
    """
    mixing = [type(layer).__name__ for layer in model.modules() if isinstance(layer, MIXES_EXAMPLES)]
    try:
        if not mixing:
            per_example(model)(torch.zeros(2, *shape), torch.zeros(2, dtype=torch.int64))
            return
        why = f"{mixing[0]} mixes the examples of a batch"
    except Exception as error:  # the user's code may fail in any way, and all of them mean: no gradients
        why = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    raise ConfigError(
        [
            f"learning.privacy: dp-sgd needs the gradient of each example, and {name} gives none: {why}; use "
            "layers that treat every example by itself (GroupNorm or LayerNorm for batch normalisation)"
        ]
    )


def _round(gradients: list[torch.Tensor], clip: float) -> None:
    """Cut each example's gradient to norm `clip`, and round it towards zero to clip / `GRID`; in place."""
    norms = torch.stack(
        [torch.linalg.vector_norm(part, dim=1, dtype=torch.float64) for part in gradients]
    ).norm(dim=0)
    finite = norms.isfinite()
    if not finite.all():
        # Such an example gives nothing: not a number times zero would be none, and wipe out the whole sum.
        norms = torch.where(finite, norms, 0.0)
        for part in gradients:
            part[~finite] = 0
    factors = (_SHORTER * GRID / torch.maximum(norms, torch.tensor(clip))).float()
    for part in gradients:
        part.mul_(factors.unsqueeze(1)).trunc_()
