"""Coalitions that are tried where all are too many: each of them exposes somebody."""

import numpy as np
from hypothesis import given, settings

from mdl.protocols.exposure import Effort, by_size, exposed
from mdl.protocols.graphs import Graph, complete, random_graph, ring
from mdl.protocols.observations import of_neighbours
from mdl.protocols.telling import telling
from tests.protocols.test_graphs import graphs


@settings(deadline=None, max_examples=30)
@given(graph=graphs())
def test_each_of_them_exposes_somebody(graph: Graph) -> None:
    observed = of_neighbours(graph, 12)
    for size, coalitions in telling(observed).items():
        assert all(len(set(coalition)) == size for coalition in coalitions)
        assert len(set(coalitions)) == len(coalitions)
        assert exposed(observed, np.array(coalitions)).any(axis=1).all()


def test_on_a_ring_they_are_the_pairs_of_neighbours_and_three_in_a_row_with_a_gap() -> None:
    found = telling(of_neighbours(ring(range(1, 9)), 8))
    assert found[2] == sorted({tuple(sorted((place, (place + 1) % 8))) for place in range(8)})
    assert (0, 1, 3) not in found[2]


def test_on_a_complete_graph_they_are_all_but_one() -> None:
    assert set(telling(of_neighbours(complete(range(1, 7)), 8))) == {5}


def test_two_sums_find_what_one_does_not() -> None:
    """In these graphs the least degree is no answer: two sums that are alike but for one node are."""
    fewer = 0
    for seed in range(1, 11):
        graph = random_graph(range(1, 13), 0.5, seed)
        smallest = min(telling(of_neighbours(graph, 8)))
        assert smallest <= min(graph.degrees.values())
        fewer += smallest < min(graph.degrees.values())
    assert fewer


def test_what_is_found_so_is_what_a_search_finds_first() -> None:
    observed = of_neighbours(random_graph(range(1, 13), 0.5, 2), 8)
    smallest = min(telling(observed))
    (hasty,) = by_size(observed, [smallest], Effort(all_of=1, drawn=1))
    (thorough,) = by_size(observed, [smallest])
    assert 0 < hasty.exposing <= thorough.exposing
