"""Exchanges over a party's links: each round one message to each other party, sealed by a key of the pair.

What is sent has no header: both ends know what comes. Messages of a direction are numbered, and the number is
the nonce of AES-256-GCM, so one that is changed, left out, repeated or put in another's place does not open.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import torch
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from torch import Tensor

from mdl.errors import CheatingDetected, InvalidShare, PeerTimeout, ProtocolError
from mdl.mpc.messages import Sealed
from mdl.mpc.rounds import Exchange, Protocol, Received, Wanted
from mdl.party import Party, PartyId

PIECE_BYTES: Final = 8 << 20
"""A message's longest part; longer ones are sent in several."""

_TAG_BYTES: Final = 16

T = TypeVar("T")


class Seal:
    """One party's side of a pair's secrecy.

    Args:
        secret: the pair's, 32 bytes, of this start of the run alone.
        own: this party.
        peer: the other one.
    """

    def __init__(self, secret: bytes, own: PartyId, peer: PartyId) -> None:
        self._peer = peer
        self._out, self._in = _Direction(secret, own, peer), _Direction(secret, peer, own)

    def seal(self, data: bytes) -> bytes:
        """Encrypt the next message to the peer."""
        return self._out.cipher.encrypt(self._out.nonce(), data, None)

    def open(self, data: bytes) -> bytes:
        """Decrypt the next message from the peer.

        Raises:
            InvalidShare: it is not that.
        """
        try:
            return self._in.cipher.decrypt(self._in.nonce(), data, None)
        except InvalidTag:
            raise InvalidShare(
                "a message that the party did not seal, or not as the next one", [self._peer]
            ) from None


class _Direction:
    def __init__(self, secret: bytes, sender: PartyId, receiver: PartyId) -> None:
        info = b"mdl: shares from %d to %d" % (sender, receiver)
        self.cipher = AESGCM(HKDFExpand(SHA256(), 32, info).derive(secret))
        self._count = 0

    def nonce(self) -> bytes:
        self._count += 1
        return self._count.to_bytes(12, "big")


@dataclass(frozen=True)
class _Turn(Generic[T]):
    """Where a protocol has come to: an exchange and its messages, or its end.

    Attributes:
        exchange: None if it has ended.
        outgoing: by receiver, sealed.
        result: if it has ended.
    """

    exchange: Exchange | None
    outgoing: Mapping[PartyId, Sequence[bytes]] = field(default_factory=dict)
    result: T | None = None


class Links:
    """Carries out a party's exchanges.

    Args:
        party: over whose links.
        numbers: which party of the run is which of the protocol, counted from 0.
        seals: by party of the run.
        within: seconds to wait for a message.
    """

    def __init__(
        self, party: Party, numbers: Sequence[PartyId], seals: Mapping[PartyId, Seal], within: float
    ) -> None:
        self._party, self._numbers, self._seals, self._within = party, numbers, seals, within

    async def drive(self, protocol: Protocol[T]) -> T:
        """Run a protocol to its end. What it computes, it computes in the party's thread.

        Raises:
            PeerLeft: another party has left.
            PeerTimeout: one is there, and silent.
            CheatingDetected: a check of the protocol has failed; culprits are parties of the run.
            InvalidShare: what came is not what was sent.
            ProtocolError: it is not of the size that was due.
        """
        before: Exchange | None = None
        arrived: dict[PartyId, list[bytes]] = {}
        try:
            while True:
                turn = await self._party.to_thread("cryptography", self._advance, protocol, before, arrived)
                if turn.exchange is None:
                    return turn.result  # type: ignore[return-value]
                before, arrived = turn.exchange, await self._swap(turn)
        finally:
            protocol.close()

    def _advance(
        self, protocol: Protocol[T], before: Exchange | None, arrived: Mapping[PartyId, Sequence[bytes]]
    ) -> _Turn[T]:
        received = None if before is None else self._unpacked(before, arrived)
        try:
            exchange = protocol.send(received)  # type: ignore[arg-type]
        except StopIteration as end:
            return _Turn(None, result=end.value)
        except CheatingDetected as found:
            raise CheatingDetected(found.what, [self._numbers[each] for each in found.culprits]) from None
        return _Turn(exchange, self._packed(exchange))

    def _packed(self, exchange: Exchange) -> dict[PartyId, list[bytes]]:
        joined: dict[PartyId, list[memoryview]] = {}
        for number, tensor in exchange.sends:
            joined.setdefault(self._numbers[number], []).append(_bytes_of(tensor))
        return {
            peer: [self._seals[peer].seal(piece) for piece in _pieces(b"".join(parts))]
            for peer, parts in joined.items()
        }

    def _unpacked(self, exchange: Exchange, arrived: Mapping[PartyId, Sequence[bytes]]) -> Received:
        opened = {}
        for peer, pieces in arrived.items():
            opened[peer] = bytearray(b"".join(self._seals[peer].open(piece) for piece in pieces))
        first = dict.fromkeys(opened, 0)
        found = []
        for want in exchange.wants:
            peer = self._numbers[want.sender]
            part = memoryview(opened[peer])[first[peer] : first[peer] + want.size_bytes]
            first[peer] += want.size_bytes
            found.append(torch.frombuffer(part, dtype=want.dtype).reshape(want.shape))
        return found

    async def _swap(self, turn: _Turn[T]) -> dict[PartyId, list[bytes]]:
        """Send and receive what a round asks for, at once."""
        assert turn.exchange is not None
        due = self._due(turn.exchange.wants)
        try:
            async with asyncio.TaskGroup() as tasks:
                for peer, pieces in turn.outgoing.items():
                    tasks.create_task(self._send(peer, pieces))
                coming = {peer: tasks.create_task(self._receive(peer, sizes)) for peer, sizes in due.items()}
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        return {peer: task.result() for peer, task in coming.items()}

    def _due(self, wants: Sequence[Wanted]) -> dict[PartyId, list[int]]:
        """Give the sizes of the messages that must come, by sender."""
        totals: dict[PartyId, int] = {}
        for want in wants:
            peer = self._numbers[want.sender]
            totals[peer] = totals.get(peer, 0) + want.size_bytes
        return {
            peer: [
                min(PIECE_BYTES, total - start) + _TAG_BYTES for start in range(0, max(1, total), PIECE_BYTES)
            ]
            for peer, total in totals.items()
        }

    async def _send(self, peer: PartyId, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            await self._party.send(peer, Sealed(piece))

    async def _receive(self, peer: PartyId, sizes: Sequence[int]) -> list[bytes]:
        found = []
        for size in sizes:
            try:
                async with asyncio.timeout(self._within):
                    data = (await self._party.receive(Sealed, sender=peer)).message.data
            except TimeoutError:
                within = f"timeout_seconds = {self._within:g}"
                raise PeerTimeout(f"no message within {within}", [peer]) from None
            if len(data) != size:
                raise ProtocolError(f"a message of {len(data)} bytes where {size} were due", [peer])
            found.append(data)
        return found


def _bytes_of(tensor: Tensor) -> memoryview:
    return memoryview(tensor.contiguous().reshape(-1).numpy()).cast("B")  # type: ignore[arg-type]


def _pieces(data: bytes) -> Iterator[bytes]:
    if len(data) <= PIECE_BYTES:
        yield data
        return
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]
