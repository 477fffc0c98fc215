"""What nodes learn of each other, as rows of integers."""

import numpy as np

from mdl.protocols.graphs import complete, random_graph, ring, star
from mdl.protocols.observations import of_neighbours, of_one_group
from mdl.systems.decentralised.neighbourhoods import of_graph

FIVE = range(1, 6)


def inside(*coalitions: tuple[int, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    return np.array([[node in coalition for node in FIVE] for coalition in coalitions])


def test_a_node_learns_its_row_of_the_weights() -> None:
    observed = of_neighbours(ring(FIVE), 8)
    assert observed.rows[0, 0].tolist() == [86, 85, 0, 0, 85]
    assert observed.squared_norms[0] == 86**2 + 2 * 85**2


def test_who_is_lost_leaves_its_weight_to_each_node_itself() -> None:
    """As nodes do: the weights are those of the degrees before."""
    whole, left = random_graph(FIVE, 0.7, 1), [1, 2, 4, 5]
    observed, weights = of_neighbours(whole, 8, lost=[3], epochs=2), whole.weights(8)
    assert observed.parties == tuple(left)
    for node, neighbourhood in of_graph(whole, 8).items():
        if node != 3:
            others = [other for other in neighbourhood.neighbours if other != 3]
            row = {other: weights[node][other] for other in others}
            row[node] = neighbourhood.own_weight(others)
            assert observed.rows[left.index(node), 0].tolist() == [row.get(other, 0) for other in left]
    assert (observed.rows[:, 1] == observed.rows[:, 0] @ observed.rows[:, 0]).all()
    assert (observed.circles == (observed.rows[:, 0] != 0)).all()
    assert (observed.rows[:, 0] != of_neighbours(whole.without([3]), 8).rows[:, 0]).any()


def test_the_second_average_is_of_the_square_of_the_weights() -> None:
    observed = of_neighbours(ring(FIVE), 16, epochs=3)
    weights = observed.rows[:, 0]
    assert (observed.rows[:, 1] == weights @ weights).all()
    assert (observed.rows[:, 2] == weights @ weights @ weights).all()
    assert all(sum(row) == 1 << 48 for row in observed.rows[:, 2])


def test_twins_are_nodes_that_others_cannot_tell_apart() -> None:
    assert of_neighbours(complete(FIVE), 8).twins() == [4] * 5
    assert of_neighbours(complete(FIVE), 8, epochs=2).twins() == [4] * 5
    assert of_neighbours(star(FIVE), 8).twins() == [0, 3, 3, 3, 3]
    assert of_neighbours(ring(FIVE), 8).twins() == [0] * 5


def test_without_a_threshold_nothing_is_decrypted() -> None:
    assert not of_neighbours(ring(FIVE), 8).opened(inside((1, 2), (1, 2, 5))).any()


def test_who_has_keys_enough_decrypts_what_its_members_were_sent() -> None:
    observed = of_neighbours(ring(FIVE), 8, threshold=2)
    found = observed.opened(inside((1,), (1, 2), (1, 3)))
    # 1 and 2 have two of three keys of each other's neighbourhoods; 1 and 3 of 2's, but not what it is sent.
    assert found.tolist() == inside((), (5, 3), ()).tolist()
    assert observed.twins() == [0] * 5


def test_in_one_group_the_first_alone_has_what_others_encrypt() -> None:
    observed = of_one_group(FIVE, threshold=2)
    assert observed.opened(inside((2, 3), (1, 3))).tolist() == inside((), (2, 4, 5)).tolist()
    assert (of_one_group(FIVE).rows == 1).all()
