"""What roles of SSDDL hold is what they received, and is what it is said to be."""

import numpy as np
import pytest

from mdl.audit.inversion import sharing
from mdl.audit.inversion.seen import own_gradient
from mdl.audit.inversion.stage import Staged
from tests.audit.inversion.digits import staged

MODES = ["prng", "additive", "shamir"]
GRID = 2.0**-16 / 0.2
"""What the encoding's grid is of a gradient: the quickstart's λ is 0.2."""


def run(mode: str, *overrides: str) -> Staged:
    return staged("system.type=secret-shared", f"system.mode={mode}", *overrides, epochs=2)


@pytest.mark.parametrize("mode", MODES)
def test_the_server_has_the_mean_and_no_single_update(mode: str) -> None:
    held = run(mode)
    assert held.learning_rate == 0.2
    for epoch in (1, 2):
        (seen,) = sharing.by_server(held, epoch)
        owns = [own_gradient(held, worker, epoch) for worker in range(1, 9)]
        np.testing.assert_allclose(seen.gradient, np.mean(owns, axis=0), atol=GRID)
        assert all(np.abs(seen.gradient - own).max() > 0.1 * np.abs(own).max() for own in owns)
        assert (seen.workers, len(seen.rows)) == (tuple(range(1, 9)), 8)
        np.testing.assert_array_equal(seen.parameters, held.steps[1, epoch].before)


def test_where_nothing_is_hidden_the_server_has_each_update() -> None:
    held = run("plain")
    for seen, worker in zip(sharing.by_server(held, 1), range(1, 9), strict=True):
        np.testing.assert_allclose(seen.gradient, own_gradient(held, worker, 1), atol=GRID)
    link = sharing.by_eavesdropper(held, 1, 3)
    np.testing.assert_allclose(link.gradient, own_gradient(held, 3, 1), atol=GRID)


def test_a_member_has_the_mean_of_the_others_when_the_next_epoch_begins() -> None:
    held = run("prng")
    seen = sharing.by_worker(held, 1, 3)
    others = [own_gradient(held, worker, 1) for worker in range(1, 9) if worker != 3]
    np.testing.assert_allclose(seen.gradient, np.mean(others, axis=0), atol=1e-4)
    assert 3 not in seen.workers


@pytest.mark.parametrize("mode", MODES)
def test_all_but_one_have_that_ones_update(mode: str) -> None:
    held = run(mode)
    seen = sharing.by_coalition(held, 1, 8)
    np.testing.assert_allclose(seen.gradient, own_gradient(held, 8, 1), atol=GRID)


@pytest.mark.parametrize("mode", MODES)
def test_a_link_read_as_numbers_has_nothing_of_the_update(mode: str) -> None:
    held = run(mode)
    seen = sharing.by_eavesdropper(held, 1, 3)
    assert np.abs(seen.gradient).max() <= 1 / 0.2
    assert abs(np.corrcoef(seen.gradient, own_gradient(held, 3, 1))[0, 1]) < 0.1


def test_a_smaller_group_is_who_was_asked() -> None:
    held = run("shamir", "system.group=4")
    group = sharing.members(held, 1)
    assert len(group) == 4
    (seen,) = sharing.by_server(held, 1)
    assert seen.workers == tuple(group)
    roles = [view.role for view in sharing.views(held, 1)]
    assert roles[0] == "manager"
    assert roles[-2:] == ["eavesdropper", "coalition"]


def test_without_what_was_received_nothing_is_seen() -> None:
    held = run("prng")
    deaf = Staged(**{**vars(held), "transcript": ()})
    with pytest.raises(ValueError, match="unpack"):
        sharing.members(deaf, 1)
