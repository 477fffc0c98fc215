import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.errors import ConfigError
from mdl.learning.dataset import Labels
from mdl.learning.partition import limited, split
from mdl.learning.seeds import Purpose
from mdl.learning.settings import LearningSettings

SAMPLE = LearningSettings()
DISJOINT = LearningSettings(split="disjoint")
SHARDS = LearningSettings(split="shards")
CLASSES = LearningSettings(split="classes")


def labels_of(count: int) -> Labels:
    return np.arange(count) % 10


def skewed(alpha: float) -> LearningSettings:
    return LearningSettings(split="dirichlet", alpha=alpha)


seeds = st.integers(0, 2**32)
counts = st.integers(20, 400)
teams = st.integers(1, 8)
disjoint_splits = st.sampled_from([DISJOINT, SHARDS, CLASSES, skewed(0.1), skewed(1.0), skewed(100.0)])


@given(seed=seeds, count=counts, workers=teams, settings=st.one_of(st.just(SAMPLE), disjoint_splits))
def test_the_same_seed_gives_the_same_parts(
    seed: int, count: int, workers: int, settings: LearningSettings
) -> None:
    first, again = (split(labels_of(count), settings, workers, seed) for _ in range(2))
    assert [part.tolist() for part in first] == [part.tolist() for part in again]


@given(seed=seeds, count=counts, workers=teams, settings=disjoint_splits)
def test_disjoint_parts_make_up_the_whole(
    seed: int, count: int, workers: int, settings: LearningSettings
) -> None:
    parts = split(labels_of(count), settings, workers, seed)
    assert len(parts) == workers
    assert np.sort(np.concatenate(parts)).tolist() == list(range(count))


@given(seed=seeds, count=counts, workers=teams)
def test_equal_parts_differ_by_one_example_at_most(seed: int, count: int, workers: int) -> None:
    sizes = [len(part) for part in split(labels_of(count), DISJOINT, workers, seed)]
    assert max(sizes) - min(sizes) <= 1


@given(seed=seeds, count=counts, workers=teams)
def test_a_sample_has_its_fraction_and_no_example_twice(seed: int, count: int, workers: int) -> None:
    for part in split(labels_of(count), SAMPLE, workers, seed):
        assert len(part) == len(set(part.tolist())) == round(0.6 * count)


@given(seed=seeds, count=counts, workers=teams)
def test_no_worker_is_left_without_a_few_examples(seed: int, count: int, workers: int) -> None:
    sizes = [len(part) for part in split(labels_of(count), skewed(0.05), workers, seed)]
    assert min(sizes) >= min(10, count // workers)


def test_a_small_alpha_skews_the_labels_and_a_large_one_does_not() -> None:
    def largest_share(alpha: float) -> float:
        parts = split(labels_of(4000), skewed(alpha), 8, seed=1)
        return float(np.mean([np.bincount(part % 10).max() / len(part) for part in parts]))

    assert largest_share(0.1) > 0.3
    assert largest_share(1000.0) < 0.15


def test_shards_are_of_few_labels_and_as_large_as_promised() -> None:
    settings = LearningSettings(dataset="mnist", split="shards", shards=2, train_limit=4001)
    parts = split(labels_of(60_000), settings, 8, seed=1)
    assert min(map(len, parts)) == settings.examples_each(8) == 500
    # A stretch of 250 examples lies within the 400 of one label, or touches the next one.
    assert max(len(np.unique(part % 10)) for part in parts) <= 4


def test_fewer_examples_than_shards_are_refused() -> None:
    with pytest.raises(ConfigError, match="20 training examples make no 24 shards"):
        split(labels_of(20), LearningSettings(split="shards", shards=3), 8, seed=1)


@given(
    seed=seeds,
    counts=st.lists(st.integers(1, 60), min_size=8, max_size=12),
    workers=st.integers(2, 8),
    skew=st.floats(0.5, 1, exclude_min=True),
)
def test_a_class_is_its_owners_but_for_a_rest_that_the_others_share(
    seed: int, counts: list[int], workers: int, skew: float
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    parts = split(labels, LearningSettings(split="classes", skew=skew), workers, seed)
    held = np.array([np.bincount(labels[part], minlength=len(counts)) for part in parts])
    for label, count in enumerate(counts):
        owner = label % workers
        assert held[owner, label] == round(skew * count)
        others = np.delete(held[:, label], owner)
        assert others.sum() == count - round(skew * count)
        assert others.max() - others.min() <= 1


def test_of_two_owners_each_has_four_fifths_of_its_classes() -> None:
    parts = split(labels_of(4000), CLASSES, 2, seed=1)
    assert [np.bincount(part % 10).tolist() for part in parts] == [[320, 80] * 5, [80, 320] * 5]


def test_whoever_is_alone_has_every_class() -> None:
    [part] = split(labels_of(40), CLASSES, 1, seed=1)
    assert part.tolist() == list(range(40))


def test_classes_that_do_not_go_round_are_refused() -> None:
    with pytest.raises(ConfigError, match="10 classes cannot be dealt out to 11 workers"):
        split(labels_of(110), CLASSES, 11, seed=1)


def test_samples_of_two_workers_overlap_by_chance() -> None:
    first, second = split(labels_of(1000), SAMPLE, 2, seed=3)
    assert 300 < len(np.intersect1d(first, second)) < 420


def test_a_limit_shrinks_the_set_before_it_is_split() -> None:
    settings = LearningSettings(split="disjoint", train_limit=50)
    parts = split(labels_of(1000), settings, 4, seed=0)
    assert len(np.unique(np.concatenate(parts))) == 50


def test_another_seed_gives_other_examples() -> None:
    first, second = (limited(1000, 50, seed, Purpose.TEST_LIMIT).tolist() for seed in (0, 1))
    assert first != second


def test_a_limit_beyond_the_set_is_the_set() -> None:
    assert limited(5, 9, 0, Purpose.TRAIN_LIMIT).tolist() == [0, 1, 2, 3, 4]


def test_more_workers_than_examples_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 training examples cannot be split over 4 workers"):
        split(labels_of(3), DISJOINT, 4, seed=0)
