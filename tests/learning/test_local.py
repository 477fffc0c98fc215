from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from mdl.errors import ConfigError
from mdl.learning import flat
from mdl.learning.building import build_learner
from mdl.learning.datasets import load
from mdl.learning.local import LocalLearner
from mdl.learning.models import build
from mdl.learning.partition import split
from mdl.learning.settings import LearningSettings
from mdl.system import Learner
from tests.learning.learners import DIGITS, DISJOINT, NORMALISED, learner_of


def test_it_is_what_a_system_asks_for() -> None:
    learner: Learner = learner_of(1)
    assert learner.learning_rate == 0.1


def test_what_is_loaded_is_what_it_has() -> None:
    learner = learner_of(1)
    wanted = np.linspace(-1, 1, len(learner.parameters()), dtype=np.float32)
    learner.load(wanted)
    np.testing.assert_array_equal(learner.parameters(), wanted)


def test_an_epoch_is_plain_gradient_descent_over_the_workers_examples() -> None:
    whole = {**DISJOINT, "batch": 10_000}
    settings = LearningSettings(**whole)
    rows = split(DIGITS.train_labels, settings, 8, seed=0)[2]
    model = build(settings, (1, 8, 8), 10, seed=0)
    images = torch.from_numpy(DIGITS.train_images[rows]).float() / 16
    loss = functional.cross_entropy(model(images), torch.from_numpy(DIGITS.train_labels[rows]))
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    expected = flat.read(model) - 0.1 * np.concatenate([gradient.numpy().ravel() for gradient in gradients])

    training = learner_of(3, whole).train(1)
    np.testing.assert_allclose(training.parameters, expected, atol=1e-6)
    assert training.loss == pytest.approx(loss.item(), rel=1e-5)
    assert training.examples == len(rows)


def test_training_leaves_its_result_in_the_model() -> None:
    learner = learner_of(1)
    result = learner.train(1).parameters
    np.testing.assert_array_equal(learner.parameters(), result)


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    party=st.integers(1, 8),
    epoch=st.integers(1, 500),
    changes=st.sampled_from([DISJOINT, NORMALISED, {**DISJOINT, "optimiser": "momentum"}]),
)
def test_an_epoch_repeated_from_the_same_parameters_gives_the_same(
    seed: int, party: int, epoch: int, changes: dict[str, Any]
) -> None:
    learner = learner_of(party, changes, seed=seed)
    start = learner.parameters()
    first = learner.train(epoch)
    torch.rand(7)  # whatever else the process draws
    learner.train(epoch + 1)
    learner.load(start)
    again = learner.train(epoch)
    np.testing.assert_array_equal(first.parameters, again.parameters)
    assert first.loss == again.loss


def test_another_epoch_goes_through_the_data_in_another_order() -> None:
    learner = learner_of(1)
    start = learner.parameters()
    first = learner.train(1).parameters
    learner.load(start)
    assert (learner.train(2).parameters != first).any()


def test_training_leaves_torchs_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    learner_of(1, NORMALISED).train(1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(("steps", "examples"), [(1, 16), (5, 80), (40, 640)])
def test_an_epoch_of_local_steps_takes_full_batches(steps: int, examples: int) -> None:
    learner = learner_of(1, {**DISJOINT, "local_steps": steps})
    assert learner.examples < 200  # so that 40 steps need more than one pass
    assert learner.train(1).examples == examples


def batches_of(learner: LocalLearner) -> list[int]:
    """How many examples each step of an epoch takes."""
    return [len(numbers) for _, _, numbers in learner._steps(1)]


@pytest.mark.parametrize(
    ("examples", "usual", "normalised"),
    [(32, [16, 16], [16, 16]), (33, [16, 16, 1], [16, 17]), (34, [16, 16, 2], [16, 16, 2])],
)
def test_where_a_batch_is_normalised_no_example_is_left_to_itself(
    examples: int, usual: list[int], normalised: list[int]
) -> None:
    few = {"train_limit": 8 * examples}
    plain, normal = (learner_of(1, {**changes, **few}) for changes in (DISJOINT, NORMALISED))
    assert batches_of(plain) == usual
    assert batches_of(normal) == normalised
    assert normal.train(1).examples == examples


@pytest.mark.parametrize("changes", [{"batch": 1}, {"train_limit": 8}], ids=["a step", "at all"])
def test_one_example_is_nothing_to_normalise_and_that_is_said(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="the model of worker 2 normalises over a batch"):
        learner_of(2, {**NORMALISED, **changes}).train(1)
    assert learner_of(2, {**DISJOINT, **changes}).train(1).examples


def test_an_error_of_a_normalised_model_is_its_own() -> None:
    with pytest.raises(ValueError, match="of its own"):
        learner_of(1, {**DISJOINT, "model": "tests.learning.networks:Sulking"}).train(1)


@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam", "amsgrad"])
def test_every_optimiser_learns(optimiser: str) -> None:
    learner = learner_of(0, {**DISJOINT, "optimiser": optimiser, "learning_rate": 0.01}, pooled=True)
    before = learner.evaluate().loss
    learner.train(1)
    learner.train(2)
    assert learner.evaluate().loss < before


def test_scores_are_the_mean_loss_and_the_share_that_is_right() -> None:
    learner = learner_of(1)
    model = build(LearningSettings(**DISJOINT), (1, 8, 8), 10, seed=0)
    scores = model(torch.from_numpy(DIGITS.test_images).float() / 16).detach()
    labels = torch.from_numpy(DIGITS.test_labels)
    metrics = learner.evaluate()
    assert metrics.loss == pytest.approx(float(functional.cross_entropy(scores, labels)), rel=1e-5)
    assert metrics.accuracy == pytest.approx(float((scores.argmax(1) == labels).float().mean()))


def test_scoring_is_without_dropout_and_changes_nothing() -> None:
    learner = learner_of(1, NORMALISED)
    before = learner.parameters()
    assert learner.evaluate() == learner.evaluate()
    np.testing.assert_array_equal(learner.parameters(), before)


def test_training_alone_starts_from_the_initial_parameters() -> None:
    learner = learner_of(1)
    fresh = learner_of(1)
    learner.train(1)
    fresh.train(1)
    fresh.train(2)
    assert learner.alone(2) == fresh.evaluate()


def test_training_alone_leaves_the_present_parameters() -> None:
    learner = learner_of(1)
    present = learner.train(1).parameters
    learner.alone(2)
    np.testing.assert_array_equal(learner.parameters(), present)


def test_training_that_diverges_says_so() -> None:
    learner = learner_of(4, {**DISJOINT, "learning_rate": 1e30})
    with pytest.raises(ConfigError, match="training of worker 4 diverged in epoch 1"):
        learner.train(1)


def test_averaging_beats_training_alone_on_the_digits() -> None:
    quick = {**DISJOINT, "batch": 8, "learning_rate": 0.2}
    team = [learner_of(party, quick) for party in range(1, 9)]
    for epoch in range(1, 21):
        mean = np.mean([learner.train(epoch).parameters for learner in team], axis=0)
        for learner in team:
            learner.load(mean)
    together = team[0].evaluate().accuracy
    alone = np.mean([learner.alone(20).accuracy for learner in team])
    assert together >= 0.94
    assert together >= alone + 0.015


def test_a_small_part_of_the_real_mnist_is_learnt_by_the_papers_mlp(data_dir: Path) -> None:
    small = LearningSettings(
        dataset="mnist", sample=1.0, train_limit=3000, test_limit=1000, learning_rate=0.1, batch=32
    )
    learner = build_learner(small, load(small, data_dir), party=1, workers=1, epochs=3, seed=0)
    assert learner.alone(3).accuracy > 0.85
