import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mdl.learning import flat
from mdl.learning.models import digits_mlp
from tests.learning.networks import Normalised


@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_written_is_read_back(seed: int) -> None:
    model = digits_mlp((1, 8, 8), 10)
    vector = np.random.default_rng(seed).standard_normal(flat.count(model)).astype(np.float32)
    flat.write(model, vector)
    np.testing.assert_array_equal(flat.read(model), vector)


def test_the_order_is_the_modules() -> None:
    model = torch.nn.Linear(2, 1)
    flat.write(model, np.array([1, 2, 3], np.float32))
    assert model.weight.tolist() == [[1, 2]]
    assert model.bias.tolist() == [3]


def test_what_was_read_does_not_change_with_the_model() -> None:
    model = torch.nn.Linear(2, 1)
    vector = flat.read(model)
    kept = vector.copy()
    flat.write(model, vector + 1)
    np.testing.assert_array_equal(vector, kept)


def test_frozen_parameters_and_buffers_are_left_out() -> None:
    assert flat.count(Normalised()) == 2 * 16 + 16 * 10 + 10


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_vector_that_cannot_be_written_to_can_be_loaded(kind: type[np.floating]) -> None:
    vector = np.array([1, 2, 3], kind)
    vector.setflags(write=False)
    model = torch.nn.Linear(2, 1)
    flat.write(model, vector)
    assert flat.read(model).tolist() == [1, 2, 3]
