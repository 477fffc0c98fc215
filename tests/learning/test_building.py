from pathlib import Path

import numpy as np
import pytest

from mdl.errors import DataUnavailable
from mdl.learning.building import build_learner
from mdl.learning.dataset import open_spool, spool
from mdl.learning.datasets import load
from mdl.learning.settings import LearningSettings
from tests.learning.conftest import Archive
from tests.learning.learners import DIGITS, DISJOINT, learner_of


def test_all_parties_begin_with_the_same_parameters() -> None:
    first, *others = (learner_of(party).parameters() for party in range(4))
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_workers_with_models_of_their_own_begin_each_with_its_own_parameters() -> None:
    own = {"models": ["digits-mlp"] * 8}
    first, again, other = (learner_of(party, own).parameters() for party in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_test_limit_is_the_same_examples_at_all_parties() -> None:
    limited = {**DISJOINT, "test_limit": 40}
    first, second = (learner_of(party, limited).evaluate() for party in (1, 2))
    assert first == second
    assert (first.accuracy * 40) % 1 == pytest.approx(0)


def test_a_party_may_take_labels_for_others_than_they_are() -> None:
    settings, wrong = LearningSettings(**DISJOINT), (DIGITS.train_labels + 1) % 10
    right, misled = (
        build_learner(settings, DIGITS, party=1, workers=8, epochs=1, seed=0, labels=labels)
        for labels in (None, wrong)
    )
    numbers = np.arange(right.examples)
    for one, other in zip(right.numbered(numbers), misled.numbered(numbers), strict=True):
        np.testing.assert_array_equal(other, one if one.dtype == np.float32 else (one + 1) % 10)
    assert misled.evaluate() == right.evaluate(), "the test set is what it is"


def test_the_manager_has_nothing_to_train_on() -> None:
    with pytest.raises(DataUnavailable, match="the manager has no training data"):
        learner_of(0).train(1)


def test_pooled_data_are_all_the_workers_examples_once() -> None:
    assert learner_of(0, pooled=True).examples == len(DIGITS.train_labels)


def test_workers_with_files_train_on_their_own(archive: Archive) -> None:
    archive("silo-1.npz")
    pattern = archive("silo-2.npz", x_train=np.zeros((5, 1, 4, 4), np.uint8), y_train=np.arange(5) % 3).parent
    silos = LearningSettings(dataset=str(pattern / "silo-{worker}.npz"))
    dataset = load(silos, workers=[1, 2])

    def examples(party: int) -> int:
        return build_learner(silos, dataset, party=party, workers=2, epochs=1, seed=0, pooled=True).examples

    assert [examples(1), examples(2), examples(0)] == [12, 5, 17]


def test_a_worker_whose_file_was_not_read_is_named(archive: Archive) -> None:
    pattern = archive("silo-1.npz").parent / "silo-{worker}.npz"
    silos = LearningSettings(dataset=str(pattern))
    with pytest.raises(DataUnavailable, match="the file of worker 2 was not read"):
        build_learner(silos, load(silos, workers=[1]), party=2, workers=2, epochs=1, seed=0)


def test_it_trains_on_a_mapped_data_set_as_on_one_in_memory(tmp_path: Path) -> None:
    spool(DIGITS, tmp_path)
    mapped = build_learner(
        LearningSettings(**DISJOINT), open_spool(tmp_path), party=1, workers=8, epochs=1, seed=0
    )
    np.testing.assert_array_equal(mapped.train(1).parameters, learner_of(1).train(1).parameters)
    assert mapped.evaluate().accuracy > 0
