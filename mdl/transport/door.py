"""Where others call a party: its sockets, and the handshakes of callers."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from mdl.errors import TransportError, party_name
from mdl.ledger import Ledger
from mdl.party import PartyId
from mdl.transport.handshake import Conversation, Hello, Terms, answer
from mdl.transport.link_tasks import LinkTasks
from mdl.transport.links import Link, serve, shake_hands
from mdl.transport.peers import Peers

logger = logging.getLogger(__name__)

_REFUSALS_KEPT: Final = 32


class Door:
    """Listens, and sees each caller through the handshake.

    Args:
        id: of the party.
        ledger: where handshakes are counted.
        peers: asked whether a caller may come in, and given those that may.
        beside: what party 0 is called.

    Attributes:
        refusals: the latest failed handshakes of callers; who they were is not proved.
    """

    def __init__(self, id: PartyId, ledger: Ledger, peers: Peers, beside: str = "manager") -> None:
        self.refusals: deque[TransportError] = deque(maxlen=_REFUSALS_KEPT)
        self._id, self._ledger, self._peers, self._beside = id, ledger, peers, beside
        self._servers: dict[Path, asyncio.AbstractServer] = {}
        self._handshakes = LinkTasks()

    async def open(
        self, path: Path, *, secrets: Mapping[PartyId, bytes], terms: Terms, timeout_seconds: float
    ) -> None:
        """Let the parties in `secrets` call at the socket `path`, whose directory has mode 0700.

        Raises:
            TransportError: it does not have.
        """

        def on_link(link: Link) -> None:
            if self._peers.closed:
                link.abort()
                return
            conversation = answer(
                self._id,
                secrets=secrets,
                terms=terms,
                admit=partial(self._peers.admit, link),
                beside=self._beside,
            )
            self._handshakes.start(link, self._welcome(link, conversation, timeout_seconds))

        self._servers[path] = await serve(path, on_link)

    async def _welcome(self, link: Link, conversation: Conversation[Hello], timeout_seconds: float) -> None:
        """See a caller through the handshake."""
        try:
            hello = await shake_hands(link, conversation, self._ledger, timeout_seconds)
            await self._peers.take_in(link, hello)
        except TransportError as error:
            self.refusals.append(error)
            logger.warning("%s refused a caller: %s", party_name(self._id, self._beside), error)
        finally:
            await self._peers.give_up(link)

    def shut(self) -> None:
        """Listen no more."""
        for server in self._servers.values():
            server.close()

    async def stop(self) -> None:
        """Break off the handshakes that go on."""
        await self._handshakes.stop()

    async def clear(self) -> None:
        """Remove the sockets, which are shut."""
        for path, server in self._servers.items():
            await server.wait_closed()
            path.unlink(missing_ok=True)
