"""Messages on their way out, so that a slow receiver holds up nobody but itself."""

import asyncio
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
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self.given_up = False

    def put(self, message: Message) -> None:
        """Have a message sent; returns at once."""
        if not self.given_up:
            self._queue.put_nowait(message)

    async def run(self) -> None:
        """Send what is put, until cancelled, or until the peer has left or is given up."""
        with suppress(PeerLeft, TimeoutError):  # whoever awaits an answer finds out
            while True:
                message = await self._queue.get()
                async with asyncio.timeout(self._within):
                    await self._party.send(self._peer, message)
                self._queue.task_done()
        self.given_up = True
        while not self._queue.empty():
            self._queue.get_nowait()
            self._queue.task_done()
        self._queue.task_done()  # the one that could not be sent

    async def flushed(self) -> None:
        """Wait until everything has been sent, or the peer was given up."""
        await self._queue.join()
