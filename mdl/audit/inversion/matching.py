"""How far a made-up gradient is from the one that was seen, and how restless an image is."""

import torch

from mdl.audit.inversion.target import Target

_TINY = 1e-30
"""Keeps a gradient of zeros, which tells nothing, from dividing by zero."""


def squared_distance(target: Target, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Σ (made − seen)² / Σ seen², over the entries that were seen [DLG, iDLG]."""
    made = target.gradient_of(images, labels)
    error, size = torch.zeros((), dtype=images.dtype), torch.full((), _TINY, dtype=images.dtype)
    for mine, seen, known in zip(made, target.gradient, target.known, strict=True):
        error = error + ((mine - seen) * known).square().sum()
        size = size + seen.square().sum()
    return error / size


def cosine_distance(target: Target, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """1 − cosine of the angle between the made and the seen gradient, in [0, 2] [Geiping et al., eq. 4]."""
    made = target.gradient_of(images, labels)
    product, mine_size, seen_size = (torch.full((), _TINY, dtype=images.dtype) for _ in range(3))
    for mine, seen, known in zip(made, target.gradient, target.known, strict=True):
        kept = mine * known
        product = product + (kept * seen).sum()
        mine_size = mine_size + kept.square().sum()
        seen_size = seen_size + seen.square().sum()
    return 1 - product / (mine_size.sqrt() * seen_size.sqrt())


def total_variation(images: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of neighbouring pixels, shape (k, channels, height, width); 0 for features."""
    if images.ndim < 4:
        return images.new_zeros(())
    down = (images[..., 1:, :] - images[..., :-1, :]).abs().mean()
    across = (images[..., 1:] - images[..., :-1]).abs().mean()
    return down + across
