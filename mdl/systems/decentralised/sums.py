"""A neighbourhood's sum: the node comes to it, and its neighbours help. A step is written here once."""

from collections.abc import Collection
from typing import Protocol

import numpy as np

from mdl.party import PartyId
from mdl.schemes.bfv import Ciphertexts, Elements, MultipartyBfv
from mdl.system import Randomness
from mdl.systems.decentralised.keys import Keys
from mdl.systems.decentralised.messages import Opening, Summed, Weighted
from mdl.systems.decentralised.neighbourhoods import Neighbourhood, Sum
from mdl.systems.decentralised.neighbours import Neighbours
from mdl.systems.decentralised.opened import OpenedSets
from mdl.systems.decentralised.recovery import Recovery
from mdl.vectors import Blocks, Integers


class Summing(Protocol):
    """The node's side."""

    async def sum(self, epoch: int, values: Integers) -> Sum:
        """Come to the sum, with one's own values, shape (t,), integers."""


class Helping(Protocol):
    """A neighbour's side."""

    async def help(self, epoch: int, values: Integers) -> None:
        """Give one's values, shape (t,), integers, for the node's sum."""


class PlainSumming:
    """Neighbours show the node their weighted parameters."""

    def __init__(self, neighbours: Neighbours, neighbourhood: Neighbourhood) -> None:
        self._neighbours, self._neighbourhood = neighbours, neighbourhood

    async def sum(self, epoch: int, values: Integers) -> Sum:
        """See `Summing`."""
        size_bytes = 4 * len(values)
        found = await self._neighbours.each(
            lambda neighbour: self._neighbours.receive(neighbour, Weighted, epoch, size_bytes)
        )
        own = values * self._neighbourhood.own_weight(found)
        theirs = (np.frombuffer(data, "<i4").astype(np.int64) for data in found.values())
        return Sum(sum(theirs, start=own), self._neighbourhood.total_weight(found))


class PlainHelping:
    """A neighbour shows the node its weighted parameters."""

    def __init__(self, neighbours: Neighbours, neighbourhood: Neighbourhood) -> None:
        self._neighbours, self._node = neighbours, neighbourhood.node
        self._weight = neighbourhood.weights[neighbours.party.id]

    async def help(self, epoch: int, values: Integers) -> None:
        """See `Helping`."""
        data = (values * self._weight).astype("<i4").tobytes()
        await self._neighbours.send(self._node, Weighted, epoch, data)


class EncryptedSumming:
    """The node adds what its neighbours encrypted, and opens the sum with their help: one sum an epoch.

    Args:
        neighbours: of the node.
        neighbourhood: its own.
        scheme: for so many members.
        keys: its own of the neighbourhood.
        recovery: for lost members' secrets; None if nobody may be lost.
        opened: where it is noted who is in an epoch's sum; None if nobody may be lost.
        blocks: of t parameters.
    """

    def __init__(
        self,
        neighbours: Neighbours,
        neighbourhood: Neighbourhood,
        scheme: MultipartyBfv,
        keys: Keys,
        *,
        recovery: Recovery | None,
        opened: OpenedSets | None,
        blocks: Blocks,
    ) -> None:
        self._neighbours, self._neighbourhood, self._scheme = neighbours, neighbourhood, scheme
        self._keys, self._recovery, self._opened, self._blocks = keys, recovery, opened, blocks
        self._half_bytes = blocks.count * scheme.half_bytes

    async def sum(self, epoch: int, values: Integers) -> Sum:
        """See `Summing`."""
        included, theirs = await self._collected(epoch)
        own = values * self._neighbourhood.own_weight(included)
        summed = self._scheme.plus(theirs, self._blocks.split(own))
        if self._opened is not None:
            await self._neighbours.party.to_thread("record", self._opened.note, epoch, included)
        total = await self._open(epoch, summed)
        return Sum(self._blocks.join(total), self._neighbourhood.total_weight(included))

    async def _collected(self, epoch: int) -> tuple[Collection[PartyId], Ciphertexts]:
        """Add the neighbours' ciphertexts as they come; give whose they are, and their sum."""
        parts: list[Ciphertexts] = []

        async def take(neighbour: PartyId) -> None:
            data = await self._neighbours.receive(neighbour, Weighted, epoch, 2 * self._half_bytes)
            theirs = Ciphertexts(
                self._elements(data[: self._half_bytes]), self._elements(data[self._half_bytes :])
            )
            parts[:] = [parts[0] + theirs if parts else theirs]

        included = await self._neighbours.each(take)
        return included, parts[0]

    async def _open(self, epoch: int, summed: Ciphertexts) -> Integers:
        """Have c_1 multiplied by all members' secrets, the lost ones' by oneself, and read the sum."""
        party, scheme, c1 = self._neighbours.party, self._scheme, summed.c1.tobytes()

        async def ask(neighbour: PartyId) -> Elements:
            await self._neighbours.send(neighbour, Summed, epoch, c1)
            return self._elements(await self._neighbours.receive(neighbour, Opening, epoch, self._half_bytes))

        answers = await self._neighbours.each(ask)
        shares = [*answers.values(), await party.to_process(scheme.own_share, self._keys.secret, summed.c1)]
        for neighbour in self._neighbourhood.neighbours:
            if neighbour not in answers:
                assert self._recovery is not None, "nobody may be lost"
                secret = await self._recovery.secret(neighbour)
                shares.append(await party.to_process(scheme.own_share, secret, summed.c1))
        return await party.to_process(scheme.open, summed.c0, shares)

    def _elements(self, data: bytes) -> Elements:
        return Elements.read(data, self._scheme.degree)


class EncryptedHelping:
    """A neighbour encrypts its weighted parameters, and gives one share of one opening an epoch.

    Args:
        neighbours: of the neighbour.
        neighbourhood: in which it is one.
        scheme: for so many members.
        keys: its own of that neighbourhood.
        blocks: of t parameters.
        rng: where noise comes from.
    """

    def __init__(
        self,
        neighbours: Neighbours,
        neighbourhood: Neighbourhood,
        scheme: MultipartyBfv,
        keys: Keys,
        *,
        blocks: Blocks,
        rng: Randomness,
    ) -> None:
        self._neighbours, self._node, self._scheme = neighbours, neighbourhood.node, scheme
        self._keys, self._blocks, self._rng = keys, blocks, rng
        self._weight = neighbourhood.weights[neighbours.party.id]

    async def help(self, epoch: int, values: Integers) -> None:
        """See `Helping`."""
        neighbours, scheme, node = self._neighbours, self._scheme, self._node
        party, half_bytes = neighbours.party, self._blocks.count * scheme.half_bytes
        plaintext = self._blocks.split(values * self._weight)
        made = await party.to_process(scheme.encrypt, self._keys.collective, plaintext, rng=self._rng)
        await neighbours.send(node, Weighted, epoch, made.tobytes())
        c1 = Elements.read(await neighbours.receive(node, Summed, epoch, half_bytes), scheme.degree)
        share = await party.to_process(scheme.share, self._keys.secret, c1, rng=self._rng)
        await neighbours.send(node, Opening, epoch, share.tobytes())
