"""All images of a mean at once."""

import torch

from mdl.audit.inversion import joint
from mdl.audit.inversion.labels import right
from mdl.audit.inversion.scores import matches
from mdl.learning.models import digits_mlp
from tests.audit.inversion.digits import images, target_of


def test_a_mean_of_two_gives_both_away() -> None:
    torch.manual_seed(1)
    x, y = images(10, 300)
    found = joint.all_images(target_of(digits_mlp((1, 8, 8), 10), x, y), 2, seed=0, starts=1, steps=400)
    assert found.labels is not None
    assert right(found.labels, y) == 2
    assert all(match.decibels > 20 for match in matches(found.images, x))
