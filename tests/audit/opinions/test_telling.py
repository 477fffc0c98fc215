"""What is told of scores, in the clear as in the protocol."""

import numpy as np
import pytest
import torch

from mdl.audit.opinions.telling import KINDS, told
from mdl.mpc.blind.telling import Answers
from mdl.rehearsal import cast
from mdl.schemes.randomness import SystemRandomness
from mdl.simulator import simulate
from mdl.vectors import Floats
from tests.audit.taught import experiment

SCORES = np.random.default_rng(0).normal(0, 4, (400, 10)).astype(np.float32)


def said(answers: Answers, scores: Floats = SCORES, noise: float = 0.0) -> Floats:
    return told(scores, answers, noise=noise, rng=SystemRandomness(), seed=0)


def test_scores_are_told_with_twelve_fraction_bits() -> None:
    found = said("scores")
    np.testing.assert_array_equal(found * 4096, np.round(found * 4096))
    np.testing.assert_allclose(found, SCORES, atol=2**-13 + 1e-6)


def test_rounded_ones_are_quarters_off_by_less_than_one_and_by_none_on_average() -> None:
    found = said("rounded")
    np.testing.assert_array_equal(found * 4, np.round(found * 4))
    assert np.abs(found - SCORES).max() < 0.2501
    assert abs((found - SCORES).mean()) < 5 * 0.25 / np.sqrt(6 * SCORES.size)


def test_rounded_ones_may_be_large() -> None:
    edge = np.array([[31.75, 32.0, -250.0, 6000.25]], np.float32)
    np.testing.assert_array_equal(said("rounded", edge), edge)


def test_labels_are_the_best_class_alone() -> None:
    found = said("labels")
    np.testing.assert_array_equal(found.argmax(1), SCORES.argmax(1))
    np.testing.assert_array_equal(np.sort(found, axis=1), [[0.0] * 9 + [1.0]] * len(SCORES))


@pytest.mark.parametrize("answers", KINDS)
def test_noise_is_added_before_anything_is_told(answers: Answers) -> None:
    found = said(answers, noise=2.0)
    if answers == "labels":
        assert 0.1 < (found.argmax(1) != SCORES.argmax(1)).mean() < 0.9
    else:
        assert np.std(found - SCORES) == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("answers", KINDS)
def test_the_protocol_tells_the_same_but_for_last_digits(answers: Answers) -> None:
    found = experiment({"answers": answers, "refresh": 1.0}, epochs=2)
    learners = cast(found, None)
    simulation = simulate(found.system, learners.__getitem__, workers=2, epochs=2, seed=found.seed)
    kept, model = simulation.journals[1].read("opinions", 2), simulation.journals[2].read("model", 1)
    assert kept is not None
    assert model is not None
    images, _ = learners[1].numbered(np.arange(learners[1].examples))
    learners[2].load(model["parameters"])
    with torch.inference_mode():
        scores = learners[2].network.eval()(torch.from_numpy(images)).numpy()
    clear = said(answers, scores)
    if answers == "labels":
        assert (clear == kept["scores"]).all(1).mean() > 0.95
    else:
        assert np.abs(clear - kept["scores"]).max() <= {"scores": 0.01, "rounded": 0.25}[answers]
