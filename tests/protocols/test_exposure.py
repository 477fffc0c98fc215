"""Whom coalitions expose: every verdict against exact fractions, and the counts that are known."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.audit.topology.recipe import recipe
from mdl.protocols.exposure import Effort, by_size, explain_exposure, exposed, listed, until_exposed
from mdl.protocols.graphs import Graph, complete, random_graph, ring, star
from mdl.protocols.observations import Observations, of_neighbours, of_one_group
from tests.protocols.test_graphs import graphs

EIGHT = range(1, 9)


@settings(deadline=None, max_examples=25)
@given(graph=graphs(), bits=st.integers(5, 16), epochs=st.integers(1, 3))
def test_verdicts_are_those_of_exact_fractions(graph: Graph, bits: int, epochs: int) -> None:
    observed = of_neighbours(graph, bits, epochs=epochs)
    count = len(graph.parties)
    for size in range(1, min(count, 4)):
        coalitions = list(combinations(range(count), size))
        for coalition, found in zip(coalitions, exposed(observed, np.array(coalitions)), strict=True):
            members = [graph.parties[place] for place in coalition]
            for victim, verdict in zip(graph.parties, found, strict=True):
                solved = victim not in members and recipe(observed, members, victim) is not None
                assert verdict == solved


@pytest.mark.parametrize(
    ("observed", "size", "exposing"),
    [
        (of_neighbours(ring(EIGHT), 8), 2, 8),
        (of_neighbours(ring(EIGHT), 8, epochs=3), 2, 24),
        (of_neighbours(star(EIGHT), 8), 1, 7),
        (of_neighbours(random_graph(EIGHT, 0.4, 3), 8), 2, 4),
    ],
)
def test_the_smallest_coalitions_are_those_known(observed: Observations, size: int, exposing: int) -> None:
    *before, found = until_exposed(observed)
    assert all(not each.exposing and each.settled for each in before)
    assert (found.size, found.exposing, found.judged) == (size, exposing, found.total)


@pytest.mark.parametrize("count", [3, 8, 64])
@pytest.mark.parametrize("epochs", [1, 4])
def test_on_a_complete_graph_nobody_is_exposed_by_all_but_two(count: int, epochs: int) -> None:
    found = list(until_exposed(of_neighbours(complete(range(1, count + 1)), 16, epochs=epochs)))
    assert [each.size for each in found] == list(range(1, count - 1))
    assert all(each.settled and not each.exposing for each in found)


def test_one_group_is_as_good_as_a_complete_graph_and_all_but_one_learn_the_last() -> None:
    found = list(by_size(of_one_group(EIGHT), range(1, 8)))
    assert [each.exposing for each in found] == [0] * 6 + [8]


def test_on_a_ring_neighbours_expose_the_next_ones_and_nodes_with_one_between_nobody() -> None:
    observed = of_neighbours(ring(EIGHT), 8)
    found = exposed(observed, np.array([[0, 1], [0, 2]]))
    assert np.flatnonzero(found[0]).tolist() == [2, 7]
    assert not found[1].any()


def test_what_is_proved_of_twins_is_what_a_search_finds() -> None:
    observed = of_neighbours(complete(EIGHT), 8)
    for size in range(1, 7):
        assert not exposed(observed, np.array(list(combinations(range(8), size)))).any()


def test_with_a_threshold_as_many_as_that_read_everybody_around_them() -> None:
    (single, pairs) = by_size(of_neighbours(ring(EIGHT), 8, threshold=2), (1, 2))
    assert single.exposing == 0
    assert pairs.exposing == 8
    (_, pairs) = by_size(of_neighbours(complete(EIGHT), 8, threshold=2), (1, 2))
    assert (pairs.exposing, pairs.searched) == (28, "all")


def test_where_there_are_too_many_some_are_judged_and_the_rest_is_not_claimed() -> None:
    # Of 40 on a ring, 9,880 coalitions of three: too many for this effort.
    effort = Effort(all_of=1_000, drawn=50)
    two, three = by_size(of_neighbours(ring(range(1, 41)), 8), (2, 3), effort)
    assert (two.searched, two.exposing, two.judged) == ("all", 40, 780)
    assert (three.searched, three.settled, three.judged) == ("some", False, 50 + 80)  # 80 by two sums
    few = Effort(all_of=100, drawn=1)
    (two,) = by_size(of_neighbours(ring(range(1, 41)), 8), [2], few)
    # All pairs of neighbours are tried; the pair that is drawn is one of no neighbours.
    assert (two.searched, two.judged, two.exposing) == ("some", 41, 40)


def test_the_same_coalitions_are_drawn_again() -> None:
    observed, effort = of_neighbours(random_graph(range(1, 31), 0.2, 1), 8), Effort(all_of=10, drawn=200)
    assert list(by_size(observed, [6], effort)) == list(by_size(observed, [6], effort))


@pytest.mark.parametrize(
    ("observed", "said"),
    [
        (
            of_neighbours(ring(EIGHT), 8),
            "2 nodes that collude learn the parameters of another, whatever the encryption: 8 of 28 pairs "
            "do, such as 1 and 2 those of 3 and 8.",
        ),
        (of_neighbours(star(EIGHT), 8), "A single node learns the parameters of another"),
        (of_neighbours(complete(EIGHT), 8), "No coalition of up to n - 2 = 6 nodes"),
        (of_neighbours(random_graph(range(1, 31), 0.4, 1), 8), "No coalition of up to 3 nodes"),
    ],
)
def test_it_is_said_in_a_sentence(observed: Observations, said: str) -> None:
    assert explain_exposure(observed).startswith(said)


def test_ids_are_written_as_in_a_sentence() -> None:
    assert [listed(nodes) for nodes in ([4], [4, 5], [4, 5, 6])] == ["4", "4 and 5", "4, 5 and 6"]
