"""What a node does in an epoch besides training: it comes to its sum, and helps its neighbours to theirs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import numpy as np

from mdl.errors import PeerLeft, PeerTimeout, ProtocolError
from mdl.party import PartyId
from mdl.systems.decentralised.making import Making, Parts, Place
from mdl.systems.decentralised.messages import Done, Total
from mdl.systems.decentralised.neighbourhoods import Sum
from mdl.systems.decentralised.sums import Helping
from mdl.vectors import Integers


class Exchange:
    """A node's averaging.

    Args:
        place: where it stands.
        making: plain or encrypted.
        group: whether one node's sum is everybody's.
    """

    def __init__(self, place: Place, making: Making, *, group: bool) -> None:
        self._place, self._making, self._group = place, making, group
        self._neighbours = place.neighbours
        self._parts = Parts(None, {})

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator[None]:
        """Take up one's parts; then be there for the others as long as they need it.

        Raises:
            PeerLeft: a neighbour is gone, before the first epoch or where all must remain; or one has lost
                this node.
            PeerTimeout: it is silent.
            ProtocolError: one asks for what it may not have.
        """
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(self._neighbours.stay_in_touch())]
            self._parts = await self._making.parts(self._place)
            beside += [tasks.create_task(trustee.serve()) for trustee in self._parts.trustees]
            ending = tasks.create_task(self._neighbours.heed_the_end()) if self._parts.stays else None
            yield
            if ending is not None:
                ending.cancel()
                await self._part()
            for task in beside:
                task.cancel()

    async def sum(self, epoch: int, values: Integers) -> Sum:
        """Give the sum with one's own values in it, shape (t,), integers, and help others to theirs."""
        summing = self._parts.summing
        async with asyncio.TaskGroup() as tasks:
            for node, helping in self._parts.helping.items():
                if node in self._neighbours.present:
                    tasks.create_task(self._help(helping, node, epoch, values))
            own = None if summing is None else tasks.create_task(summing.sum(epoch, values))
        found = None if own is None else own.result()
        if found is not None and not self._group:
            return found
        return await self._shared(epoch, found, len(values))

    async def _help(self, helping: Helping, node: PartyId, epoch: int, values: Integers) -> None:
        with self._neighbours.losing(node):
            await helping.help(epoch, values)

    async def _shared(self, epoch: int, own: Sum | None, count: int) -> Sum:
        """Hand the group's sum to all, or take it.

        Raises:
            ProtocolError: it is said to be of no model, or of more than there are.
        """
        if own is not None:
            handed = np.append(own.values, own.weight).astype("<i4").tobytes()
            await self._neighbours.each(lambda other: self._neighbours.send(other, Total, epoch, handed))
            return own
        ((node, group),) = self._place.others.items()
        data = await self._neighbours.receive(node, Total, epoch, 4 * (count + 1))
        whole = np.frombuffer(data, "<i4").astype(np.int64)
        weight = int(whole[-1])
        if not 1 <= weight <= len(group.members):
            raise ProtocolError(f"a sum of {weight} models in a group of {len(group.members)}", [node])
        return Sum(whole[:-1], weight)

    async def _part(self) -> None:
        """Wait until nobody needs shares any more, or has gone."""

        async def part_from(neighbour: PartyId) -> None:
            with suppress(PeerLeft, PeerTimeout):
                await self._neighbours.tell(neighbour, Done())
                await self._neighbours.hear(neighbour, Done)

        async with asyncio.TaskGroup() as tasks:
            for neighbour in self._neighbours.present:
                tasks.create_task(part_from(neighbour))
