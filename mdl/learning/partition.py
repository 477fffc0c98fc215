"""Sharing one training set out among the workers. Experiment randomness: the same seed, the same parts."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdl.errors import ConfigError
from mdl.learning.dataset import Labels
from mdl.learning.seeds import Purpose, generator
from mdl.learning.settings import LearningSettings

Rows: TypeAlias = NDArray[np.int64]
"""Row numbers of a data set, ascending."""

_A_FEW = 10
"""No worker is left with fewer examples than this by a skewed split, if there are that many for each."""


def split(labels: Labels, settings: LearningSettings, workers: int, seed: int) -> list[Rows]:
    """Say which rows of the training set each worker holds.

    Args:
        labels: of the training set, shape (N,).
        settings: the kind of split, and how many of the examples to use.
        workers: n; the parts come in the order of the workers.
        seed: the experiment's.

    Raises:
        ConfigError: there are fewer examples than workers, or than shards, or fewer classes than workers.
    """
    assert settings.split != "files", "each worker has its own file: nothing to split"
    pool = limited(len(labels), settings.train_limit, seed, Purpose.TRAIN_LIMIT)
    if len(pool) < workers:
        raise ConfigError([f"learning: {len(pool)} training examples cannot be split over {workers} workers"])
    rng = generator(seed, Purpose.SPLIT)
    if settings.split == "sample":
        return _samples(pool, settings.sampled_fraction, workers, rng)
    if settings.split == "disjoint":
        return [np.sort(part) for part in np.array_split(rng.permutation(pool), workers)]
    if settings.split == "shards":
        return _sharded(pool, labels, settings.shards_each, workers, rng)
    if settings.split == "classes":
        return _by_class(pool, labels, settings.skew_of_own, workers, rng)
    assert settings.alpha is not None
    return _skewed(pool, labels, settings.alpha, workers, rng)


def limited(count: int, limit: int | None, seed: int, purpose: Purpose) -> Rows:
    """Choose `limit` of `count` rows at random, all of them where there is no limit or no need of one."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.sort(generator(seed, purpose).choice(count, limit, replace=False))


def _samples(pool: Rows, fraction: float, workers: int, rng: np.random.Generator) -> list[Rows]:
    size = max(1, round(fraction * len(pool)))
    return [np.sort(rng.choice(pool, size, replace=False)) for _ in range(workers)]


def _sharded(pool: Rows, labels: Labels, each: int, workers: int, rng: np.random.Generator) -> list[Rows]:
    """Cut the examples, ordered by label, into equal stretches; deal `each` of them to every worker."""
    if len(pool) < workers * each:
        raise ConfigError([f"learning.shards: {len(pool)} training examples make no {workers * each} shards"])
    mixed = rng.permutation(pool)
    stretches = np.array_split(mixed[np.argsort(labels[mixed], kind="stable")], workers * each)
    dealt = rng.permutation(len(stretches)).reshape(workers, each)
    return [np.sort(np.concatenate([stretches[index] for index in hand])) for hand in dealt]


def _by_class(pool: Rows, labels: Labels, skew: float, workers: int, rng: np.random.Generator) -> list[Rows]:
    """Deal the classes out in turn; of each, its owner gets `skew`, and the others share the rest equally."""
    classes = np.unique(labels[pool])
    if len(classes) < workers:
        raise ConfigError(
            [f"learning.split: {len(classes)} classes cannot be dealt out to {workers} workers: one each"]
        )
    if workers == 1:
        return [pool]
    parts: list[list[Rows]] = [[] for _ in range(workers)]
    for place, label in enumerate(classes):
        members = rng.permutation(pool[labels[pool] == label])
        own, rest = np.split(members, [round(skew * len(members))])
        owner = place % workers
        parts[owner].append(own)
        others = [worker for worker in range(workers) if worker != owner]
        for worker, given in zip(others, np.array_split(rest, workers - 1), strict=True):
            parts[worker].append(given)
    return [np.sort(np.concatenate(part)) for part in parts]


def _skewed(pool: Rows, labels: Labels, alpha: float, workers: int, rng: np.random.Generator) -> list[Rows]:
    """Share each label out by proportions of its own, drawn from Dirichlet(alpha, ..., alpha)."""
    parts: list[list[int]] = [[] for _ in range(workers)]
    for label in np.unique(labels[pool]):
        members = rng.permutation(pool[labels[pool] == label])
        cuts = np.cumsum(rng.dirichlet(np.full(workers, alpha)))[:-1] * len(members)
        for part, given in zip(parts, np.split(members, cuts.round().astype(np.int64)), strict=True):
            part.extend(given.tolist())
    _feed_the_poor(parts, min(_A_FEW, len(pool) // workers), rng)
    return [np.sort(np.asarray(part, np.int64)) for part in parts]


def _feed_the_poor(parts: list[list[int]], least: int, rng: np.random.Generator) -> None:
    """Move examples from the largest part until every part has `least`: nobody can train on nothing."""
    for part in parts:
        while len(part) < least:
            largest = max(parts, key=len)
            part.append(largest.pop(int(rng.integers(len(largest)))))
