"""The `[system]` table of D-MHE."""

import builtins
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal, Self

import msgspec
from annotated_types import Ge, Gt, Le
from pydantic import model_validator

from mdl.party import Message, PartyId
from mdl.privacy.settings import AnyNoise, AnyPrivacy, NoNoise
from mdl.protocols.contribution import Encoder
from mdl.protocols.graphs import Graph
from mdl.schemes import key_agreement
from mdl.schemes.bfv import MultipartyBfv
from mdl.schemes.fixed_point import FixedPoint
from mdl.settings import Settings
from mdl.system import Crypto, Randomness
from mdl.systems.decentralised import messages as say
from mdl.systems.decentralised.neighbourhoods import Neighbourhood, of_graph, of_group
from mdl.systems.decentralised.topology import GROUP_NODE, AnyGraph, RingSettings
from mdl.systems.grids import grids
from mdl.vectors import Blocks

PLAINTEXT_BITS: Final = 32
WORKERS_LIMIT: Final = 64
_LEAST_SECURE: Final = 3
"""Nodes of a neighbourhood: with two, the node finds its neighbour's parameters by subtraction."""


class DecentralisedSettings(Settings):
    """The `[system]` table for `type = "decentralised"`.

    Attributes:
        graph: who talks with whom.
        mode: ``"bfv"``: neighbours' parameters are encrypted, and only their weighted sum is opened.
            ``"plain"``: they are sent as they are, the yardstick.
        fraction_bits: binary digits of a parameter that are kept after the point.
        weight_bits: weights are multiples of 2^-weight_bits; in a group, where each counts one, at most
            2^weight_bits fit.
        threshold: τ, how many of a neighbourhood must remain for it to go on, and recover the secrets of the
            others. None: all must. Any τ of a neighbourhood together could read all its single values.
        timeout_seconds: how long a node waits for a neighbour in each step, training included.
        insecure: allow nodes with one neighbour, or that a loss could leave with one, who then see that one's
            parameters; and thresholds of half a neighbourhood or less.
        privacy: noise that each node adds to its epoch gradient before anything of it leaves, and keeps; by
            default none.
    """

    type: Literal["decentralised"] = "decentralised"
    graph: AnyGraph = RingSettings()
    mode: Literal["bfv", "plain"] = "bfv"
    fraction_bits: Annotated[int, Ge(1), Le(24)] = 16
    weight_bits: Annotated[int, Ge(2), Le(16)] = 8
    threshold: Annotated[int, Ge(2)] | None = None
    timeout_seconds: Annotated[float, Gt(0)] = 300.0
    insecure: bool = False
    privacy: AnyPrivacy = NoNoise()

    @model_validator(mode="after")
    def _roomy(self) -> Self:
        if self.noise:
            grids("auto", "auto", self.noise)  # raises ValueError if there is none
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

    @property
    def noise(self) -> AnyNoise | None:
        """The noise that is added, if any is."""
        return None if isinstance(self.privacy, NoNoise) else self.privacy

    def encoder(self, parameters: int, *, rng: Randomness) -> Encoder | None:
        """Make what adds noise to a node's epoch gradient, shape (t,); None if none is added."""
        if self.noise is None:
            return None
        grid = grids("auto", "auto", self.noise)[0]
        return Encoder(Blocks(parameters, parameters), grid, self.noise.mechanism(grid), rng)

    def contributed_parameters(self, workers: int, parameters: int) -> int:
        """Give how many parameters a node contributes in an epoch: all."""
        del workers
        return parameters

    def noisy_members(self, workers: int) -> float:
        """Give how many nodes' noises are averaged where the most are, and least of them is left."""
        return max(each.effective_size for each in self.neighbourhoods(workers).values())

    @property
    def in_group(self) -> bool:
        """Whether one node collects for all, who have the same sum."""
        return self.graph.type == "group"

    def topology(self, workers: int) -> Graph:
        """Give the graph of n = `workers`.

        Raises:
            ValueError: there is none.
        """
        return self.graph.build(range(1, workers + 1))

    def neighbourhoods(self, workers: int) -> Mapping[PartyId, Neighbourhood]:
        """Give all neighbourhoods, by their node: one for each node, or a single one in a group.

        Raises:
            ValueError: there is no such graph, or with so few bits a weight is zero.
        """
        graph = self.topology(workers)
        if self.in_group:
            return of_group(GROUP_NODE, graph.neighbours(GROUP_NODE))
        return of_graph(graph, self.weight_bits)

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
        """With a threshold neighbourhoods go on without some of their nodes."""
        return self.threshold is not None

    def problems(self, workers: int) -> Sequence[str]:
        """See `System`."""
        if not 3 <= workers <= WORKERS_LIMIT:
            return [f"workers: {workers}, but a graph needs 3 to {WORKERS_LIMIT}"]
        try:
            neighbourhoods = self.neighbourhoods(workers).values()
            sizes = [len(each.members) for each in neighbourhoods]
            self.scheme(max(sizes) - 1)
        except ValueError as error:
            return [f"system.graph: {error}"]
        if not self.topology(workers).connected:
            return ["system.graph: it is not connected: some would never learn from others"]
        if self.in_group and workers > 1 << self.weight_bits:
            return [f"system.weight_bits: sums of {workers} models do not fit in {self.weight_bits} bits"]
        found = [*self._too_few_to_go_on(min(sizes), max(sizes))]
        if self.noise:
            found += self.noise.problems(grids("auto", "auto", self.noise)[0])
        single = [each.node for each in neighbourhoods if len(each.members) == 2]
        if single and self.mode != "plain" and not self.insecure:
            found.append(
                f"system.graph: workers {single} have one neighbour each, whose parameters they would find "
                "by subtracting their own; add edges, or say system.insecure = true to study it"
            )
        return found

    def _too_few_to_go_on(self, smallest: int, largest: int) -> Iterator[str]:
        """Say what is wrong with the threshold in neighbourhoods of these sizes."""
        threshold = self.threshold
        if threshold is None:
            return
        if threshold > smallest:
            yield f"system.threshold: {threshold}, but the smallest neighbourhood has {smallest} workers"
        if self.mode == "plain" or self.insecure:
            return
        if threshold < _LEAST_SECURE:
            yield (
                f"system.threshold: {threshold}, but of two workers that remain each would find the other's "
                f"parameters by subtraction; use at least {_LEAST_SECURE}, or say system.insecure = true to "
                "study it"
            )
        if 2 * threshold <= largest:
            yield (
                f"system.threshold: any {threshold} workers of a neighbourhood of {largest}, half of it or "
                f"fewer, could read the others' models; use at least {largest // 2 + 1}, or say "
                "system.insecure = true to study it"
            )

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
        opens = not self.in_group or party == GROUP_NODE
        helps = not self.in_group or party != GROUP_NODE
        kinds: say.Kinds = (say.Waiting, say.Total) if self.in_group and helps else (say.Waiting,)
        if self.mode == "plain":
            return (*kinds, say.Weighted) if opens else kinds
        if opens:
            kinds += say.TO_NODE + (say.LOSSES_TO_NODE if self.tolerates_loss else ())
        if helps:
            kinds += say.TO_NEIGHBOURS + (say.LOSSES_TO_NEIGHBOURS if self.tolerates_loss else ())
        return tuple(dict.fromkeys(kinds))

    def deal(self, workers: int, *, rng: Randomness) -> Mapping[PartyId, bytes]:
        """Be the trusted authority: keys to sign with where secrets are shared, and else nothing."""
        if self.threshold is None or self.mode == "plain":
            return {}
        identities = key_agreement.deal(self.roster(workers), rng=rng)
        return {identity.point: msgspec.msgpack.encode(identity) for identity in identities}
