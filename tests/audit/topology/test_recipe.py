"""What a coalition is said to compute is computed here: from what its members learn in an encrypted run."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from mdl.audit.topology.recipe import Recipe, recipe
from mdl.protocols.graphs import Graph, complete, random_graph, ring
from mdl.protocols.observations import of_neighbours, of_one_group
from mdl.simulator import Network, simulate
from mdl.systems.decentralised import Decentralised
from mdl.systems.decentralised.topology import RandomSettings
from tests.systems.comings import Trainings, Watched, seconds_each
from tests.tiny import TinyLearner, tiny

FIVE, EIGHT = range(1, 6), range(1, 9)

LOSING = RandomSettings(seed=3, probability=0.7)
"""Of seven: neighbourhoods of 5 to 7."""


def test_on_a_ring_the_average_of_one_is_enough() -> None:
    found = recipe(of_neighbours(ring(EIGHT), 8), (1, 2), 3)
    assert found == Recipe(3, {(2, 1): Fraction(256, 85)})


def test_where_two_sums_differ_by_one_node_their_difference_is_taken() -> None:
    """Nodes 1 and 2 have the neighbours 3 and 4 both, and 5 is 2's."""
    graph = Graph(tuple(FIVE), ((1, 3), (1, 4), (2, 3), (2, 4), (2, 5), (4, 5)))
    found = recipe(of_neighbours(graph, 12), (1, 2), 5)
    assert found is None  # weights of 3 and 4 are not as in the other sum
    regular = Graph(
        (1, 2, 3, 4, 5, 6), ((1, 3), (1, 4), (1, 6), (2, 3), (2, 4), (2, 5), (3, 6), (4, 5), (5, 6))
    )
    observed = of_neighbours(regular, 12)
    assert set(regular.degrees.values()) == {3}
    assert recipe(observed, (1, 2), 5) is None
    found = recipe(observed, (1, 2, 6), 5)
    assert found is not None
    assert found.factors[1, 1] == -found.factors[2, 1]


def test_nobody_is_computed_where_nobody_is_exposed() -> None:
    assert recipe(of_neighbours(complete(EIGHT), 8), (1, 2, 3, 4, 5, 6), 7) is None
    assert recipe(of_one_group(EIGHT), (1, 2, 3, 4, 5, 6), 7) is None
    assert recipe(of_one_group(EIGHT), (1, 2, 3, 4, 5, 6, 7), 8) == Recipe(8, {(1, 1): Fraction(1)})


@pytest.mark.parametrize("epochs", [1, 3])
def test_the_factors_give_the_victims_value(epochs: int) -> None:
    observed = of_neighbours(random_graph(EIGHT, 0.4, 3), 8, epochs=epochs)
    found = recipe(observed, (2, 3), 8)
    assert found is not None
    values = np.array([Fraction(place**3 - 7) for place in range(8)], np.object_)
    values[[1, 2]] = 0  # their own are taken off
    learnt = {
        (party, epoch): sum(observed.rows[party - 1, epoch - 1] * values) / Fraction(1 << 8 * epoch)
        for party, epoch in found.factors
    }
    assert sum(factor * learnt[of] for of, factor in found.factors.items()) == values[7]


def test_nodes_that_collude_recover_a_model_from_an_encrypted_run() -> None:
    """They have what they hold when an epoch is over, and what they trained; nothing is taken from others."""
    system = Decentralised(graph=RandomSettings(seed=3))
    played = simulate(system, tiny(20), workers=8, epochs=1)
    averages = {node: played.outcomes[node].parameters.astype(np.float64) for node in (2, 3)}
    trained = {node: TinyLearner(node, 20).train(1).parameters.astype(np.float64) for node in EIGHT}
    weights = system.topology(8).weights(8)
    found = recipe(of_neighbours(system.topology(8), 8), (2, 3), 8)
    assert found is not None
    recovered = np.zeros(20)
    for (node, _), factor in found.factors.items():
        known = sum(weights[node].get(own, 0) / 256 * trained[own] for own in (2, 3))
        recovered += float(factor) * (averages[node] - known)
    np.testing.assert_allclose(recovered, trained[8], atol=1e-3)
    assert np.abs(averages[2] - trained[8]).max() > 0.1


def test_after_a_loss_they_do_so_by_the_weights_that_are_left() -> None:
    """Without the lost node the graph's own weights are others, and by those two expose nobody."""
    system, lost, colluding, victim = Decentralised(graph=LOSING, threshold=4), 4, (1, 2), 5
    graph = system.topology(7)
    observed = of_neighbours(graph, 8, threshold=4, lost=[lost])
    found = recipe(observed, colluding, victim)
    assert found is not None
    assert recipe(of_neighbours(graph.without([lost]), 8), colluding, victim) is None
    trainings: Trainings = {}
    simulate(
        system,
        partial(Watched, trainings=trainings),
        workers=7,
        epochs=4,
        leave={lost: 2.2},
        network=Network(latency_seconds=0.05),
        delays=seconds_each,
    )
    place = {party: index for index, party in enumerate(observed.parties)}
    for epoch in (2, 3):
        recovered = np.zeros(7)
        for (node, _), factor in found.factors.items():
            row = observed.rows[place[node], 0]
            known = sum(float(row[place[own]]) / 256 * trainings[own, epoch][1] for own in colluding)
            recovered += float(factor) * (trainings[node, epoch + 1][0] - known)
        np.testing.assert_allclose(recovered, trainings[victim, epoch][1], atol=1e-3)
