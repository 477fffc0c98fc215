"""A vector of four-byte entries on its way between two parties, piece by piece."""

from collections.abc import Callable
from typing import Final, TypeVar

from mdl.errors import ProtocolError
from mdl.party import Message, Party, PartyId
from mdl.protocols.rows import parts

ENTRY_BYTES: Final = 4


class Piece(Message, frozen=True):
    """Base of messages that carry a part of a vector: its entries from `first` on."""

    epoch: int
    first: int
    values: bytes


K = TypeVar("K", bound=Piece)
S = TypeVar("S", bound=Message)


async def send_whole(
    party: Party, to: PartyId, kind: Callable[[int, int, bytes], Piece], epoch: int, data: bytes
) -> None:
    """Send a vector in pieces that fit a message.

    Raises:
        PeerLeft: the link is gone.
    """
    for part in parts(len(data) // ENTRY_BYTES, ENTRY_BYTES):
        values = data[part.start * ENTRY_BYTES : part.stop * ENTRY_BYTES]
        await party.send(to, kind(epoch, part.start, values))


async def receive_whole(
    party: Party, kind: type[K], *stops: type[S], sender: PartyId, epoch: int, entries: int
) -> bytes | S:
    """Put a vector together; or give the message of another kind in `stops` that comes instead.

    Messages of earlier epochs are late, and dropped.

    Raises:
        PeerLeft: the sender left before it was complete.
        ProtocolError: a piece does not fit.
    """
    whole = bytearray()
    while len(whole) < entries * ENTRY_BYTES:
        message = (await party.receive(kind, *stops, sender=sender)).message
        if getattr(message, "epoch", epoch) < epoch:
            continue
        if not isinstance(message, kind):
            assert isinstance(message, stops)
            return message
        if message.epoch != epoch:
            raise _misplaced(sender)
        _append(whole, message, entries, sender)
    return bytes(whole)


async def receive_latest(
    party: Party, kind: type[K], *stops: type[S], sender: PartyId, entries: int
) -> tuple[int, bytes] | S:
    """Put together the vector of whichever epoch the sender begins; give the epoch too.

    A later epoch's first piece begins it anew: whoever is cancelled between two pieces breaks off a vector.
    A message of another kind in `stops` is given instead.

    Raises:
        PeerLeft: the sender left before it was complete.
        ProtocolError: a piece does not fit.
    """
    epoch, whole = 0, bytearray()
    while True:
        message = (await party.receive(kind, *stops, sender=sender)).message
        if not isinstance(message, kind):
            assert isinstance(message, stops)
            return message
        if message.epoch > epoch:
            epoch, whole = message.epoch, bytearray()
        if message.epoch != epoch:
            raise _misplaced(sender)
        _append(whole, message, entries, sender)
        if len(whole) == entries * ENTRY_BYTES:
            return epoch, bytes(whole)


def _append(whole: bytearray, piece: Piece, entries: int, sender: PartyId) -> None:
    """Put a piece behind what is there of a vector of so many entries.

    Raises:
        ProtocolError: it belongs elsewhere.
    """
    fits = 0 < len(piece.values) <= entries * ENTRY_BYTES - len(whole)
    if piece.first * ENTRY_BYTES != len(whole) or not fits:
        raise _misplaced(sender)
    whole += piece.values


def _misplaced(sender: PartyId) -> ProtocolError:
    return ProtocolError("a piece of a vector in the wrong place", [sender])
