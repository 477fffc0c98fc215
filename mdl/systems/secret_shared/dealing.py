"""How members of a group hand each other shares of their updates (ParaShare)."""

import asyncio
from collections.abc import Mapping

from mdl.party import Party, PartyId
from mdl.protocols.gathering import each
from mdl.protocols.pieces import receive_whole, send_whole
from mdl.systems.secret_shared.messages import Basis, Share


class Dealing:
    """One member's side, over all epochs.

    Args:
        party: the member.
    """

    def __init__(self, party: Party) -> None:
        self._party = party
        # Of peers that take no part in an epoch, and have begun the next one.
        self._ahead: dict[PartyId, Basis] = {}

    async def exchange(
        self, basis: Basis, shares: Mapping[PartyId, bytes], entries: int, within: float
    ) -> dict[PartyId, bytes]:
        """Send shares and take others', at once.

        Args:
            basis: the model that the update is of.
            shares: of the update, by member, this one among them.
            entries: of a share.
            within: seconds for it all.

        Returns:
            Those that came in time, by dealer, and one's own; none of an update of another model than one's
            own, as a server that hands out different ones could read one update from a sum.
        """
        own = self._party.id
        others = [member for member in shares if member != own]
        _, received = await asyncio.gather(
            each({peer: self._hand(peer, basis, shares[peer]) for peer in others}, within=within),
            each({peer: self._take(peer, basis, entries) for peer in others}, within=within),
        )
        held = {peer: share for peer, share in received.items() if share is not None}
        return {own: shares[own], **held}

    async def _hand(self, peer: PartyId, basis: Basis, share: bytes) -> None:
        await self._party.send(peer, basis)
        await send_whole(self._party, peer, Share, basis.epoch, share)

    async def _take(self, peer: PartyId, basis: Basis, entries: int) -> bytes | None:
        """Take a peer's share; None if it deals none in this epoch, or one of an update of another model."""
        theirs = self._ahead.pop(peer, None)
        while theirs is None or theirs.epoch < basis.epoch:  # of an epoch that was given up
            theirs = (await self._party.receive(Basis, sender=peer)).message
        if theirs.epoch > basis.epoch:
            self._ahead[peer] = theirs
            return None
        share = await receive_whole(self._party, Share, sender=peer, epoch=basis.epoch, entries=entries)
        assert isinstance(share, bytes)  # it waits for no other kind
        return share if theirs == basis else None
