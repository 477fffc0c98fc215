"""How a node takes up its parts in neighbourhoods: the plain way, or with keys that all members make."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mdl.party import PartyId
from mdl.schemes.bfv import MultipartyBfv, SealedShares
from mdl.schemes.key_agreement import Identity
from mdl.system import Journal, Randomness
from mdl.systems.decentralised.keys import KeyMaking, Keys
from mdl.systems.decentralised.neighbourhoods import Neighbourhood
from mdl.systems.decentralised.neighbours import Neighbours
from mdl.systems.decentralised.opened import OpenedSets
from mdl.systems.decentralised.recovery import Recovery, Trustee
from mdl.systems.decentralised.sums import (
    EncryptedHelping,
    EncryptedSumming,
    Helping,
    PlainHelping,
    PlainSumming,
    Summing,
)
from mdl.vectors import Blocks


@dataclass(frozen=True)
class Place:
    """Where a node stands.

    Attributes:
        neighbours: with whom it talks.
        own: its own neighbourhood; None for those in a group who open nothing.
        others: the neighbourhoods in which it is a neighbour, by their node.
    """

    neighbours: Neighbours
    own: Neighbourhood | None
    others: Mapping[PartyId, Neighbourhood]


@dataclass(frozen=True)
class Parts:
    """A node's parts in neighbourhoods.

    Attributes:
        summing: in its own, if it has one.
        helping: in others', by their node.
        trustees: for those who may ask for shares of lost members' secrets.
        stays: whether others may need its shares after its last epoch.
    """

    summing: Summing | None
    helping: Mapping[PartyId, Helping]
    trustees: Sequence[Trustee] = ()
    stays: bool = False


class Making(Protocol):
    """A way to come to sums: plain or encrypted."""

    async def parts(self, place: Place) -> Parts:
        """Do what is done once, before the first epoch.

        Raises:
            PeerLeft: a neighbour is gone.
            PeerTimeout: it is silent.
        """


class Plain:
    """Neighbours show each other their weighted parameters."""

    async def parts(self, place: Place) -> Parts:
        """See `Making`."""
        helping = {node: PlainHelping(place.neighbours, other) for node, other in place.others.items()}
        own = place.own
        return Parts(PlainSumming(place.neighbours, own) if own else None, helping)


@dataclass(frozen=True)
class Encrypted:
    """Each neighbourhood has a key that all its members made.

    Attributes:
        plaintext_bits: log2 T.
        parameters: t.
        run: the run's identity.
        threshold: τ; None if all must remain.
        identity: with which a node deals shares; None if it deals none.
        journal: the node's.
        rng: where keys and noise come from.
    """

    plaintext_bits: int
    parameters: int
    run: bytes
    threshold: int | None
    identity: Identity | None = field(repr=False)
    journal: Journal
    rng: Randomness

    async def parts(self, place: Place) -> Parts:
        """See `Making`."""
        own = place.own
        async with asyncio.TaskGroup() as tasks:
            led = own and tasks.create_task(self._key_making(place, own).lead())
            joined = {
                node: tasks.create_task(self._key_making(place, other).join())
                for node, other in place.others.items()
            }
        neighbours = place.neighbours
        summing = self._summing(neighbours, own, led.result()) if own and led else None
        helping, trustees = {}, []
        for node, other in place.others.items():
            keys, scheme = joined[node].result(), self._scheme(other)
            blocks = self._blocks(scheme)
            helping[node] = EncryptedHelping(neighbours, other, scheme, keys, blocks=blocks, rng=self.rng)
            if self.threshold is not None:
                trustees.append(Trustee(neighbours, other, keys, threshold=self.threshold))
        return Parts(summing, helping, trustees, stays=self.threshold is not None)

    def _key_making(self, place: Place, neighbourhood: Neighbourhood) -> KeyMaking:
        sharing = None
        if self.identity is not None and self.threshold is not None:
            sharing = SealedShares(
                self.identity,
                neighbourhood.members,
                neighbourhood.node,
                threshold=self.threshold,
                run=self.run,
                rng=self.rng,
            )
        scheme = self._scheme(neighbourhood)
        return KeyMaking(place.neighbours, neighbourhood, scheme, run=self.run, sharing=sharing, rng=self.rng)

    def _summing(self, neighbours: Neighbours, own: Neighbourhood, keys: Keys) -> EncryptedSumming:
        scheme, recovery, opened = self._scheme(own), None, None
        if self.threshold is not None:
            opened = OpenedSets(self.journal, own.neighbours)
            recovery = Recovery(neighbours, keys, threshold=self.threshold, degree=scheme.degree)
        blocks = self._blocks(scheme)
        return EncryptedSumming(
            neighbours, own, scheme, keys, recovery=recovery, opened=opened, blocks=blocks
        )

    def _scheme(self, neighbourhood: Neighbourhood) -> MultipartyBfv:
        return MultipartyBfv(len(neighbourhood.members), self.plaintext_bits)

    def _blocks(self, scheme: MultipartyBfv) -> Blocks:
        return Blocks(self.parameters, scheme.degree)
