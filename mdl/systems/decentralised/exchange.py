"""A gossip step: a node comes to the weighted sum of its neighbours' parameters and its own."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mdl.errors import PeerTimeout
from mdl.party import Party, PartyId
from mdl.protocols.pieces import ENTRY_BYTES, Piece, receive_whole, send_whole
from mdl.schemes.bfv import Ciphertexts, CollectiveKey, Elements, MultipartyBfv, Secret, total
from mdl.system import Randomness
from mdl.systems.decentralised.messages import CollectiveKey as KeyMessage
from mdl.systems.decentralised.messages import Opening, PublicShare, Summed, Weighted
from mdl.vectors import Blocks, Integers

Weights = Mapping[PartyId, Mapping[PartyId, int]]
"""Of every node, by neighbour and itself."""


@dataclass(frozen=True)
class Neighbourhood:
    """A node among its neighbours.

    Attributes:
        party: the node.
        neighbours: with whom it talks.
        weights: of all nodes.
        timeout_seconds: how long it waits for a neighbour.
    """

    party: Party
    neighbours: tuple[PartyId, ...]
    weights: Weights
    timeout_seconds: float

    def towards(self, neighbour: PartyId, values: Integers) -> Integers:
        """Weigh one's values as they go into a neighbour's sum."""
        return values * self.weights[neighbour][self.party.id]

    def own(self, values: Integers) -> Integers:
        """Weigh one's values as they go into one's own sum."""
        return values * self.weights[self.party.id][self.party.id]

    async def send(self, neighbour: PartyId, kind: type[Piece], epoch: int, data: bytes) -> None:
        """Send a vector."""
        await send_whole(self.party, neighbour, kind, epoch, data)

    async def receive(self, neighbour: PartyId, kind: type[Piece], epoch: int, size_bytes: int) -> bytes:
        """Receive a vector.

        Raises:
            PeerLeft: the neighbour has left.
            PeerTimeout: it is there, and silent.
        """
        entries = size_bytes // ENTRY_BYTES
        try:
            async with asyncio.timeout(self.timeout_seconds):
                found = await receive_whole(self.party, kind, sender=neighbour, epoch=epoch, entries=entries)
        except TimeoutError:
            within = f"timeout_seconds = {self.timeout_seconds:g}"
            raise PeerTimeout(f"epoch {epoch}: no {kind.__name__} within {within}", [neighbour]) from None
        assert isinstance(found, bytes)  # it waits for no other kind
        return found


class Exchange(Protocol):
    """A way to come to the sum."""

    async def prepare(self) -> None:
        """Do what is done once, before the first epoch."""

    async def sum(self, epoch: int, values: Integers) -> Integers:
        """Give Σ_j W_ij values_j over the neighbourhood, times 2^weight_bits, shape (t,)."""


class PlainExchange:
    """Neighbours show each other their weighted parameters."""

    def __init__(self, hood: Neighbourhood) -> None:
        self._hood = hood

    async def prepare(self) -> None:
        """See `Exchange`: nothing."""

    async def sum(self, epoch: int, values: Integers) -> Integers:
        """See `Exchange`."""
        hood = self._hood

        async def swap(neighbour: PartyId) -> Integers:
            mine = hood.towards(neighbour, values).astype("<i4").tobytes()
            _, theirs = await asyncio.gather(
                hood.send(neighbour, Weighted, epoch, mine),
                hood.receive(neighbour, Weighted, epoch, len(mine)),
            )
            return np.frombuffer(theirs, "<i4").astype(np.int64)

        async with asyncio.TaskGroup() as tasks:
            swaps = [tasks.create_task(swap(neighbour)) for neighbour in hood.neighbours]
        return sum((task.result() for task in swaps), start=hood.own(values))


class EncryptedExchange:
    """Each node has a key that its whole neighbourhood made, under which its neighbours encrypt.

    Args:
        hood: the node among its neighbours.
        schemes: by node whose neighbourhood it is, one's own and the neighbours'.
        parameters: t.
        run: the run's identity.
        rng: where keys and noise come from.
    """

    def __init__(
        self,
        hood: Neighbourhood,
        schemes: Mapping[PartyId, MultipartyBfv],
        *,
        parameters: int,
        run: bytes,
        rng: Randomness,
    ) -> None:
        self._hood, self._schemes, self._run, self._rng = hood, schemes, run, rng
        self._own_scheme = schemes[hood.party.id]
        self._blocks = Blocks(parameters, self._own_scheme.degree)
        self._half_bytes = self._blocks.count * self._own_scheme.half_bytes
        self._secrets: dict[PartyId, Secret] = {}
        self._keys: dict[PartyId, CollectiveKey] = {}

    async def prepare(self) -> None:
        """Make the keys of one's own neighbourhood and of the neighbours'.

        A secret is drawn for each neighbourhood, so that an answer in one says nothing in another.
        """
        hood = self._hood
        async with asyncio.TaskGroup() as tasks:
            for neighbour in hood.neighbours:
                tasks.create_task(self._join(neighbour))
            tasks.create_task(self._gather())

    async def _join(self, owner: PartyId) -> None:
        """Take part in the key of a neighbour's neighbourhood."""
        hood, scheme = self._hood, self._schemes[owner]
        share = await self._made(owner)
        await hood.send(owner, PublicShare, 0, share.tobytes())
        collective = await hood.receive(owner, KeyMessage, 0, scheme.half_bytes)
        self._keys[owner] = await hood.party.to_process(
            scheme.collective, [_one(collective, scheme)], self._common(owner)
        )

    async def _gather(self) -> None:
        """Lead the making of the key of one's own neighbourhood."""
        hood, scheme, own = self._hood, self._own_scheme, self._hood.party.id
        shares = [await self._made(own)]
        shares += [
            _one(await hood.receive(neighbour, PublicShare, 0, scheme.half_bytes), scheme)
            for neighbour in hood.neighbours
        ]
        collective = total(shares).tobytes()
        async with asyncio.TaskGroup() as tasks:
            for neighbour in hood.neighbours:
                tasks.create_task(hood.send(neighbour, KeyMessage, 0, collective))

    async def _made(self, owner: PartyId) -> Elements:
        """Draw one's secret for a neighbourhood; give one's part of its key."""
        scheme = self._schemes[owner]
        self._secrets[owner] = await self._hood.party.to_process(scheme.draw, rng=self._rng)
        return await self._hood.party.to_process(
            scheme.public_share, self._secrets[owner], self._common(owner), rng=self._rng
        )

    def _common(self, owner: PartyId) -> Elements:
        return self._schemes[owner].common(self._run + owner.to_bytes(4, "big"))

    async def sum(self, epoch: int, values: Integers) -> Integers:
        """See `Exchange`."""
        async with asyncio.TaskGroup() as tasks:
            for neighbour in self._hood.neighbours:
                tasks.create_task(self._serve(epoch, neighbour, values))
            summed = tasks.create_task(self._sum_own(epoch, values))
        return summed.result()

    async def _serve(self, epoch: int, owner: PartyId, values: Integers) -> None:
        """Give a neighbour one's parameters, encrypted; then help it to open its sum, once."""
        hood, scheme = self._hood, self._schemes[owner]
        plaintext = self._blocks.split(hood.towards(owner, values))
        made = await hood.party.to_process(scheme.encrypt, self._keys[owner], plaintext, rng=self._rng)
        await hood.send(owner, Weighted, epoch, made.tobytes())
        c1 = Elements.read(await hood.receive(owner, Summed, epoch, self._half_bytes), scheme.degree)
        share = await hood.party.to_process(scheme.share, self._secrets[owner], c1, rng=self._rng)
        await hood.send(owner, Opening, epoch, share.tobytes())

    async def _sum_own(self, epoch: int, values: Integers) -> Integers:
        hood, scheme = self._hood, self._own_scheme
        summed: Ciphertexts | None = None
        for neighbour in hood.neighbours:
            data = await hood.receive(neighbour, Weighted, epoch, 2 * self._half_bytes)
            theirs = self._ciphertexts(data)
            summed = theirs if summed is None else summed + theirs
        assert summed is not None
        summed = scheme.plus(summed, self._blocks.split(hood.own(values)))
        c1 = summed.c1.tobytes()
        async with asyncio.TaskGroup() as tasks:
            for neighbour in hood.neighbours:
                tasks.create_task(hood.send(neighbour, Summed, epoch, c1))
        shares = [await hood.party.to_process(scheme.own_share, self._secrets[hood.party.id], summed.c1)]
        for neighbour in hood.neighbours:
            data = await hood.receive(neighbour, Opening, epoch, self._half_bytes)
            shares.append(Elements.read(data, scheme.degree))
        opened = await hood.party.to_process(scheme.open, summed.c0, shares)
        return self._blocks.join(opened)

    def _ciphertexts(self, data: bytes) -> Ciphertexts:
        degree = self._own_scheme.degree
        return Ciphertexts(
            Elements.read(data[: self._half_bytes], degree), Elements.read(data[self._half_bytes :], degree)
        )


def _one(data: bytes, scheme: MultipartyBfv) -> Elements:
    found = Elements.read(data, scheme.degree)
    return Elements(found.low[0], found.high[0])
