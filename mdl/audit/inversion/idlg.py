"""One image and its label, by making its gradient match.

Zhao, Mopuri, Bilen, "iDLG: Improved Deep Leakage from Gradients", 2020, after Zhu, Liu, Han, "Deep Leakage
from Gradients", NeurIPS 2019: the label is read off, and L-BFGS looks for the image. Pixels are held within
[0, 1] (L-BFGS-B), which the attacker knows of them; the best of several starts counts.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from mdl.audit.inversion.labels import single_label
from mdl.audit.inversion.matching import squared_distance
from mdl.audit.inversion.target import Recovered, Target, pictures

STARTS = 3
STEPS = 300

_MEMORY = 50
"""Corrections that L-BFGS keeps."""

_EXACT = 1e-12
"""A relative squared distance at which there is nothing left to improve by another start."""


def one_image(target: Target, *, seed: int, starts: int = STARTS, steps: int = STEPS) -> Recovered:
    """Take the gradient for that of a single image, and look for the image.

    Args:
        target: what was seen.
        seed: of the starts.
        starts: at most so many; the image with the closest gradient is given.
        steps: at most so many of L-BFGS from each start.

    Raises:
        NotApplicable: the model does not end with a bias.
    """
    precise = target.of_type(torch.float64)
    label = single_label(precise)
    rng = torch.Generator().manual_seed(seed)
    best, closest = torch.zeros(1, *target.shape), float("inf")
    for _ in range(starts):
        start = torch.rand((1, *target.shape), generator=rng, dtype=torch.float64)
        image, distance = _descend(precise, start, torch.tensor([label]), steps)
        if distance < closest:
            best, closest = image, distance
        if closest < _EXACT:
            break
    return Recovered(pictures(best), (label,))


def _descend(
    target: Target, start: torch.Tensor, labels: torch.Tensor, steps: int
) -> tuple[torch.Tensor, float]:
    """Run L-BFGS-B; give the image it ends with and the distance of its gradient."""

    def distance(pixels: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        image = torch.from_numpy(pixels.copy()).view(start.shape).requires_grad_()
        found = squared_distance(target, image, labels)
        (slope,) = torch.autograd.grad(found, image)
        return found.item(), slope.reshape(-1).numpy()

    options = {"maxiter": steps, "maxcor": _MEMORY, "ftol": 1e-20, "gtol": 1e-14}
    bounds = [(0.0, 1.0)] * start.numel()
    ended = minimize(
        distance, start.reshape(-1).numpy(), jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    return torch.from_numpy(ended.x).view(start.shape), float(ended.fun)
