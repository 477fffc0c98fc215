"""Who holds which examples."""

import numpy as np

from mdl.audit.holdings import rows_of_workers
from mdl.learning.building import build_learner
from tests.audit.inversion.digits import dataset, experiment


def test_they_are_the_examples_that_workers_train_on() -> None:
    rows = rows_of_workers(experiment(), dataset())
    assert sorted(rows) == list(range(1, 9))
    assert len(np.unique(np.concatenate(list(rows.values())))) == sum(map(len, rows.values()))
    learner = build_learner(
        experiment().learning, dataset(), party=3, workers=8, epochs=1, seed=experiment().seed
    )
    assert learner.examples == len(rows[3])
