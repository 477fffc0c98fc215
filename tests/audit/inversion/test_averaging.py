"""What roles of federated averaging see."""

import numpy as np

from mdl.audit.inversion import averaging
from mdl.audit.inversion.seen import own_gradient
from tests.audit.inversion.digits import staged

FEDAVG = "system.type=fedavg"


def test_the_server_sees_each_workers_gradient() -> None:
    run = staged(FEDAVG, epochs=2)
    for epoch in (1, 2):
        seen = averaging.by_server(run, epoch, 4)
        assert np.allclose(seen.gradient, own_gradient(run, 4, epoch), atol=1e-6)
        assert np.array_equal(seen.rows, run.steps[4, epoch].rows)
        assert np.allclose(seen.parameters, run.steps[4, epoch].before)


def test_a_worker_sees_the_mean_of_the_others_when_the_next_epoch_begins() -> None:
    run = staged(FEDAVG, epochs=2)
    seen = averaging.by_worker(run, 1, 4)
    others = [own_gradient(run, worker, 1) for worker in range(1, 9) if worker != 4]
    assert np.allclose(seen.gradient, np.mean(others, axis=0), atol=1e-5)
    assert len(seen.rows) == 7
