"""Messages to the bodies of frames and back: MessagePack, with the class's name as the tag."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

import msgspec

from mdl.errors import MalformedMessage
from mdl.party import Message


class Codec:
    """Encodes any message; decodes only the kinds that one party may receive.

    Args:
        receivable: those kinds (`System.receives`); may be empty.
    """

    def __init__(self, receivable: Sequence[type[Message]]) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = _decoder(receivable)

    def encode(self, message: Message) -> bytes:
        """Write a message as the body of a frame."""
        return self._encoder.encode(message)

    def decode(self, body: bytes) -> Message:
        """Read a message from the body of a frame.

        Raises:
            MalformedMessage: it is none, or of a kind that this party may not receive.
        """
        if self._decoder is None:
            raise MalformedMessage("a message to a party that may receive none")
        try:
            return self._decoder.decode(body)
        # Besides its own errors msgspec lets some of Python's through (bad UTF-8, unhashable keys, deep
        # nesting), and which ones depends on the messages' fields. Whatever it is, the peer's bytes are the
        # cause.
        except Exception as error:
            raise MalformedMessage(f"no message that may be received here: {error}") from error


def _decoder(receivable: Sequence[type[Message]]) -> msgspec.msgpack.Decoder[Message] | None:
    if not receivable:
        return None
    kinds: Any = reduce(or_, receivable)
    return msgspec.msgpack.Decoder(kinds)


def kind_of(message: Message) -> str:
    """Name a message's kind, as on the wire and in the ledger."""
    return type(message).__name__
