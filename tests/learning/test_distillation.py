from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from mdl.errors import ConfigError, DataUnavailable
from mdl.learning import flat
from mdl.learning.distillation import divergence
from mdl.learning.models import build
from mdl.learning.settings import LearningSettings
from mdl.system import Opinions, Pupil
from tests.learning.learners import DIGITS, DISJOINT, NORMALISED, learner_of

MOMENTUM: dict[str, Any] = {**DISJOINT, "optimiser": "momentum"}


def opinions_on(
    examples: int, *, share: float = 1.0, weight: float = 1.0, temperature: float = 1.0, seed: int = 1
) -> Opinions:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(examples, 10)).astype(np.float32)
    return Opinions(scores, rng.random(examples) < share, weight, temperature)


def test_it_is_what_a_system_of_mutual_learning_asks_for() -> None:
    assert isinstance(learner_of(1), Pupil)


@settings(max_examples=10, deadline=None)
@given(
    epoch=st.integers(1, 50),
    changes=st.sampled_from([DISJOINT, MOMENTUM, NORMALISED, {**DISJOINT, "local_steps": 15}]),
)
def test_with_nothing_known_it_trains_bit_for_bit(epoch: int, changes: dict[str, Any]) -> None:
    learner = learner_of(2, changes)
    start = learner.parameters()
    plain = learner.train(epoch)
    learner.load(start)
    taught = learner.learn(epoch, opinions_on(learner.examples, share=0.0))
    np.testing.assert_array_equal(plain.parameters, taught.parameters)
    assert (plain.loss, plain.examples) == (taught.loss, taught.examples)


@pytest.mark.parametrize(
    ("weight", "temperature", "share"), [(1.0, 1.0, 1.0), (0.3, 4.0, 0.5), (2.0, 0.5, 0.1)]
)
def test_an_epoch_of_one_step_descends_the_loss_as_it_is_written(
    weight: float, temperature: float, share: float
) -> None:
    learner = learner_of(3, {**DISJOINT, "batch": 10_000})
    opinions = opinions_on(learner.examples, share=share, weight=weight, temperature=temperature)
    images, labels = map(torch.from_numpy, learner.numbered(np.arange(learner.examples)))
    model = build(LearningSettings(**DISJOINT), (1, 8, 8), 10, seed=0)
    own = model(images)
    teacher = (torch.from_numpy(opinions.scores) / temperature).softmax(1)
    apart = (teacher * (teacher.log() - (own / temperature).log_softmax(1))).sum(1)
    known = torch.from_numpy(opinions.known)
    each = functional.cross_entropy(own, labels, reduction="none") + weight * temperature**2 * apart * known
    gradients = torch.autograd.grad(each.mean(), list(model.parameters()))
    expected = flat.read(model) - 0.1 * np.concatenate([gradient.numpy().ravel() for gradient in gradients])

    training = learner.learn(1, opinions)
    np.testing.assert_allclose(training.parameters, expected, atol=1e-5)
    assert training.loss == pytest.approx(each.mean().item(), rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_of_best_classes_an_epoch_descends_a_second_cross_entropy(temperature: float) -> None:
    learner = learner_of(3, {**DISJOINT, "batch": 10_000})
    opinions = replace(opinions_on(learner.examples, share=0.5, weight=2.0), labels=True)
    images, labels = map(torch.from_numpy, learner.numbered(np.arange(learner.examples)))
    own = build(LearningSettings(**DISJOINT), (1, 8, 8), 10, seed=0)(images)
    best, known = torch.from_numpy(opinions.scores.argmax(1)), torch.from_numpy(opinions.known)
    apart = functional.cross_entropy(own, best, reduction="none") * known
    each = functional.cross_entropy(own, labels, reduction="none") + 2.0 * apart

    training = learner.learn(1, replace(opinions, temperature=temperature))
    assert training.loss == pytest.approx(each.mean().item(), rel=1e-5)


def test_opinions_go_with_their_examples_in_every_batch_and_epoch() -> None:
    learner = learner_of(1)
    images, labels = learner.numbered(np.arange(learner.examples))
    wrong = (labels + 1) % 10
    known = np.ones(learner.examples, np.bool_)
    opinions = Opinions(20 * np.eye(10, dtype=np.float32)[wrong], known, weight=4.0, temperature=1.0)
    for epoch in range(1, 31):
        learner.learn(epoch, opinions)
    with torch.no_grad():
        own = learner.network(torch.from_numpy(images)).argmax(1).numpy()
    assert (own == wrong).mean() > 0.9


def test_what_is_not_known_does_not_matter() -> None:
    learner = learner_of(1)
    start = learner.parameters()
    opinions = opinions_on(learner.examples, share=0.5)
    first = learner.learn(1, opinions).parameters
    learner.load(start)
    other = np.where(opinions.known[:, np.newaxis], opinions.scores, np.float32(3e38))
    np.testing.assert_array_equal(
        learner.learn(1, Opinions(other, opinions.known, 1.0, 1.0)).parameters, first
    )


@pytest.mark.parametrize("temperature", [0.01, 1.0, 100.0])
def test_a_teacher_cannot_make_the_loss_something_else_than_a_number(temperature: float) -> None:
    wild = torch.tensor([[3e38, -3e38, 0.0], [-3e38, -3e38, -3e38], [1e-45, 0.0, 0.0]])
    own = torch.zeros(3, 3, requires_grad=True)
    found = divergence(wild, own, temperature)
    found.backward()  # type: ignore[no-untyped-call]
    assert own.grad is not None
    assert found.isfinite()
    assert own.grad.isfinite().all()


def test_examples_keep_their_numbers() -> None:
    first, again = learner_of(4), learner_of(4)
    again.train(1)
    numbers = np.array([5, 0, 17])
    images, labels = first.numbered(numbers)
    assert images.shape == (3, 1, 8, 8)
    np.testing.assert_array_equal(images, again.numbered(numbers)[0])
    every, every_label = first.numbered(np.arange(first.examples))
    np.testing.assert_array_equal(every[numbers], images)
    np.testing.assert_array_equal(every_label[numbers], labels)
    assert first.examples < len(DIGITS.train_labels)


def test_private_training_takes_no_opinions() -> None:
    learner = learner_of(1, {**DISJOINT, "privacy": {"type": "dp-sgd", "noise_multiplier": 1.0}})
    with pytest.raises(ConfigError, match=r"learning\.privacy: dp-sgd .* opinions"):
        learner.learn(1, opinions_on(learner.examples))


def test_the_manager_has_nothing_to_learn_from() -> None:
    with pytest.raises(DataUnavailable, match="the manager has no training data"):
        learner_of(0).learn(1, opinions_on(0))


def test_opinions_on_other_examples_are_a_bug() -> None:
    learner = learner_of(1)
    with pytest.raises(AssertionError, match="for 18"):
        learner.learn(1, opinions_on(learner.examples + 1))
