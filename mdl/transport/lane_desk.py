"""Where a party's lanes are opened: one end calls, the other waits to be called."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeAlias

from mdl.errors import PeerLeft, PeerTimeout
from mdl.ledger import Ledger
from mdl.party import PartyId
from mdl.transport.lanes import Lane, StreamLanes
from mdl.transport.work import OwnThread

LaneCall: TypeAlias = Callable[[], Awaitable[Lane]]
"""Calls a peer for a lane."""


class LaneDesk:
    """Opens lanes to the peers that are linked, and ends them with their links.

    Whoever called for the link calls for its lane too. One that comes before it is asked for is kept.

    Args:
        thread: the party's, which uses the lanes.
        ledger: where their messages, bytes and seconds are counted.
    """

    def __init__(self, thread: OwnThread, ledger: Ledger) -> None:
        self._thread, self._ledger = thread, ledger
        self._linked: dict[PartyId, LaneCall | None] = {}
        self._kept: dict[PartyId, Lane] = {}
        self._opened: list[StreamLanes] = []
        self._change = asyncio.Event()

    def link(self, peer: PartyId, call: LaneCall | None) -> None:
        """Note that a peer is linked, and how to call it; None if it calls."""
        self._linked[peer] = call

    def unlink(self, peer: PartyId) -> None:
        """End the lanes with a peer whose link is gone."""
        del self._linked[peer]
        if kept := self._kept.pop(peer, None):
            kept.close()
        for lanes in self._opened:
            lanes.cut(peer)
        self._change.set()

    def refusal(self, peer: PartyId) -> str:
        """Say why a peer that calls for a lane may have none, or nothing."""
        if peer not in self._linked:
            return "a lane needs a link beside it"
        return "your earlier lane waits to be used" if peer in self._kept else ""

    def keep(self, lane: Lane) -> None:
        """Take in a lane that a peer has called for."""
        if self.refusal(lane.peer):
            lane.close()
            return
        self._kept[lane.peer] = lane
        self._change.set()

    async def open(self, peers: Collection[PartyId], kind: str, within: float) -> StreamLanes:
        """Open a lane to each of these peers; see `mdl.party.Party.lanes`."""
        found: dict[PartyId, Lane] = {}
        try:
            async with asyncio.timeout(within):
                for peer in sorted(peers):
                    found[peer] = await self._lane(peer)
        except BaseException as error:
            for lane in found.values():
                lane.close()
            if isinstance(error, TimeoutError):
                missing = sorted(set(peers) - found.keys())
                raise PeerTimeout(f"no lane within {within:g} s", missing) from None
            raise
        opened = StreamLanes(found.values(), kind, self._thread, self._ledger)
        self._opened.append(opened)
        return opened

    async def _lane(self, peer: PartyId) -> Lane:
        while peer in self._linked:
            if call := self._linked[peer]:
                return await call()
            if kept := self._kept.pop(peer, None):
                return kept
            self._change.clear()
            await self._change.wait()
        raise PeerLeft("no link to open a lane beside", [peer])

    def close(self) -> None:
        """Give all sockets back. Nothing may be running in the thread any more."""
        for lanes in self._opened:
            lanes.close()
