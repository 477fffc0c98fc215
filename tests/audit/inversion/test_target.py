"""A gradient put to a model."""

import numpy as np
import torch

from mdl.audit.inversion.target import pictures, targeted
from mdl.learning import flat
from mdl.learning.models import digits_mlp
from tests.audit.inversion.digits import images, target_of


def test_the_gradient_of_the_true_image_is_the_one_seen() -> None:
    x, y = images(3)
    target = target_of(digits_mlp((1, 8, 8), 10), x, y).of_type(torch.float64)
    made = target.gradient_of(torch.from_numpy(x).double(), torch.tensor(y))
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(made, target.gradient, strict=True))


def test_what_was_not_seen_is_zero_and_said_to_be_unknown() -> None:
    model = digits_mlp((1, 8, 8), 10)
    count = flat.count(model)
    known = np.arange(count) % 2 == 0
    target = targeted(model, flat.read(model), np.full(count, np.nan), np.zeros(count, np.bool_), (1, 8, 8))
    assert all(not part.any() for part in (*target.gradient, *target.known))
    half = targeted(model, flat.read(model), np.ones(count), known, (1, 8, 8))
    assert sum(int(part.sum()) for part in half.gradient) == known.sum()


def test_the_callers_model_is_left_alone() -> None:
    model = digits_mlp((1, 8, 8), 10)
    before = flat.read(model)
    targeted(model, before + 1, np.zeros_like(before), np.ones(len(before), np.bool_), (1, 8, 8))
    assert np.array_equal(flat.read(model), before)


def test_pixels_are_cut_to_their_range() -> None:
    assert pictures(torch.tensor([[-0.5, 0.5, 1.5]])).tolist() == [[0.0, 0.5, 1.0]]
