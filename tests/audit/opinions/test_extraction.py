"""Students that learn from answers alone."""

import numpy as np
import pytest
import torch
from torch import nn

from mdl.audit.opinions import extraction
from mdl.audit.opinions.extraction import accuracy, agreement, aims, taught
from mdl.learning.settings import LearningSettings
from mdl.mpc.blind.telling import Answers

SETTINGS = LearningSettings(learning_rate=0.5, batch=16)
IMAGES = np.random.default_rng(0).normal(0, 1, (500, 6)).astype(np.float32)


def linear(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 4))


def says(network: nn.Module) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(3 * network(torch.from_numpy(IMAGES)).numpy())


@pytest.mark.parametrize(("answers", "least"), [("scores", 0.97), ("labels", 0.85)])
def test_a_student_comes_to_say_what_the_network_says(answers: Answers, least: float) -> None:
    said = says(linear(1))
    before = agreement(says(linear(2)), said)
    shown = said if answers == "scores" else np.eye(4, dtype=np.float32)[said.argmax(1)]
    student = taught(
        linear(2), SETTINGS, IMAGES[:200], aims(shown[:200], answers), scale=1.0, steps=600, seed=0
    )
    assert before < 0.6
    assert agreement(says(student)[200:], said[200:]) > least
    assert not student.training


def test_aims_are_probabilities() -> None:
    said = says(linear(1))
    np.testing.assert_allclose(aims(said, "scores").sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(aims(said, "scores").argmax(1), said.argmax(1))
    one = np.eye(4, dtype=np.float32)
    np.testing.assert_array_equal(aims(one, "labels"), one)


@pytest.mark.parametrize(("count", "batch", "steps"), [(10, 4, 7), (3, 16, 5), (8, 8, 2)])
def test_each_image_has_its_turn_before_any_has_another(count: int, batch: int, steps: int) -> None:
    batches = list(extraction._orders(count, batch, steps, seed=1))
    assert [len(each) for each in batches] == [min(count, batch)] * steps
    shown = np.concatenate(batches)
    for first in range(0, len(shown) - count + 1, count):
        assert sorted(shown[first : first + count]) == list(range(count))


def test_shares_are_of_best_classes() -> None:
    one, other = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, 5.0], [0.0, 2.0]])
    assert agreement(one, other) == 0.5
    assert accuracy(one, np.array([1, 0])) == 1.0
