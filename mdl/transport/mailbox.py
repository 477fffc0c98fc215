"""Messages that have arrived and that nobody has taken yet.

The mailbox does no I/O and knows no clock: it needs of asyncio only futures, so real links and the simulator
share it.

Taking a message is always synchronous. Who waits is only woken, and then looks again; so a wait that is
cancelled, at whatever moment, has taken nothing and kept nothing from the others.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Final, TypeAlias, TypeVar, cast

from mdl.errors import PeerLeft
from mdl.party import Envelope, Message, PartyId

MAILBOX_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of one sender that may wait before its link is no longer read."""

M = TypeVar("M", bound=Message)

_Wake: TypeAlias = asyncio.Future[None]


@dataclass(frozen=True)
class _Letter:
    """A waiting message: `arrival` orders it among those of all senders."""

    arrival: int
    envelope: Envelope[Message]
    size_bytes: int


class Mailbox:
    """Hands out messages by kind and sender, the oldest first.

    Only a peer that has joined and not left can still send. A peer that left may join again.

    Args:
        limit_bytes: how much of one sender may wait before `room` makes its link pause.
    """

    def __init__(self, limit_bytes: int = MAILBOX_LIMIT) -> None:
        self._limit_bytes = limit_bytes
        self._peers: set[PartyId] = set()
        self._left: set[PartyId] = set()
        self._arrivals = count()
        # Only queues that hold something are kept, so a search meets no empty one.
        self._queues: dict[tuple[type[Message], PartyId], deque[_Letter]] = {}
        self._waiting_bytes: dict[PartyId, int] = {}
        self._receivers: dict[_Wake, tuple[tuple[type[Message], ...], PartyId | None]] = {}
        self._paused: dict[_Wake, PartyId] = {}
        self._departures: dict[_Wake, PartyId] = {}

    def join(self, peer: PartyId) -> None:
        """Note that messages of `peer` may come from now on."""
        self._peers.add(peer)
        self._left.discard(peer)

    def leave(self, peer: PartyId) -> None:
        """Note that no more messages of `peer` come. Those that wait can still be taken."""
        self._peers.discard(peer)
        self._left.add(peer)
        _wake(self._receivers)
        _wake(wake for wake, sender in self._paused.items() if sender == peer)
        _wake(wake for wake, sender in self._departures.items() if sender == peer)

    def deliver(self, envelope: Envelope[Message], size_bytes: int) -> None:
        """Put in a message that took `size_bytes` on its link. It is never refused: see `room`."""
        kind, sender = type(envelope.message), envelope.sender
        queue = self._queues.setdefault((kind, sender), deque())
        queue.append(_Letter(next(self._arrivals), envelope, size_bytes))
        self._waiting_bytes[sender] = self.waiting_bytes(sender) + size_bytes
        _wake(wake for wake, wanted in self._receivers.items() if _matches(kind, sender, wanted))

    def take(self, kinds: tuple[type[M], ...], sender: PartyId | None = None) -> Envelope[M] | None:
        """Take the oldest message of these kinds (from `sender`, if given), or None if none waits."""
        matching = [key for key in self._queues if _matches(*key, (kinds, sender))]
        if not matching:
            return None
        key = min(matching, key=lambda key: self._queues[key][0].arrival)
        letter = self._queues[key].popleft()
        if not self._queues[key]:
            del self._queues[key]
        self._make_room(letter)
        return cast(Envelope[M], letter.envelope)

    async def receive(self, kinds: tuple[type[M], ...], sender: PartyId | None = None) -> Envelope[M]:
        """Take like `take`, or wait until there is something to take.

        Raises:
            PeerLeft: none waits and none can come, because `sender` (or, without one, every peer) is not
                there.
        """
        assert kinds, "a wait for no kind of message would never end"
        while (envelope := self.take(kinds, sender)) is None:
            if not self._can_come(sender):
                raise PeerLeft(f"{_names(kinds)} cannot come any more", self._missing(sender))
            wake = asyncio.get_running_loop().create_future()
            self._receivers[wake] = (kinds, sender)
            try:
                await wake
            finally:
                del self._receivers[wake]
        return envelope

    async def room(self, sender: PartyId) -> None:
        """Wait until less than the limit of `sender` is waiting, or it has left."""
        while sender in self._peers and self.waiting_bytes(sender) >= self._limit_bytes:
            wake = asyncio.get_running_loop().create_future()
            self._paused[wake] = sender
            try:
                await wake
            finally:
                del self._paused[wake]

    async def departure(self, peer: PartyId) -> None:
        """Wait until `peer` leaves; return at once if it is not there."""
        if peer not in self._peers:
            return
        wake = asyncio.get_running_loop().create_future()
        self._departures[wake] = peer
        try:
            await wake
        finally:
            del self._departures[wake]

    def waiting_bytes(self, sender: PartyId) -> int:
        """Bytes of `sender`'s messages that nobody has taken yet."""
        return self._waiting_bytes.get(sender, 0)

    def _make_room(self, taken: _Letter) -> None:
        sender = taken.envelope.sender
        self._waiting_bytes[sender] -= taken.size_bytes
        if self._waiting_bytes[sender] < self._limit_bytes:
            _wake(wake for wake, paused in self._paused.items() if paused == sender)

    def _can_come(self, sender: PartyId | None) -> bool:
        return bool(self._peers) if sender is None else sender in self._peers

    def _missing(self, sender: PartyId | None) -> list[PartyId]:
        return sorted(self._left) if sender is None else [sender]


def _matches(
    kind: type[Message], sender: PartyId, wanted: tuple[tuple[type[Message], ...], PartyId | None]
) -> bool:
    kinds, wanted_sender = wanted
    return wanted_sender in (None, sender) and issubclass(kind, kinds)


def _names(kinds: tuple[type[Message], ...]) -> str:
    return " or ".join(kind.__name__ for kind in kinds)


def _wake(sleepers: Iterable[_Wake]) -> None:
    for sleeper in sleepers:
        # Done already: woken before, or cancelled, and its task has not run since.
        if not sleeper.done():
            sleeper.set_result(None)
