"""An epoch as far as the manager learns of it."""

import numpy as np
import pytest

from tests.audit.inversion.digits import epochs, staged


def test_the_mean_is_that_of_what_was_contributed() -> None:
    (epoch,) = epochs()
    everybody = epoch.held_by(range(1, 9)) / epoch.members
    assert np.allclose(everybody[epoch.opened], epoch.mean[epoch.opened])
    assert set(epoch.members) == {4}


def test_the_next_epoch_begins_with_the_model_that_workers_were_handed() -> None:
    _, second = epochs("system.visibility=1.0", "system.block=100", count=2)
    handed = staged("system.visibility=1.0", "system.block=100", epochs=2).steps[5, 2].before
    assert np.allclose(second.before, handed, atol=1e-6)


def test_only_the_first_versions_of_dynamic_are_read() -> None:
    assert len(epochs("system.type=dynamic", "system.block=10", count=1)) == 1


@pytest.mark.parametrize("worker", [1, 8])
def test_a_worker_holds_what_it_contributed_and_nothing_elsewhere(worker: int) -> None:
    (epoch,) = epochs()
    held = epoch.held_by([worker])
    inside = epoch.encoded(worker)[held != 0]
    assert np.array_equal(held[held != 0], inside)
    assert 0 < (held != 0).mean() <= 0.5
