"""Neighbourhoods: who opens which sum."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from mdl.party import PartyId
from mdl.protocols.graphs import Graph
from mdl.vectors import Integers


@dataclass(frozen=True)
class Neighbourhood:
    """G_i: a node and its neighbours, whose weighted parameters are summed for it.

    Attributes:
        node: i, who opens the sum.
        weights: by neighbour.
        whole: what the weights of every sum add up to, as the node's own takes the rest; None where each
            counts one, the node too.
    """

    node: PartyId
    weights: Mapping[PartyId, int]
    whole: int | None

    @property
    def neighbours(self) -> tuple[PartyId, ...]:
        """All but the node, ascending."""
        return tuple(sorted(self.weights))

    @property
    def members(self) -> tuple[PartyId, ...]:
        """All, ascending."""
        return tuple(sorted((self.node, *self.weights)))

    def own_weight(self, others: Collection[PartyId]) -> int:
        """Give the node's own weight in a sum with these neighbours'."""
        return 1 if self.whole is None else self.whole - sum(self.weights[other] for other in others)

    def total_weight(self, others: Collection[PartyId]) -> int:
        """Give what the weights of a sum with these neighbours' add up to."""
        return self.own_weight(others) + sum(self.weights[other] for other in others)

    @property
    def effective_size(self) -> float:
        """Give how many equal weights would average as much: 1 / Σ W_ij²."""
        shares = np.array([self.own_weight(self.neighbours), *self.weights.values()])
        return float(shares.sum() ** 2 / np.square(shares).sum())


@dataclass(frozen=True)
class Sum:
    """What a neighbourhood has added up.

    Attributes:
        values: Σ_j W_ij values_j, shape (t,).
        weight: Σ_j W_ij.
    """

    values: Integers
    weight: int


def of_graph(graph: Graph, weight_bits: int) -> dict[PartyId, Neighbourhood]:
    """Give each node's neighbourhood, with Metropolis-Hastings weights.

    Raises:
        ValueError: with so few bits a neighbour's weight is zero.
    """
    rows = graph.weights(weight_bits)
    return {
        node: Neighbourhood(node, {j: row[j] for j in row if j != node}, 1 << weight_bits)
        for node, row in rows.items()
    }


def of_group(node: PartyId, others: Collection[PartyId]) -> dict[PartyId, Neighbourhood]:
    """Give the one neighbourhood of a group, in which each counts one."""
    return {node: Neighbourhood(node, dict.fromkeys(others, 1), None)}
