"""Graphs of parties that talk, and the weights with which neighbours average.

Weights are Metropolis-Hastings [BDX04], W_ij = 1 / (1 + max(d_i, d_j)) for neighbours i and j of degrees d_i
and d_j, rounded down to multiples of 2^-w; W_ii takes the rest. So W is symmetric, and its rows and columns
sum to one exactly: a step of averaging keeps the sum over all parties.

[BDX04] S. Boyd, P. Diaconis, L. Xiao, Fastest mixing Markov chain on a graph, SIAM Review 46(4), 2004, §1.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, compress

import numpy as np
from numpy.typing import NDArray

from mdl.party import PartyId

Edge = tuple[PartyId, PartyId]
"""Two neighbours, the lower id first."""


@dataclass(frozen=True)
class Graph:
    """Who talks with whom.

    Attributes:
        parties: ascending.
        edges: ascending, each once.

    Raises:
        ValueError: an edge names a party twice, or one that is not there, or occurs twice.
    """

    parties: tuple[PartyId, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        known = set(self.parties)
        for edge in self.edges:
            one, other = edge
            if one >= other or not {one, other} <= known:
                raise ValueError(f"{one}-{other} is no edge among the parties {list(self.parties)}")
        if len(set(self.edges)) < len(self.edges):
            raise ValueError("an edge occurs twice")

    def neighbours(self, party: PartyId) -> tuple[PartyId, ...]:
        """Give who talks with a party, ascending."""
        return tuple(
            sorted(other for edge in self.edges if party in edge for other in edge if other != party)
        )

    def without(self, parties: Collection[PartyId]) -> "Graph":
        """Give what is left when some are gone, and their edges."""
        gone = set(parties)
        edges = tuple(edge for edge in self.edges if gone.isdisjoint(edge))
        return Graph(tuple(party for party in self.parties if party not in gone), edges)

    @property
    def degrees(self) -> Mapping[PartyId, int]:
        """How many neighbours each has."""
        return {party: len(self.neighbours(party)) for party in self.parties}

    @property
    def connected(self) -> bool:
        """Whether everybody is reached from everybody."""
        reached, front = {self.parties[0]}, [self.parties[0]]
        while front:
            new = set(self.neighbours(front.pop())) - reached
            reached |= new
            front.extend(new)
        return len(reached) == len(self.parties)

    def weights(self, bits: int) -> dict[PartyId, dict[PartyId, int]]:
        """Give 2^bits W: by party, by neighbour and itself; every row sums to 2^bits.

        Raises:
            ValueError: with so few bits a neighbour's weight is zero.
        """
        degrees, one = self.degrees, 1 << bits
        rows: dict[PartyId, dict[PartyId, int]] = {party: {} for party in self.parties}
        for i, j in self.edges:
            weight = one // (1 + max(degrees[i], degrees[j]))
            if not weight:
                raise ValueError(f"with {bits} bits the weight of a neighbour of party {i} is zero")
            rows[i][j] = rows[j][i] = weight
        for party, row in rows.items():
            row[party] = one - sum(row.values())
        return rows

    def matrix(self, bits: int) -> NDArray[np.float64]:
        """Give W as a matrix, parties in order."""
        rows = self.weights(bits)
        return np.array([[rows[i].get(j, 0) for j in self.parties] for i in self.parties]) / (1 << bits)

    def spectral_gap(self, bits: int) -> float:
        """Give 1 less the second largest absolute eigenvalue of W: how fast averaging mixes, in [0, 1]."""
        values = np.sort(np.abs(np.linalg.eigvalsh(self.matrix(bits))))
        return float(1 - values[-2]) if len(values) > 1 else 1.0


def ring(parties: Sequence[PartyId]) -> Graph:
    """Everybody talks with the one before and the one after."""
    following = zip(parties, [*parties[1:], parties[0]], strict=True)
    return _graph(parties, (pair for pair in following if pair[0] != pair[1]))


def complete(parties: Sequence[PartyId]) -> Graph:
    """Everybody talks with everybody."""
    return _graph(parties, combinations(parties, 2))


def star(parties: Sequence[PartyId]) -> Graph:
    """The first talks with all others, and they with nobody else."""
    return _graph(parties, ((parties[0], other) for other in parties[1:]))


def random_graph(
    parties: Sequence[PartyId], probability: float, seed: int, *, least_degree: int = 2
) -> Graph:
    """Draw from the graphs of Erdős and Rényi that are connected, and where all have enough neighbours.

    Args:
        parties: at least two.
        probability: of each edge, in (0, 1].
        seed: of the draw.
        least_degree: fewer neighbours nobody has; at most one less than the parties.

    Raises:
        ValueError: none of a thousand draws was such a graph.
    """
    draws, pairs = np.random.default_rng(seed), list(combinations(parties, 2))
    for _ in range(1000):
        graph = _graph(parties, compress(pairs, draws.random(len(pairs)) < probability))
        if graph.connected and min(graph.degrees.values()) >= least_degree:
            return graph
    raise ValueError(
        f"with probability {probability:g} no draw of {len(parties)} parties is connected and leaves "
        f"everybody {least_degree} neighbours: take a larger one"
    )


def _graph(parties: Sequence[PartyId], pairs: Iterable[Edge]) -> Graph:
    edges = {(min(pair), max(pair)) for pair in pairs}
    return Graph(tuple(sorted(parties)), tuple(sorted(edges)))
