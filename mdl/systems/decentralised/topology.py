"""The ``graph`` table of an experiment file."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias

from annotated_types import Ge, Gt, Le, Len
from pydantic import Field

from mdl.party import PartyId
from mdl.protocols import graphs
from mdl.protocols.graphs import Graph
from mdl.settings import Settings

GROUP_NODE: Final[PartyId] = 1
"""Who collects in a group: the first."""


class RingSettings(Settings):
    """``type = "ring"``: each talks with the one before and the one after."""

    type: Literal["ring"] = "ring"

    def build(self, parties: Sequence[PartyId]) -> Graph:
        """Make the graph."""
        return graphs.ring(parties)


class CompleteSettings(Settings):
    """``type = "complete"``: each talks with each."""

    type: Literal["complete"] = "complete"

    def build(self, parties: Sequence[PartyId]) -> Graph:
        """Make the graph."""
        return graphs.complete(parties)


class RandomSettings(Settings):
    """``type = "random"``: the graph of Erdős and Rényi; connected, and nobody has a single neighbour.

    Attributes:
        probability: of each edge.
        seed: of the draw.
    """

    type: Literal["random"] = "random"
    probability: Annotated[float, Gt(0), Le(1)] = 0.4
    seed: Annotated[int, Ge(0)] = 1

    def build(self, parties: Sequence[PartyId]) -> Graph:
        """Make the graph.

        Raises:
            ValueError: no draw is such a graph.
        """
        least = min(2, len(parties) - 1)
        return graphs.random_graph(parties, self.probability, self.seed, least_degree=least)


class EdgesSettings(Settings):
    """``type = "edges"``: as listed.

    Attributes:
        edges: pairs of neighbours.
    """

    type: Literal["edges"]
    edges: Annotated[list[Annotated[list[int], Len(2, 2)]], Len(1)]

    def build(self, parties: Sequence[PartyId]) -> Graph:
        """Make the graph.

        Raises:
            ValueError: a pair names a party that is not there, or one twice, or occurs twice.
        """
        pairs = [(min(pair), max(pair)) for pair in self.edges]
        return Graph(tuple(sorted(parties)), tuple(sorted(pairs)))


class GroupSettings(Settings):
    """``type = "group"``: all average over all; each talks with the first alone, who collects."""

    type: Literal["group"] = "group"

    def build(self, parties: Sequence[PartyId]) -> Graph:
        """Make the graph."""
        return graphs.star(parties)


AnyGraph: TypeAlias = Annotated[
    RingSettings | CompleteSettings | GroupSettings | RandomSettings | EdgesSettings,
    Field(discriminator="type"),
]
