"""The `[system]` table of D-MHE."""

import builtins
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, Self

from annotated_types import Ge, Gt, Le
from pydantic import model_validator

from mdl.party import Message, PartyId
from mdl.protocols.graphs import Graph
from mdl.schemes.bfv import MultipartyBfv
from mdl.schemes.fixed_point import FixedPoint
from mdl.settings import Settings
from mdl.system import Crypto, Randomness
from mdl.systems.decentralised.messages import CollectiveKey, Opening, PublicShare, Summed, Weighted
from mdl.systems.decentralised.topology import AnyGraph, RingSettings

PLAINTEXT_BITS: Final = 32
WORKERS_LIMIT: Final = 64


class DecentralisedSettings(Settings):
    """The `[system]` table for `type = "decentralised"`.

    Attributes:
        graph: who talks with whom.
        mode: ``"bfv"``: neighbours' parameters are encrypted, and only their weighted sum is opened.
            ``"plain"``: they are sent as they are, the yardstick.
        fraction_bits: binary digits of a parameter that are kept after the point.
        weight_bits: weights are multiples of 2^-weight_bits.
        timeout_seconds: how long a node waits for a neighbour in each step, training included.
        insecure: allow nodes with one neighbour, who see that one's parameters.
    """

    type: Literal["decentralised"] = "decentralised"
    graph: AnyGraph = RingSettings()
    mode: Literal["bfv", "plain"] = "bfv"
    fraction_bits: Annotated[int, Ge(1), Le(24)] = 16
    weight_bits: Annotated[int, Ge(2), Le(16)] = 8
    timeout_seconds: Annotated[float, Gt(0)] = 300.0
    insecure: bool = False

    @model_validator(mode="after")
    def _roomy(self) -> Self:
        if self.fraction_bits + self.weight_bits > PLAINTEXT_BITS - 2:
            raise ValueError(
                f"fraction_bits + weight_bits is {self.fraction_bits + self.weight_bits}, and of the "
                f"{PLAINTEXT_BITS} bits of a plaintext two are for sign and range"
            )
        return self

    @property
    def encoding(self) -> FixedPoint:
        """The grid of parameters: its range is all that a plaintext leaves."""
        limit = (1 << PLAINTEXT_BITS - 1 - self.weight_bits) - 1
        return FixedPoint(limit / (1 << self.fraction_bits), self.fraction_bits)

    def topology(self, workers: int) -> Graph:
        """Give the graph of n = `workers`.

        Raises:
            ValueError: there is none.
        """
        return self.graph.build(range(1, workers + 1))

    def scheme(self, neighbours: int) -> MultipartyBfv:
        """Give the scheme of a neighbourhood, the node itself and so many others."""
        return MultipartyBfv(neighbours + 1, PLAINTEXT_BITS)

    @property
    def crypto(self) -> Crypto:
        """What takes milliseconds is done in a thread."""
        return "none" if self.mode == "plain" else "thread"

    @property
    def own_pace(self) -> bool:
        """An epoch is everybody's."""
        return False

    @property
    def tolerates_loss(self) -> bool:
        """Sums are opened by a whole neighbourhood: without a node, its neighbours cannot go on."""
        return False

    def problems(self, workers: int) -> Sequence[str]:
        """See `System`."""
        if not 3 <= workers <= WORKERS_LIMIT:
            return [f"workers: {workers}, but a graph needs 3 to {WORKERS_LIMIT}"]
        try:
            graph = self.topology(workers)
            graph.weights(self.weight_bits)
            self.scheme(max(graph.degrees.values()))
        except ValueError as error:
            return [f"system.graph: {error}"]
        if not graph.connected:
            return ["system.graph: it is not connected: some would never learn from others"]
        single = [party for party, degree in graph.degrees.items() if degree == 1]
        if single and self.mode != "plain" and not self.insecure:
            return [
                f"system.graph: nodes {single} have one neighbour each, whose parameters they would find by "
                "subtracting their own; add edges, or say system.insecure = true to study it"
            ]
        return []

    def terms(self, workers: int) -> Mapping[str, str]:
        """See `System`."""
        values = {
            f"system.{key}": value for key, value in self.model_dump(exclude={"timeout_seconds"}).items()
        }
        return {name: str(value) for name, value in values.items()}

    def roster(self, workers: int) -> Sequence[PartyId]:
        """The nodes: nobody manages them."""
        return range(1, workers + 1)

    def links(self, workers: int) -> Sequence[tuple[PartyId, PartyId]]:
        """The graph's edges."""
        return self.topology(workers).edges

    def receives(self, party: PartyId) -> Sequence[builtins.type[Message]]:
        """See `System`."""
        del party
        if self.mode == "plain":
            return (Weighted,)
        return (PublicShare, CollectiveKey, Weighted, Summed, Opening)

    def deal(self, workers: int, *, rng: Randomness) -> Mapping[PartyId, bytes]:
        """Nothing to deal: neighbours make their keys together."""
        del workers, rng
        return {}
