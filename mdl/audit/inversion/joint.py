"""All images of an aggregate at once.

Who sees a mean of k gradients need not take it for one: the attacker models k images, reads how many there
are of each label off the last bias, and makes their mean gradient match, by the method of Geiping et al. That
the sum hides whose image is whose does not hinder it.
"""

import torch

from mdl.audit.inversion import geiping
from mdl.audit.inversion.labels import label_counts
from mdl.audit.inversion.target import Recovered, Target

STARTS = 2
STEPS = 1000


def all_images(
    target: Target, images: int, *, seed: int, starts: int = STARTS, steps: int = STEPS
) -> Recovered:
    """Look for `images` images whose mean gradient is the one seen.

    Raises:
        NotApplicable: the model does not end with a bias.
    """
    labels = label_counts(target.of_type(torch.float64), images, seed=seed)
    return geiping.images_of(target, labels, seed=seed, starts=starts, steps=steps)
