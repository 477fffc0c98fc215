"""Who is linked with a party, is about to be, or has ever been."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, Final, TypeAlias

from mdl.errors import HandshakeRefused, party_name
from mdl.party import PartyId
from mdl.transport.handshake import LINKED_ALREADY, Hello
from mdl.transport.lane_desk import LaneCall, LaneDesk
from mdl.transport.lanes import Lane
from mdl.transport.link_tasks import LinkTasks
from mdl.transport.links import Link
from mdl.transport.mailbox import Mailbox

Read: TypeAlias = Callable[[PartyId, Link], Coroutine[Any, Any, None]]
"""Takes in what comes over a link until the link ends."""


class Peers:
    """A party's links, by peer: at most one each. `mdl.transport.door.Door` asks it about callers.

    Args:
        id: of the party.
        mailbox: told who joins and who leaves.
        desk: likewise; has a say in who may open a lane.
        read: run for each link.
        relink: whether a peer that had been linked and left may link again.
        beside: what party 0 is called.

    Attributes:
        links: those that stand.
        closed: whether the party has left; nobody is linked any more then.
    """

    def __init__(
        self,
        id: PartyId,
        mailbox: Mailbox,
        desk: LaneDesk,
        read: Read,
        *,
        relink: bool,
        beside: str = "manager",
    ) -> None:
        self.links: Final[dict[PartyId, Link]] = {}
        self.closed = False
        self._mailbox, self._desk, self._read, self._relink = mailbox, desk, read, relink
        self._name = party_name(id, beside)
        self._joining: dict[PartyId, Link] = {}
        self._ever_linked: set[PartyId] = set()
        self._arrival = asyncio.Event()
        self._readers = LinkTasks()

    def missing(self, peers: Collection[PartyId]) -> Sequence[PartyId]:
        """Give those that have never been linked."""
        return sorted(set(peers) - self._ever_linked)

    async def linked(self, peers: Collection[PartyId]) -> None:
        """Wait until each has been linked."""
        while self.missing(peers):
            self._arrival.clear()
            await self._arrival.wait()

    # ------------------------------------------------------------------------------------------------
    # callers

    def admit(self, link: Link, hello: Hello) -> str:
        """Keep a place for a caller that has proved that it said this, or say why not."""
        if hello.lane:
            return self._desk.refusal(hello.caller)
        return self._keep_place(link, hello.caller, again=hello.again)

    async def take_in(self, link: Link, hello: Hello) -> None:
        """Take in a caller whose handshake is done.

        Raises:
            HandshakeRefused: the party has left.
        """
        if hello.lane:
            self._desk.keep(Lane(hello.caller, *await link.detach()))
        else:
            self.attach(hello.caller, link, None)

    async def give_up(self, link: Link) -> None:
        """Give back the place that was kept for a link; close the link unless it was attached."""
        self._joining = {peer: kept for peer, kept in self._joining.items() if kept is not link}
        if link not in self.links.values():
            await link.close()

    # ------------------------------------------------------------------------------------------------
    # links

    def keep_place(self, link: Link, peer: PartyId) -> str:
        """Keep a place for a peer that is called, or say why not."""
        return self._keep_place(link, peer, again=peer in self._ever_linked)

    def _keep_place(self, link: Link, peer: PartyId, *, again: bool) -> str:
        """Keep a place for `peer`, or say why not.

        The place is held until the link is attached or given up, so of two callers at once one is refused.
        """
        if self.closed:
            return f"{self._name} has left"
        if peer in self.links or peer in self._joining:
            return LINKED_ALREADY
        if peer in self._ever_linked and not self._relink:
            return "this run goes on without whoever has left it"
        if peer in self._ever_linked and not again:
            # Begun anew it would make again what it has made before, and forget what it was told.
            return "you were in this run before: come back with what you kept of it (mdl node --rejoin)"
        self._joining[peer] = link
        return ""

    def attach(self, peer: PartyId, link: Link, call_for_lane: LaneCall | None) -> None:
        """Let a link stand, and read it.

        Raises:
            HandshakeRefused: the party has left.
        """
        if self.closed:
            raise HandshakeRefused(f"{self._name} has left")
        self.links[peer] = link
        self._mailbox.join(peer)
        self._desk.link(peer, call_for_lane)
        self._readers.start(link, self._read(peer, link))
        self._ever_linked.add(peer)
        self._arrival.set()

    def lose(self, peer: PartyId, link: Link) -> None:
        """Count a peer as left, if this is the link that it has."""
        if self.links.get(peer) is link:
            self._detach(peer)

    def leave(self) -> None:
        """Say on all links that nothing more will be sent, and count all peers as left."""
        self.closed = True
        for link in self.links.values():
            link.finish()
        for peer in sorted(self.links):
            self._detach(peer)

    async def close(self, linger_seconds: float) -> None:
        """Close all links, which were left, once they have been read to their ends or this time is over."""
        # A peer answers our end of the stream with its own once it has read all that came before.
        await self._readers.wait(linger_seconds)
        await self._readers.stop()

    def _detach(self, peer: PartyId) -> None:
        del self.links[peer]
        self._mailbox.leave(peer)
        self._desk.unlink(peer)
