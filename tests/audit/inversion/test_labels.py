"""Labels from the last bias."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mdl.audit.inversion.labels import label_counts, right, single_label
from mdl.audit.inversion.target import NotApplicable
from mdl.learning.models import digits_mlp
from tests.audit.inversion.digits import images, target_of


@settings(max_examples=10)
@given(row=st.integers(0, 1441))
def test_the_label_of_one_image_is_where_the_bias_gradient_is_negative(row: int) -> None:
    x, y = images(row)
    assert single_label(target_of(digits_mlp((1, 8, 8), 10), x, y)) == y[0]


def test_the_labels_of_a_mean_are_counted() -> None:
    torch.manual_seed(0)
    x, y = images(*range(0, 1440, 180))
    target = target_of(digits_mlp((1, 8, 8), 10), x, y).of_type(torch.float64)
    assert right(label_counts(target, len(y), seed=0), y) >= len(y) - 1


def test_a_model_without_a_last_bias_tells_no_label() -> None:
    x, y = images(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False))
    with pytest.raises(NotApplicable, match="does not end with a bias"):
        single_label(target_of(model, x, y))


@pytest.mark.parametrize(
    ("told", "true", "count"), [([1, 1, 2], [1, 2, 2], 2), ([3], [1, 3, 5], 1), ([], [], 0), ([0], [9], 0)]
)
def test_labels_are_compared_whatever_their_order(told: list[int], true: list[int], count: int) -> None:
    assert right(told, true) == count


def test_random_probes_come_from_the_seed() -> None:
    x, y = images(0, 1)
    target = target_of(digits_mlp((1, 8, 8), 10), x, y).of_type(torch.float64)
    assert np.array_equal(label_counts(target, 2, seed=4), label_counts(target, 2, seed=4))
