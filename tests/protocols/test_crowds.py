"""How few honest nodes are in a sum that a coalition learns."""

from itertools import chain, combinations

import pytest
from hypothesis import given, settings

from mdl.protocols.crowds import Crowd, smallest_crowd
from mdl.protocols.exposure import Effort, by_size
from mdl.protocols.graphs import Graph, complete, random_graph, ring
from mdl.protocols.observations import Observations, of_neighbours, of_one_group
from tests.protocols.test_elimination import rational_rank
from tests.protocols.test_graphs import graphs

EIGHT = range(1, 9)


def crowds(observed: Observations, sizes: range, effort: Effort = Effort()) -> list[Crowd]:
    return [smallest_crowd(observed, sized, effort) for sized in by_size(observed, sizes, effort)]


def by_trial(observed: Observations, size: int) -> int:
    """The smallest set of honest nodes without whose columns some coalition's rank falls, in fractions."""
    places = range(len(observed.parties))
    best = len(places)
    for coalition in combinations(places, size):
        honest = [place for place in places if place not in coalition]
        rows = [row.tolist() for row in chain.from_iterable(observed.rows[list(coalition)])]
        whole = rational_rank([[row[place] for place in honest] for row in rows])
        for few in range(1, len(honest) + 1):
            for chosen in combinations(honest, few):
                left = [[row[place] for place in honest if place not in chosen] or [0] for row in rows]
                if rational_rank(left) < whole:
                    best = min(best, few)
    return best


@settings(deadline=None, max_examples=15)
@given(graph=graphs().filter(lambda graph: graph.connected and len(graph.parties) <= 6))
def test_it_is_what_trying_everything_finds(graph: Graph) -> None:
    observed = of_neighbours(graph, 8)
    for sized in by_size(observed, range(1, min(4, len(graph.parties)))):
        few = by_trial(observed, sized.size)
        assert smallest_crowd(observed, sized) == Crowd(few, few)


def test_on_a_complete_graph_all_honest_nodes_are_in_every_sum() -> None:
    for observed in (of_neighbours(complete(EIGHT), 8), of_one_group(EIGHT)):
        assert crowds(observed, range(1, 8)) == [Crowd(few, few) for few in (7, 6, 5, 4, 3, 2, 1)]


def test_on_a_ring_a_node_sees_two_and_a_pair_one() -> None:
    assert crowds(of_neighbours(ring(EIGHT), 8), range(1, 3)) == [Crowd(2, 2), Crowd(1, 1)]


@pytest.mark.parametrize(("all_of", "crowd"), [(250_000, Crowd(3, 3)), (10_000, Crowd(2, 3))])
def test_what_is_too_much_to_search_lies_between_two_numbers(all_of: int, crowd: Crowd) -> None:
    observed = of_neighbours(random_graph(range(1, 21), 0.4, 3), 8)
    assert crowds(observed, range(2, 3), Effort(all_of=all_of)) == [crowd]


def test_where_a_search_is_not_complete_one_may_stand_alone() -> None:
    observed = of_neighbours(random_graph(range(1, 31), 0.4, 3), 8)
    (crowd,) = crowds(observed, range(3, 4), Effort(all_of=100, drawn=10))
    assert crowd.at_least == 1
    assert crowd.at_most > 1
