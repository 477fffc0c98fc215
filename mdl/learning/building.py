"""The making of a party's learner from the `[learning]` table and a data set: which model, which examples."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from mdl.errors import DataUnavailable, party_name
from mdl.learning import private
from mdl.learning.dataset import Dataset, Labels
from mdl.learning.local import Examples, LocalLearner
from mdl.learning.models import build
from mdl.learning.partition import Rows, limited, split
from mdl.learning.privacy import DpSgd
from mdl.learning.seeds import Purpose
from mdl.learning.settings import LearningSettings
from mdl.party import MANAGER, PartyId


def build_learner(
    settings: LearningSettings,
    dataset: Dataset,
    *,
    party: PartyId,
    workers: int,
    epochs: int,
    seed: int,
    pooled: bool = False,
    noise: Mapping[int, float] = MappingProxyType({}),
    labels: Labels | None = None,
) -> LocalLearner:
    """Make `party`'s learner: the common initial model or its own, its examples, the common test set.

    Args:
        settings: what is learnt and how.
        dataset: all of it, or where workers have files, at least this party's.
        party: a worker gets its part; the manager gets none.
        workers: n.
        epochs: the experiment's, over which a private worker may spend its ε.
        seed: the experiment's.
        pooled: give the manager the union of all the workers' parts (the yardstick of one who may see
            everything).
        noise: see `private_plan`.
        labels: what this party takes for those of the training set, shape (N,); None for the true ones. Who
            has which examples goes by the true ones.

    Raises:
        ConfigError: the model does not fit the data, or the set cannot be split over so many workers, or the
            worker has too many examples for its δ.
        DataUnavailable: the worker's own file is not among those read.
    """
    rows = _rows(settings, dataset, party=party, workers=workers, seed=seed, pooled=pooled)
    test = limited(len(dataset.test_labels), settings.test_limit, seed, Purpose.TEST_LIMIT)
    believed = dataset.train_labels if labels is None else labels
    return LocalLearner(
        build(
            settings.own(party), dataset.shape, dataset.classes, seed, *([party] if settings.models else [])
        ),
        settings,
        train=Examples(dataset.train_images, believed, rows, dataset.scale),
        test=Examples(dataset.test_images, dataset.test_labels, test, dataset.scale),
        seed=seed,
        party=party,
        plan=private_plan(settings, len(rows), epochs, noise),
    )


def private_plan(
    settings: LearningSettings,
    examples: int,
    epochs: int,
    noise: Mapping[int, float] = MappingProxyType({}),
) -> private.Plan | None:
    """How a party with so many examples trains privately; None if it does not.

    Args:
        settings: what is learnt and how.
        examples: of the party.
        epochs: the experiment's, over which the party may spend its ε.
        noise: noise multipliers that were calculated before, by the number of examples they are for.
    """
    if not isinstance(settings.privacy, DpSgd) or not examples:
        return None
    settings.privacy.check(examples)
    sampling = settings.sampling(examples)
    multiplier = noise.get(examples) or settings.privacy.noise_over(epochs, sampling)
    return private.Plan(settings.privacy.clip, multiplier, sampling)


def _rows(
    settings: LearningSettings, dataset: Dataset, *, party: PartyId, workers: int, seed: int, pooled: bool
) -> Rows:
    """The rows of the training set that `party` trains on."""
    assert 0 <= party <= workers
    if party == MANAGER and not pooled:
        return np.empty(0, np.int64)
    if settings.split != "files":
        parts = split(dataset.train_labels, settings, workers, seed)
        return np.unique(np.concatenate(parts)) if party == MANAGER else parts[party - 1]
    if party == MANAGER:
        return np.arange(len(dataset.train_labels))
    if party not in dataset.silos:
        raise DataUnavailable(f"the file of {party_name(party)} was not read ({settings.dataset})")
    return np.arange(*dataset.silos[party])
