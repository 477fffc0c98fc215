"""A party that sees only those of its peers who stay: one that leaves, and links again, stays gone.

What a manager begins with some workers it ends with them alone. A worker that comes back in between was not
told how it began: it must not be asked, told or handed anything of it, and its earlier self's part in it is
over.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

from mdl.errors import PeerLeft
from mdl.party import Envelope, Lanes, Message, Party, PartyId

M = TypeVar("M", bound=Message)
P = ParamSpec("P")
R = TypeVar("R")


@asynccontextmanager
async def attendance(party: Party) -> AsyncIterator[Party]:
    """Give a party on which all peers of `party` that leave from now on stay gone."""
    attending = _Attendance(party)
    # Each crosses its peer out when it leaves, which takes less time than to link again.
    watches = [asyncio.ensure_future(attending.departure(peer)) for peer in party.peers]
    try:
        yield attending
    finally:
        for watch in watches:
            watch.cancel()


class _Attendance:
    """See `attendance`; a `Party`."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._stayed = set(party.peers)

    @property
    def id(self) -> PartyId:
        """See `Party`."""
        return self._party.id

    @property
    def peers(self) -> Sequence[PartyId]:
        """See `Party`."""
        return [peer for peer in self._party.peers if peer in self._stayed]

    async def send(self, to: PartyId, message: Message) -> None:
        """See `Party`."""
        if to not in self._stayed:
            raise PeerLeft("no send to a party that has been away", [to])
        await self._party.send(to, message)

    async def receive(self, *kinds: type[M], sender: PartyId | None = None) -> Envelope[M]:
        """See `Party`. From anyone, that is also from who is back."""
        if sender is not None and sender not in self._stayed and sender in self._party.peers:
            raise PeerLeft("no waiting for a party that has been away", [sender])
        return await self._party.receive(*kinds, sender=sender)

    async def departure(self, peer: PartyId) -> None:
        """See `Party`."""
        if peer in self._stayed:
            await self._party.departure(peer)
            self._stayed.discard(peer)

    async def to_process(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """See `Party`."""
        return await self._party.to_process(fn, *args, **kwargs)

    async def to_thread(self, activity: str, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """See `Party`."""
        return await self._party.to_thread(activity, fn, *args, **kwargs)

    async def lanes(self, peers: Collection[PartyId], kind: type[Message], within: float) -> Lanes | None:
        """See `Party`."""
        return await self._party.lanes(peers, kind, within)

    def record(self, kind: str, epoch: int, **values: float | int | str) -> None:
        """See `Party`."""
        self._party.record(kind, epoch, **values)
