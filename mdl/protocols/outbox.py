"""Messages on their way out, so that a slow receiver holds up nobody but itself."""

import asyncio
from collections import deque
from contextlib import suppress

from mdl.errors import PeerLeft
from mdl.party import Message, Party, PartyId


class Outbox:
    """Sends one peer its messages in the order in which they were put, while the sender goes on.

    A peer that takes nothing for `within` seconds is given up: the rest is dropped, as if it had left.

    Args:
        party: who sends.
        peer: to whom.
        within: seconds.
    """

    def __init__(self, party: Party, peer: PartyId, *, within: float) -> None:
        self._party, self._peer, self._within = party, peer, within
        self._messages: deque[Message] = deque()
        self._some, self._none = asyncio.Event(), asyncio.Event()
        self._none.set()
        self.closed = False

    def put(self, message: Message) -> None:
        """Have a message sent; returns at once."""
        if not self.closed:
            self._messages.append(message)
            self._some.set()
            self._none.clear()

    async def run(self) -> None:
        """Send what is put, until cancelled or closed, or until the peer has left or is given up."""
        with suppress(PeerLeft, TimeoutError):  # whoever awaits an answer finds out
            while not self.closed:
                await self._some.wait()
                while self._messages:
                    async with asyncio.timeout(self._within):
                        await self._party.send(self._peer, self._messages.popleft())
                self._some.clear()
                self._none.set()
        self.close()

    def close(self) -> None:
        """Drop what has not been sent, and take nothing more."""
        self.closed = True
        self._messages.clear()
        self._some.set()
        self._none.set()

    async def flushed(self) -> None:
        """Wait until everything has been sent, or the outbox is closed."""
        await self._none.wait()
