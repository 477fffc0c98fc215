"""Images by the direction of their gradient, with smoothness in their favour.

Geiping, Bauermeister, Dröge, Moeller, "Inverting Gradients - How easy is it to break privacy in federated
learning?", NeurIPS 2020: cosine distance and total variation, minimised by Adam that is given the signs of
the slopes alone; the best of several starts counts. With more than one image it is their attack on batches.
"""

from collections.abc import Sequence

import torch

from mdl.audit.inversion.labels import single_label
from mdl.audit.inversion.matching import cosine_distance, total_variation
from mdl.audit.inversion.target import Recovered, Target, pictures

STARTS = 2
STEPS = 600
SMOOTHNESS = 1e-3
"""Weight of the total variation."""

_STEP = 0.1
_SLOWER_AFTER = (3 / 8, 5 / 8, 7 / 8)
"""Where the step shrinks to a tenth, as in the authors' code."""


def one_image(target: Target, *, seed: int, starts: int = STARTS, steps: int = STEPS) -> Recovered:
    """Take the gradient for that of a single image, whose label the last bias tells, and look for the image.

    Raises:
        NotApplicable: the model does not end with a bias.
    """
    return images_of(target, (single_label(target),), seed=seed, starts=starts, steps=steps)


def images_of(target: Target, labels: Sequence[int], *, seed: int, starts: int, steps: int) -> Recovered:
    """Look for images of these labels whose mean gradient has the direction of the one seen.

    Args:
        target: what was seen.
        labels: one for each image that is modelled.
        seed: of the starts.
        starts: so many; the images with the least of what is minimised are given.
        steps: of Adam, from each start.
    """
    quick = target.of_type(torch.float32)
    rng = torch.Generator().manual_seed(seed)
    best, least = torch.zeros(len(labels), *target.shape), float("inf")
    for _ in range(starts):
        start = torch.rand((len(labels), *target.shape), generator=rng)
        images, cost = _descend(quick, start, torch.tensor(labels), steps)
        if cost < least:
            best, least = images, cost
    return Recovered(pictures(best), tuple(labels))


def _descend(
    target: Target, start: torch.Tensor, labels: torch.Tensor, steps: int
) -> tuple[torch.Tensor, float]:
    """Run signed Adam with pixels held within [0, 1]; give the images it ends with, and their cost."""
    images = start.clone().requires_grad_()
    adam = torch.optim.Adam([images], lr=_STEP)
    slower_at = [int(steps * part) for part in _SLOWER_AFTER]
    schedule = torch.optim.lr_scheduler.MultiStepLR(adam, milestones=slower_at)
    for _ in range(steps):
        (slope,) = torch.autograd.grad(_cost(target, images, labels), images)
        images.grad = slope.sign()
        adam.step()
        schedule.step()
        with torch.no_grad():
            images.clamp_(0, 1)
    return images.detach(), _cost(target, images, labels).item()


def _cost(target: Target, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return cosine_distance(target, images, labels) + SMOOTHNESS * total_variation(images)
