"""iDLG on the digits."""

import numpy as np
import torch

from mdl.audit.inversion import idlg
from mdl.audit.inversion.scores import psnr
from mdl.learning.models import digits_mlp
from tests.audit.inversion.digits import images, target_of


def test_one_image_and_its_label_come_out() -> None:
    torch.manual_seed(0)
    x, y = images(30)
    found = idlg.one_image(target_of(digits_mlp((1, 8, 8), 10), x, y), seed=0)
    assert found.labels == tuple(y)
    assert psnr(found.images, x)[0, 0] > 40


def test_a_mean_taken_for_one_image_shows_no_victims() -> None:
    torch.manual_seed(0)
    x, y = images(*range(0, 1440, 180))
    found = idlg.one_image(target_of(digits_mlp((1, 8, 8), 10), x, y), seed=0, starts=1)
    assert np.median(psnr(found.images, x)) < 15


def test_the_same_seed_gives_the_same_image() -> None:
    torch.manual_seed(0)
    x, y = images(30, 31)
    target = target_of(digits_mlp((1, 8, 8), 10), x, y)
    once, again = (idlg.one_image(target, seed=3, starts=1, steps=20) for _ in range(2))
    assert np.array_equal(once.images, again.images)
