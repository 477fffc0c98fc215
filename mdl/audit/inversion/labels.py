"""Labels are read off a gradient before any image is looked for."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from mdl.audit.inversion.target import NotApplicable, Target

_PROBES = 64
"""Random images that the model is shown, to learn what it says of images it knows nothing about."""


def single_label(target: Target) -> int:
    """Give the one label: where the gradient of the last bias is negative [iDLG, §3.2].

    With cross-entropy it is softmax − one-hot, so of one image exactly one entry is below zero. Of several it
    is the smallest.

    Raises:
        NotApplicable: the model does not end with a bias.
    """
    return int(_last_bias(target).argmin())


def label_counts(target: Target, images: int, *, seed: int) -> Sequence[int]:
    """Estimate the labels of all images in a mean of gradients, in ascending order.

    The last bias has the gradient mean(softmax) − counts / k. The softmax is unknown; near the start it is
    much the same for every image, so that of random ones stands for it (as in "LLG", Wainakh et al., PETS
    2022). The largest counts are taken one by one.

    Args:
        target: a mean over `images` images.
        images: k.
        seed: of the random images.

    Raises:
        NotApplicable: the model does not end with a bias.
    """
    bias = _last_bias(target)
    rng = torch.Generator().manual_seed(seed)
    probes = torch.rand((_PROBES, *target.shape), generator=rng, dtype=bias.dtype)
    with torch.inference_mode():
        usual = functional.softmax(target.scores(probes), dim=1).mean(0)
    counts = (images * (usual - bias)).numpy()
    labels = []
    for _ in range(images):
        label = int(counts.argmax())
        labels.append(label)
        counts[label] -= 1
    return sorted(labels)


def right(told: Sequence[int], true: Sequence[int]) -> int:
    """Count how many labels are right, order aside."""
    size = max((*told, *true), default=0) + 1
    counts = [np.bincount(labels, minlength=size) for labels in (told, true)]
    return int(np.minimum(*counts).sum())


def _last_bias(target: Target) -> torch.Tensor:
    last = target.gradient[-1]
    if last.ndim != 1:
        raise NotApplicable("the model does not end with a bias, whose gradient would tell the label")
    return last
