"""The attack of Geiping et al. on the digits."""

import numpy as np
import torch

from mdl.audit.inversion import geiping
from mdl.audit.inversion.scores import psnr
from mdl.learning.models import digits_mlp
from tests.audit.inversion.digits import images, target_of


def test_one_image_comes_out() -> None:
    torch.manual_seed(0)
    x, y = images(30)
    found = geiping.one_image(target_of(digits_mlp((1, 8, 8), 10), x, y), seed=0, starts=1, steps=300)
    assert found.labels == tuple(y)
    assert psnr(found.images, x)[0, 0] > 25


def test_a_mean_taken_for_one_image_shows_no_victims() -> None:
    torch.manual_seed(0)
    x, y = images(*range(0, 1440, 180))
    found = geiping.one_image(target_of(digits_mlp((1, 8, 8), 10), x, y), seed=0, starts=1, steps=200)
    assert np.median(psnr(found.images, x)) < 15


def test_pixels_stay_in_their_range() -> None:
    x, y = images(30)
    found = geiping.one_image(target_of(digits_mlp((1, 8, 8), 10), x, y), seed=0, starts=1, steps=5)
    assert 0 <= found.images.min() <= found.images.max() <= 1
