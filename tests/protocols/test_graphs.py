"""Graphs and their weights."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.protocols.graphs import Graph, complete, random_graph, ring, star

SIX = range(1, 7)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(2, 9))
    pairs = list(combinations(range(1, count + 1), 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, min_size=1))
    return Graph(tuple(range(1, count + 1)), tuple(sorted(edges)))


@given(graph=graphs(), bits=st.integers(4, 16))
def test_weights_are_symmetric_positive_and_sum_to_one_exactly(graph: Graph, bits: int) -> None:
    rows = graph.weights(bits)
    for party, row in rows.items():
        assert sum(row.values()) == 1 << bits
        assert set(row) == {party, *graph.neighbours(party)}
        assert all(weight > 0 for weight in row.values())
        assert all(rows[other][party] == weight for other, weight in row.items())
        columns = sum(other.get(party, 0) for other in rows.values())
        assert columns == 1 << bits


def test_metropolis_hastings_by_hand() -> None:
    """A path of three: the middle has two neighbours, so its edges weigh a third."""
    rows = Graph((1, 2, 3), ((1, 2), (2, 3))).weights(8)
    assert rows == {1: {2: 85, 1: 171}, 2: {1: 85, 3: 85, 2: 86}, 3: {2: 85, 3: 171}}


def test_with_too_few_bits_a_weight_would_be_zero() -> None:
    with pytest.raises(ValueError, match="zero"):
        complete(range(1, 10)).weights(2)


def test_well_known_graphs() -> None:
    assert ring(SIX).edges == ((1, 2), (1, 6), (2, 3), (3, 4), (4, 5), (5, 6))
    assert ring([1, 2]).edges == ((1, 2),)
    assert len(complete(SIX).edges) == 15
    assert star(SIX).degrees == {1: 5, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1}


def test_what_is_left_when_some_are_gone() -> None:
    left = ring(SIX).without([2, 5])
    assert (left.parties, left.edges) == ((1, 3, 4, 6), ((1, 6), (3, 4)))
    assert ring(SIX).without([]) == ring(SIX)


def test_the_spectral_gaps_are_those_known() -> None:
    # A ring of eight with weights of a third: 1 - (1/3 + 2/3 cos(2π/8)).
    assert ring(range(1, 9)).spectral_gap(16) == pytest.approx(2 / 3 * (1 - np.cos(np.pi / 4)), abs=1e-3)
    assert complete(range(1, 9)).spectral_gap(16) == pytest.approx(1, abs=1e-3)
    assert Graph((1, 2, 3, 4), ((1, 2), (3, 4))).spectral_gap(8) == pytest.approx(0, abs=1e-9)


@given(seed=st.integers(0, 2**32), count=st.integers(4, 12))
def test_random_graphs_are_connected_and_nobody_has_a_single_neighbour(seed: int, count: int) -> None:
    graph = random_graph(range(1, count + 1), 0.5, seed)
    assert graph.connected
    assert min(graph.degrees.values()) >= 2
    assert graph == random_graph(range(1, count + 1), 0.5, seed)


def test_where_no_draw_will_do_it_is_said() -> None:
    with pytest.raises(ValueError, match="take a larger one"):
        random_graph(range(1, 30), 0.01, 1)


def test_what_is_in_pieces_is_not_connected() -> None:
    assert not Graph((1, 2, 3, 4), ((1, 2), (3, 4))).connected
    assert ring(SIX).connected


@pytest.mark.parametrize("edges", [((1, 1),), ((1, 9),), ((1, 2), (1, 2)), ((2, 1),)])
def test_what_is_no_graph_is_refused(edges: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="edge"):
        Graph((1, 2, 3), edges)
