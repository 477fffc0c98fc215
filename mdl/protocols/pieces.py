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
    party: Party,
    kind: type[K],
    *stops: type[S],
    sender: PartyId,
    epoch: int,
    entries: int,
    first: K | None = None,
) -> bytes | S:
    """Put a vector together; or give the message of another kind in `stops` that comes instead.

    Messages of earlier epochs are late, and dropped. Whoever has taken the first piece gives it as `first`.

    Raises:
        PeerLeft: the sender left before it was complete.
        ProtocolError: a piece does not fit.
    """
    whole = bytearray()
    while len(whole) < entries * ENTRY_BYTES:
        message = first or (await party.receive(kind, *stops, sender=sender)).message
        first = None
        if getattr(message, "epoch", epoch) < epoch:
            continue
        if not isinstance(message, kind):
            assert isinstance(message, stops)
            return message
        fits = 0 < len(message.values) <= entries * ENTRY_BYTES - len(whole)
        if message.epoch != epoch or message.first * ENTRY_BYTES != len(whole) or not fits:
            raise ProtocolError("a piece of a vector in the wrong place", [sender])
        whole += message.values
    return bytes(whole)
