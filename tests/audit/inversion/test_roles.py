"""Views contain what their role received or computed, and nothing else."""

import numpy as np
import pytest

from mdl.audit.inversion import roles
from mdl.audit.inversion.seen import own_gradient
from tests.audit.inversion.digits import epochs, experiment, staged

ALL = ("system.visibility=1.0", "system.block=100")
NOISY = (*ALL, "system.privacy.type=laplace", "system.privacy.epsilon=1")


def test_the_manager_sees_means_and_no_single_gradient() -> None:
    (epoch,) = epochs(*ALL)
    (seen,) = roles.by_manager(epoch)
    assert seen.workers == tuple(range(1, 9))
    assert len(seen.rows) == 8
    assert seen.known.all()
    for worker in range(1, 9):
        own = own_gradient(epoch.staged, worker, 1)
        assert np.abs(seen.gradient - own).max() > 0.1 * np.abs(own).max()


def test_sets_that_differ_from_parameter_to_parameter_are_noted() -> None:
    (mixed,), (alike,) = (roles.by_manager(epochs(*overrides)[0]) for overrides in ((), ALL))
    assert mixed.mixed
    assert not alike.mixed


def test_where_nothing_is_hidden_the_manager_sees_each_upload() -> None:
    (epoch,) = epochs("system.scheme.type=plain")
    for seen, worker in zip(roles.by_manager(epoch), range(1, 9), strict=True):
        own = own_gradient(epoch.staged, worker, 1)
        assert np.allclose(seen.gradient[seen.known], own[seen.known], atol=2**-12)
        assert seen.known.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("overrides", [(), ALL, NOISY, ("system.type=dynamic", "system.block=10")])
def test_a_worker_sees_the_mean_of_the_others(overrides: tuple[str, ...]) -> None:
    (epoch,) = epochs(*overrides)
    seen = roles.by_worker(epoch, 3)
    others = [worker for worker in range(1, 9) if worker != 3]
    mean = epoch.held_by(others) / (epoch.members - 1)
    assert np.allclose(seen.gradient[seen.known], mean[seen.known], atol=1e-5)
    assert 3 not in seen.workers


def test_a_worker_knows_nothing_of_blocks_it_was_not_handed() -> None:
    (epoch,) = epochs()
    assert roles.by_worker(epoch, 3).known.mean() == pytest.approx(0.5, abs=0.01)


def test_of_a_later_epoch_a_worker_needs_what_came_before() -> None:
    first, second = epochs(count=2)
    before, after = roles.by_worker(first, 3).known, roles.by_worker(second, 3).known
    assert not (after & ~before).any()
    assert after.any()


def test_all_but_one_of_a_set_have_that_ones_contribution() -> None:
    (epoch,) = epochs(*NOISY)
    seen = roles.by_coalition(epoch, 8)
    assert seen.known.all()
    assert np.allclose(seen.gradient, epoch.encoded(8))


def test_fewer_have_it_only_where_they_fill_the_set() -> None:
    (epoch,) = epochs()
    seen = roles.by_coalition(epoch, 8)
    m, n = 4, 8
    assert 0 < seen.known.mean() < 3 / (n - 1)
    assert experiment().system.visibility_threshold(n) == m  # type: ignore[union-attr]
    assert np.allclose(seen.gradient[seen.known], epoch.encoded(8)[seen.known])


@pytest.mark.parametrize("overrides", [(), ALL, ("system.scheme.type=rlwe", "system.block=2410")])
def test_a_ciphertext_read_as_numbers_has_nothing_of_the_gradient(overrides: tuple[str, ...]) -> None:
    (epoch,) = epochs(*overrides)
    first = roles.members(epoch)[0]
    seen = roles.by_eavesdropper(epoch, first)
    own = epoch.encoded(first)
    assert np.abs(seen.gradient).max() <= 1
    assert len(np.unique(seen.gradient[seen.known])) > 1000
    correlation = np.corrcoef(seen.gradient[seen.known], own[seen.known])[0, 1]
    assert abs(correlation) < 0.15


def test_views_are_of_the_transcript_alone() -> None:
    """Without the messages that a role received it sees nothing: no memory of the run helps out."""
    run = staged(*ALL)
    (epoch,) = epochs(*ALL)
    deaf = epoch.__class__(
        run.__class__(**{**vars(run), "transcript": ()}),
        epoch.system,
        1,
        epoch.before,
        epoch.blocks,
        epoch.sums,
    )
    assert not roles.by_worker(deaf, 1).known.any()
    with pytest.raises(KeyError):
        roles.by_eavesdropper(deaf, 1)
