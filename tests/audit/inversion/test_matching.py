"""Distances between gradients, and smoothness."""

import pytest
import torch

from mdl.audit.inversion.matching import cosine_distance, squared_distance, total_variation
from mdl.audit.inversion.target import Target
from mdl.learning.models import digits_mlp
from tests.audit.inversion.digits import images, target_of


def _target() -> tuple[Target, torch.Tensor, torch.Tensor]:
    x, y = images(7)
    target = target_of(digits_mlp((1, 8, 8), 10), x, y).of_type(torch.float64)
    return target, torch.from_numpy(x).double(), torch.tensor(y)


def test_the_true_image_is_at_no_distance_and_others_are() -> None:
    target, x, y = _target()
    other = torch.from_numpy(images(400)[0]).double()
    for distance in (squared_distance, cosine_distance):
        assert distance(target, x, y).item() == pytest.approx(0, abs=1e-9)
        assert distance(target, other, y).item() > 0.01


def test_the_cosine_does_not_see_how_long_a_gradient_is() -> None:
    target, x, y = _target()
    longer = Target(target.model, [7 * part for part in target.gradient], target.known, target.shape)
    assert cosine_distance(longer, x, y).item() == pytest.approx(0, abs=1e-9)
    assert squared_distance(longer, x, y).item() == pytest.approx((6 / 7) ** 2)


def test_entries_that_were_not_seen_do_not_count() -> None:
    target, x, y = _target()
    known = [torch.zeros_like(part) for part in target.known]
    known[0][:, 5] = True
    seen = [part * mask for part, mask in zip(target.gradient, known, strict=True)]
    seen_only = Target(target.model, seen, known, target.shape)
    assert squared_distance(seen_only, x, y).item() == pytest.approx(0, abs=1e-9)


def test_total_variation_is_the_mean_step_between_neighbours() -> None:
    assert total_variation(torch.zeros(1, 1, 4, 4)).item() == 0
    board = (torch.arange(16).reshape(1, 1, 4, 4) // 4 + torch.arange(4)) % 2
    assert total_variation(board.double()).item() == pytest.approx(2)
    assert total_variation(torch.rand(2, 30)).item() == 0
