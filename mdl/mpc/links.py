"""Exchanges over a party's links: each round one sealed message to each other party.

Where the party has lanes, its thread exchanges rounds over these, from a protocol's beginning to its end.
Where it has none (virtual links), each round is computed in the thread, and goes as messages.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeAlias, TypeVar

import torch
from torch import Tensor

from mdl.errors import CheatingDetected, PeerTimeout, ProtocolError
from mdl.mpc.messages import Sealed
from mdl.mpc.rounds import Exchange, Protocol, Received, Wanted, Words
from mdl.mpc.seals import Seal, by_sender, open_tensors, seal_tensors, sealed_bytes
from mdl.mpc.tally import Cost, Tally
from mdl.party import Lanes, Party, PartyId, Rounds

MESSAGE_BYTES: Final = 8 << 20
"""What goes as messages is cut to this length."""

T = TypeVar("T")

_Room: TypeAlias = Callable[[PartyId, int], memoryview]
_Sizes: TypeAlias = Mapping[PartyId, int]
_Turns: TypeAlias = Generator[_Sizes, Mapping[PartyId, memoryview], T]
"""A protocol on its way: it yields what is due when it has written what it sends, and is sent what came."""


class Links:
    """Carries out a party's exchanges.

    Args:
        party: over whose links.
        numbers: which party of the run is which of the protocol, counted from 0.
        seals: by party of the run.
        within: seconds to wait for a message.
        lanes: to the others, if there are any.
    """

    def __init__(
        self,
        party: Party,
        numbers: Sequence[PartyId],
        seals: Mapping[PartyId, Seal],
        within: float,
        lanes: Lanes | None = None,
    ) -> None:
        self._party, self._numbers, self._seals, self._within = party, numbers, seals, within
        self._lanes, self._tally = lanes, Tally()

    @property
    def costs(self) -> Mapping[str, Cost]:
        """What has been driven until now, by phase; what ends a protocol is of its last phase."""
        return self._tally.costs

    async def drive(self, protocol: Protocol[T]) -> T:
        """Run a protocol to its end. What it computes, it computes in the party's thread.

        Raises:
            PeerLeft: another party has left.
            PeerTimeout: one is there, and silent.
            CheatingDetected: a check of the protocol has failed; culprits are parties of the run.
            InvalidShare: what came is not what was sent.
            ProtocolError: it is not of the size that was due.
        """
        try:
            if self._lanes is None:
                return await self._by_messages(protocol)
            return await self._lanes.run("cryptography", partial(self._by_rounds, protocol))
        finally:
            protocol.close()

    @torch.inference_mode()  # no operation need look for gradients: a tenth of the time of short ones
    def _by_rounds(self, protocol: Protocol[T], rounds: Rounds) -> T:
        turns = self._turns(protocol, rounds.room)
        try:
            due = next(turns)
            while True:
                due = turns.send(rounds.swap(due, self._within))
        except StopIteration as end:
            result: T = end.value
            return result

    def _turns(self, protocol: Protocol[T], room: _Room) -> _Turns[T]:
        received: Received | None = None
        phase, began = "", time.perf_counter()
        while True:
            try:
                # What a coroutine is first sent is None.
                exchange = protocol.send(received)  # type: ignore[arg-type]
            except StopIteration as end:
                self._tally.add(phase, computing_seconds=time.perf_counter() - began)
                result: T = end.value
                return result
            except CheatingDetected as found:
                raise CheatingDetected(found.what, [self._numbers[each] for each in found.culprits]) from None
            phase, sent_bytes = exchange.phase, self._write(exchange, room)
            wanted = by_sender(exchange.wants, self._numbers)
            due = {
                peer: sealed_bytes(sum(want.size_bytes for want in wants)) for peer, wants in wanted.items()
            }
            computed = time.perf_counter()
            arrived = yield due
            waited = time.perf_counter()
            self._tally.add(
                phase,
                computing_seconds=computed - began,
                waiting_seconds=waited - computed,
                sent_bytes=sent_bytes,
                rounds=1,
            )
            began = waited
            received = self._read(exchange, wanted, arrived)

    def _write(self, exchange: Exchange, room: _Room) -> int:
        outgoing: dict[PartyId, list[Tensor | Words]] = {}
        for number, tensor in exchange.sends:
            outgoing.setdefault(self._numbers[number], []).append(tensor)
        total = 0
        for peer, tensors in outgoing.items():
            size = sum(tensor.nbytes for tensor in tensors)
            seal_tensors(self._seals[peer], tensors, room(peer, sealed_bytes(size)))
            total += size
        return total

    def _read(
        self,
        exchange: Exchange,
        wanted: Mapping[PartyId, Sequence[Wanted]],
        arrived: Mapping[PartyId, memoryview],
    ) -> Received:
        opened = {
            peer: iter(open_tensors(self._seals[peer], arrived[peer], wants))
            for peer, wants in wanted.items()
        }
        return [next(opened[self._numbers[want.sender]]) for want in exchange.wants]

    # -------------------------------------------------------------------------------------- as messages

    async def _by_messages(self, protocol: Protocol[T]) -> T:
        outgoing: dict[PartyId, memoryview] = {}
        turns = self._turns(protocol, partial(_room, outgoing))
        arrived: Mapping[PartyId, memoryview] | None = None
        while True:
            turn = await self._party.to_thread("cryptography", _advance, turns, arrived)
            if isinstance(turn, _End):
                return turn.result
            arrived = await self._swap(outgoing, turn)
            outgoing.clear()

    async def _swap(self, outgoing: Mapping[PartyId, memoryview], due: _Sizes) -> dict[PartyId, memoryview]:
        """Send and receive what a round asks for, at once."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for peer, message in outgoing.items():
                    tasks.create_task(self._send(peer, message))
                coming = {peer: tasks.create_task(self._receive(peer, size)) for peer, size in due.items()}
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        return {peer: task.result() for peer, task in coming.items()}

    async def _send(self, peer: PartyId, message: memoryview) -> None:
        for first in range(0, len(message), MESSAGE_BYTES):
            await self._party.send(peer, Sealed(bytes(message[first : first + MESSAGE_BYTES])))

    async def _receive(self, peer: PartyId, size: int) -> memoryview:
        found = bytearray()
        for first in range(0, size, MESSAGE_BYTES):
            try:
                async with asyncio.timeout(self._within):
                    data = (await self._party.receive(Sealed, sender=peer)).message.data
            except TimeoutError:
                within = f"timeout_seconds = {self._within:g}"
                raise PeerTimeout(f"no message within {within}", [peer]) from None
            part = min(MESSAGE_BYTES, size - first)
            if len(data) != part:
                raise ProtocolError(f"a message of {len(data)} bytes where {part} were due", [peer])
            found += data
        return memoryview(found)


@dataclass(frozen=True)
class _End(Generic[T]):
    """What a protocol has come to."""

    result: T


def _room(outgoing: dict[PartyId, memoryview], to: PartyId, size_bytes: int) -> memoryview:
    outgoing[to] = memoryview(bytearray(size_bytes))
    return outgoing[to]


@torch.inference_mode()
def _advance(turns: _Turns[T], arrived: Mapping[PartyId, memoryview] | None) -> _Sizes | _End[T]:
    """Compute to the next exchange. A future cannot hold the end's own `StopIteration`."""
    try:
        return turns.send(arrived)  # type: ignore[arg-type]
    except StopIteration as end:
        return _End(end.value)
