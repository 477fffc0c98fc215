"""What nodes that average learn of each other: linear combinations of values, with integer coefficients.

Encryption hides single values from a node, not the sum that it is there to learn. So whatever the encryption,
a coalition of nodes has the sums of its members, and what follows from them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdl.party import PartyId
from mdl.protocols.graphs import Graph
from mdl.vectors import Flags


@dataclass(frozen=True, eq=False)
class Observations:
    """What each of n nodes learns.

    Attributes:
        parties: the nodes, ascending.
        rows: of each, the coefficients of all nodes' values in the k sums that it learns, one an epoch:
            integers of any size, shape (n, k, n).
        bits: by so many a sum is shifted to be an average; the k-th by k times as many.
        circles: whose values reach each node under a key that these and it have together, shape (n, n).
        threshold: so many who have a key open all that is encrypted under it; None if all of them must.
    """

    parties: tuple[PartyId, ...]
    rows: NDArray[np.object_]
    bits: int
    circles: Flags
    threshold: int | None = None

    @property
    def squared_norms(self) -> Sequence[int]:
        """Of all rows."""
        return [int(norm) for norm in (self.rows**2).sum(axis=2).reshape(-1)]

    def opened(self, inside: Flags) -> Flags:
        """Say whose values coalitions decrypt, having keys enough.

        Args:
            inside: who is in each coalition, shape (coalitions, n).

        Returns:
            Shape (coalitions, n); nobody of the coalition itself.
        """
        if self.threshold is None:
            return np.zeros_like(inside)
        circles = self.circles.astype(np.int64)
        enough = inside.astype(np.int64) @ circles.T >= self.threshold
        reached: Flags = (inside & enough).astype(np.int64) @ circles > 0
        return reached & ~inside

    def twins(self) -> Sequence[int]:
        """Give each node's number of twins: others whose value stands beside its own in every sum.

        Two nodes are twins if all other nodes' sums have the same coefficient for both. While both are honest
        nothing tells one from the other: whoever singles out a node has all its twins in the coalition.
        """
        count = len(self.parties)
        if self.threshold is not None:
            return [0] * count
        alike = np.zeros((count, count), np.bool_)
        for one in range(count):
            for other in range(one):
                third = [node for node in range(count) if node not in (one, other)]
                columns = self.rows[third][:, :, [one, other]]
                alike[one, other] = alike[other, one] = bool((columns[..., 0] == columns[..., 1]).all())
        return [int(number) for number in alike.sum(axis=1)]


def of_neighbours(
    graph: Graph,
    bits: int,
    *,
    epochs: int = 1,
    threshold: int | None = None,
    lost: Collection[PartyId] = (),
) -> Observations:
    """Each node learns the weighted sum over its neighbours and itself.

    Args:
        graph: who talks with whom.
        bits: weights are multiples of 2^-bits.
        epochs: how often they average. Several are one system of equations if values do not change between:
            the k-th sum of a node is then its row of W^k. Training changes values, so this bounds from above
            what epochs tell together, where one says nothing of what another adds.
        threshold: of each neighbourhood's keys.
        lost: nodes that are gone. Each other takes what they had in its sum to itself, and weighs the rest as
            before: weights are not those of the graph without them.
    """
    weights = graph.weights(bits)
    parties = tuple(party for party in graph.parties if party not in lost)
    place = {party: index for index, party in enumerate(parties)}
    matrix = np.zeros((len(place), len(place)), np.object_)
    for party in parties:
        for other, weight in weights[party].items():
            matrix[place[party], place.get(other, place[party])] += weight
    powers = [matrix]
    while len(powers) < epochs:
        powers.append(powers[-1] @ matrix)
    return Observations(parties, np.stack(powers, axis=1), bits, matrix != 0, threshold)


def of_one_group(parties: Sequence[PartyId], *, threshold: int | None = None) -> Observations:
    """Each node learns the sum of all, which the first collects. Further epochs say nothing new.

    Who is lost is not among the parties.
    """
    count = len(parties)
    circles = np.zeros((count, count), np.bool_)
    circles[0] = True
    return Observations(tuple(parties), np.ones((count, 1, count), np.object_), 0, circles, threshold)
