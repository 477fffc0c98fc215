"""What roles of D-MHE hold is what they received or hold, and is what it is said to be."""

import numpy as np
import pytest

from mdl.audit.inversion import gossip
from mdl.audit.inversion.seen import own_gradient
from mdl.audit.inversion.stage import Staged
from mdl.systems.decentralised import Decentralised
from tests.audit.inversion.digits import staged

COARSE = 4 * 2.0**-16 / 0.2
"""What grid and float32 are of a gradient that is weighted with a third."""

GRAPHS = ["ring", "complete", "group", "random"]


def run(graph: str, mode: str = "bfv") -> Staged:
    return staged("system.type=decentralised", f"system.mode={mode}", f"system.graph.type={graph}", epochs=2)


def neighbours(held: Staged) -> tuple[int, ...]:
    assert isinstance(held.system, Decentralised)
    return held.system.neighbourhoods(8)[1].neighbours


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_node_has_the_weighted_mean_of_its_neighbours(graph: str) -> None:
    held = run(graph)
    seen = gossip.by_node(held)
    assert seen.workers == neighbours(held)
    assert isinstance(held.system, Decentralised)
    weights = [held.system.neighbourhoods(8)[1].weights[node] for node in seen.workers]
    owns = [own_gradient(held, node, 1) for node in seen.workers]
    np.testing.assert_allclose(seen.gradient, np.average(owns, axis=0, weights=weights), atol=COARSE)
    assert all(np.abs(seen.gradient - own).max() > 0.1 * np.abs(own).max() for own in owns)


@pytest.mark.parametrize("graph", GRAPHS)
def test_with_its_neighbours_but_one_it_has_that_ones_gradient(graph: str) -> None:
    held = run(graph)
    victim = neighbours(held)[-1]
    seen = gossip.by_coalition(held, victim)
    np.testing.assert_allclose(seen.gradient, own_gradient(held, victim, 1), atol=8 * COARSE)


@pytest.mark.parametrize("graph", ["ring", "group"])
def test_in_the_plain_mode_it_has_each_neighbours(graph: str) -> None:
    held = run(graph, "plain")
    for seen in list(gossip.views(held))[:-1]:
        (neighbour,) = seen.workers
        np.testing.assert_allclose(seen.gradient, own_gradient(held, neighbour, 1), atol=2.0**-16 / 0.2)


@pytest.mark.parametrize("graph", ["ring", "group"])
def test_a_ciphertext_read_as_numbers_has_nothing_of_the_gradient(graph: str) -> None:
    held = run(graph)
    seen = gossip.by_eavesdropper(held, 2)
    assert np.abs(seen.gradient).max() <= 1
    assert abs(np.corrcoef(seen.gradient, own_gradient(held, 2, 1))[0, 1]) < 0.1


def test_each_role_has_its_view() -> None:
    assert [(seen.role, seen.workers) for seen in gossip.views(run("ring"))] == [
        ("worker", (2, 8)),
        ("eavesdropper", (2,)),
        ("coalition", (8,)),
    ]
    assert [(seen.role, seen.workers) for seen in gossip.views(run("ring", "plain"))] == [
        ("worker", (2,)),
        ("worker", (8,)),
        ("eavesdropper", (2,)),
        ("coalition", (8,)),
    ]
