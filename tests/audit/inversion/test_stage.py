"""A run whose truth is known."""

import numpy as np

from mdl.audit.holdings import rows_of_workers
from mdl.audit.inversion.stage import stage
from mdl.protocols.opening import Open
from tests.audit.inversion.digits import dataset, experiment, staged


def test_each_worker_trained_on_one_image_of_its_own() -> None:
    run, rows = staged(), rows_of_workers(experiment(), dataset())
    for worker in range(1, 9):
        step = run.steps[worker, 1]
        assert len(step.rows) == 1
        assert step.rows[0] in rows[worker]
        assert np.array_equal(step.before, run.start)


def test_a_whole_epoch_notes_every_image_once() -> None:
    one = experiment()
    settings = one.learning.model_copy(update={"local_steps": None, "batch": 32})
    whole = one.model_copy(update={"learning": settings})
    run = stage(whole, dataset(), epochs=1)
    assert np.array_equal(run.steps[3, 1].rows, rows_of_workers(whole, dataset())[3])


def test_the_experiments_scheme_was_run() -> None:
    assert any(isinstance(sent.message, Open) for sent in staged().transcript)


def test_it_begins_where_it_is_told_to() -> None:
    start = staged().start + np.float32(0.01)
    run = stage(experiment(), dataset(), epochs=1, start=start)
    assert np.array_equal(run.start, start)
    assert all(np.array_equal(step.before, start) for step in run.steps.values())


def test_private_training_is_staged_as_it_would_be_run() -> None:
    private = experiment(
        "learning.privacy.type=dp-sgd", "learning.privacy.clip=0.001", "learning.privacy.noise_multiplier=0.5"
    )
    run, plain = stage(private, dataset(), epochs=1), staged()
    assert len(np.unique([len(step.rows) for step in run.steps.values()])) > 1  # drawn, even none
    moved = [np.abs(made.steps[1, 1].after - made.steps[1, 1].before).max() for made in (run, plain)]
    assert moved[0] < moved[1] / 5
