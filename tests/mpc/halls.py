"""Parties that exchange in one process, by messages or over lanes, while a test looks on and interferes."""

import asyncio
import os
import socket
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeVar

from mdl.errors import PeerLeft
from mdl.ledger import Ledger
from mdl.mpc.links import Links
from mdl.mpc.messages import Sealed
from mdl.mpc.seals import Seal
from mdl.party import PartyId, Rounds
from mdl.transport.lanes import Lane, StreamLanes
from mdl.transport.work import OwnThread

T = TypeVar("T")

Change = Callable[[bytes], Sequence[bytes]]
"""What becomes of a message on its way: nothing, itself, another one."""


class Hall(ABC):
    """Where parties meet; what they send to each other is there to be seen, and changed.

    Attributes:
        sent: (sender, receiver, message), as it was handed over.
        change: by sender, receiver and number of the message between them, from 0.
    """

    def __init__(self, parties: Sequence[PartyId] = (1, 2, 3)) -> None:
        self.parties = parties
        self.sent: list[tuple[PartyId, PartyId, bytes]] = []
        self.change: dict[tuple[PartyId, PartyId, int], Change] = {}
        self._counts: dict[tuple[PartyId, PartyId], int] = defaultdict(int)
        self._secrets = {frozenset(pair): os.urandom(32) for pair in combinations(parties, 2)}

    @abstractmethod
    def links(self, own: PartyId, within: float = 5.0) -> Links:
        """Make a party's links."""

    @abstractmethod
    def leave(self, party: PartyId) -> None:
        """Let a party be gone. What it sent still arrives."""

    @abstractmethod
    async def close(self) -> None:
        """End what still runs."""

    def peers(self, own: PartyId) -> list[PartyId]:
        return [peer for peer in self.parties if peer != own]

    def seals(self, own: PartyId) -> Mapping[PartyId, Seal]:
        return {peer: Seal(self._secrets[frozenset((own, peer))], own, peer) for peer in self.peers(own)}

    def carried(self, sender: PartyId, receiver: PartyId, message: bytes) -> Sequence[bytes]:
        """Note a message; give what is to arrive."""
        self.sent.append((sender, receiver, message))
        number = self._counts[sender, receiver]
        self._counts[sender, receiver] += 1
        change = self.change.get((sender, receiver, number))
        return [message] if change is None else change(message)


class MessageHall(Hall):
    """By messages, in boxes in memory."""

    def __init__(self, parties: Sequence[PartyId] = (1, 2, 3)) -> None:
        super().__init__(parties)
        self.boxes: dict[tuple[PartyId, PartyId], asyncio.Queue[bytes | None]] = defaultdict(asyncio.Queue)

    def links(self, own: PartyId, within: float = 5.0) -> Links:
        return Links(_Guest(self, own), self.parties, self.seals(own), within)  # type: ignore[arg-type]

    def leave(self, party: PartyId) -> None:
        for peer in self.peers(party):
            self.boxes[party, peer].put_nowait(None)

    async def close(self) -> None:
        """There is nothing to end."""


class _Guest:
    """A party in the hall: as much of `mdl.party.Party` as links need."""

    def __init__(self, hall: MessageHall, own: PartyId) -> None:
        self.id, self._hall = own, hall

    async def send(self, to: PartyId, message: Sealed) -> None:
        for data in self._hall.carried(self.id, to, message.data):
            self._hall.boxes[self.id, to].put_nowait(data)

    async def receive(self, *kinds: Any, sender: PartyId) -> Any:
        data = await self._hall.boxes[sender, self.id].get()
        if data is None:
            raise PeerLeft("gone", [sender])
        return type("Envelope", (), {"message": Sealed(data)})

    async def to_thread(self, activity: str, fn: Any, *args: Any) -> Any:
        assert activity == "cryptography"
        return await asyncio.to_thread(fn, *args)


class LaneHall(Hall):
    """Over lanes, on pairs of sockets; each party has a thread."""

    def __init__(self, parties: Sequence[PartyId] = (1, 2, 3)) -> None:
        super().__init__(parties)
        self.ledgers = {party: Ledger(party) for party in parties}
        self._threads = {party: OwnThread(str(party), self.ledgers[party]) for party in parties}
        ends: dict[PartyId, list[Lane]] = {party: [] for party in parties}
        for one, other in combinations(parties, 2):
            left, right = socket.socketpair()
            ends[one].append(Lane(other, left))
            ends[other].append(Lane(one, right))
        self.lanes = {
            party: StreamLanes(ends[party], "Sealed", self._threads[party], self.ledgers[party])
            for party in parties
        }

    def links(self, own: PartyId, within: float = 5.0) -> Links:
        lanes = _WatchedLanes(self, own)
        return Links(None, self.parties, self.seals(own), within, lanes)  # type: ignore[arg-type]

    def leave(self, party: PartyId) -> None:
        self.lanes[party].cut()

    async def close(self) -> None:
        for party in self.parties:
            self.lanes[party].cut()
        for thread in self._threads.values():
            await thread.close()
        for lanes in self.lanes.values():
            lanes.close()


class _WatchedLanes:
    def __init__(self, hall: LaneHall, own: PartyId) -> None:
        self._hall, self._own = hall, own

    async def run(self, activity: str, fn: Callable[[Rounds], T]) -> T:
        lanes = self._hall.lanes[self._own]
        return await lanes.run(activity, lambda rounds: fn(_WatchedRounds(self._hall, self._own, rounds)))


class _WatchedRounds:
    def __init__(self, hall: LaneHall, own: PartyId, rounds: Rounds) -> None:
        self._hall, self._own, self._rounds = hall, own, rounds
        self._written: dict[PartyId, bytearray] = {}

    def room(self, to: PartyId, size_bytes: int) -> memoryview:
        self._written[to] = bytearray(size_bytes)
        return memoryview(self._written[to])

    def swap(self, sizes: Mapping[PartyId, int], within: float) -> Mapping[PartyId, memoryview]:
        for to, message in self._written.items():
            for data in self._hall.carried(self._own, to, bytes(message)):
                self._rounds.room(to, len(data))[:] = data
        self._written.clear()
        return self._rounds.swap(sizes, within)


HALLS: Mapping[str, type[Hall]] = {"messages": MessageHall, "lanes": LaneHall}


async def leave_on_error(hall: Hall, party: PartyId, driving: Awaitable[None]) -> None:
    """Await what a party does; where it fails, the party leaves, as a real one does."""
    try:
        await driving
    except Exception:
        hall.leave(party)
        raise
