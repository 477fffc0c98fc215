"""Images by division, where the model begins with a dense layer."""

import numpy as np
import pytest
import torch
from torch import nn

from mdl.audit.inversion import analytic
from mdl.audit.inversion.scores import matches, psnr
from mdl.audit.inversion.target import NotApplicable, Target
from mdl.learning.models import cnn, digits_mlp, mlp
from tests.audit.inversion.digits import images, target_of


def _precise(target: Target) -> Target:
    return target.of_type(torch.float64)


def test_one_image_comes_out_exactly() -> None:
    x, y = images(11)
    found = analytic.one_image(_precise(target_of(digits_mlp((1, 8, 8), 10), x, y)))
    assert psnr(found.images, x)[0, 0] > 100


def test_padding_before_the_layer_is_seen_through() -> None:
    x = np.random.default_rng(1).random((1, 1, 28, 28), np.float32)
    found = analytic.one_image(_precise(target_of(mlp((1, 28, 28), 10), x, [4])))
    assert found.images.shape == x.shape
    assert psnr(found.images, x)[0, 0] > 100


def test_of_a_mean_one_image_is_a_blend() -> None:
    x, y = images(*range(0, 160, 20))
    found = analytic.one_image(_precise(target_of(digits_mlp((1, 8, 8), 10), x, y)))
    assert np.median(psnr(found.images, x)) < 15


def test_rows_that_one_image_alone_passes_give_it_away_in_a_mean() -> None:
    torch.manual_seed(3)
    x, y = images(0, 40, 80, 120)
    found = analytic.every_row(_precise(target_of(mlp((1, 8, 8), 10), x, y)))
    assert sum(match.decibels > 40 for match in matches(found.images, x)) >= 3


def test_a_convolution_first_is_not_for_it() -> None:
    x = np.zeros((1, 1, 28, 28), np.float32)
    with pytest.raises(NotApplicable, match="not a dense one"):
        analytic.one_image(target_of(cnn((1, 28, 28), 10), x, [0]))


def test_inputs_that_are_no_pixels_are_noticed() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(64, 10)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.layer(images.flatten(1) * 3)
            return scores

    x, y = images(0)
    with pytest.raises(NotApplicable, match="not the image's pixels"):
        analytic.every_row(_precise(target_of(Scaled(), x, y)))


def test_nothing_known_of_the_layer_gives_nothing() -> None:
    x, y = images(0)
    target = target_of(digits_mlp((1, 8, 8), 10), x, y)
    blind = Target(
        target.model, target.gradient, [torch.zeros_like(part) for part in target.known], target.shape
    )
    with pytest.raises(NotApplicable, match="nothing of the first layer was seen"):
        analytic.one_image(blind)


def test_a_few_rows_are_enough() -> None:
    x, y = images(5)
    target = _precise(target_of(digits_mlp((1, 8, 8), 10), x, y))
    alive = int(target.gradient[1].abs().argmax())
    rows = torch.zeros_like(target.known[1])
    rows[alive] = True
    known = [rows[:, None].expand_as(target.known[0]), rows, *target.known[2:]]
    found = analytic.one_image(Target(target.model, target.gradient, known, target.shape))
    assert psnr(found.images, x)[0, 0] > 100
