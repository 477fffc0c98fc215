"""How members of a group hand each other shares of their updates (ParaShare)."""

import asyncio
from collections.abc import Mapping

from mdl.party import Party, PartyId
from mdl.protocols.gathering import each
from mdl.protocols.pieces import receive_whole, send_whole
from mdl.systems.secret_shared.messages import Basis, Share


async def exchange(
    party: Party, basis: Basis, shares: Mapping[PartyId, bytes], entries: int, within: float
) -> dict[PartyId, bytes]:
    """Send shares and take others', at once.

    Args:
        party: the member.
        basis: the model that its update is of.
        shares: of its update, by member, itself among them.
        entries: of a share.
        within: seconds for it all.

    Returns:
        Those that came in time, by dealer, and one's own; none of an update of another model than one's own,
        as a server that hands out different ones could read one update from a sum.
    """
    others = [member for member in shares if member != party.id]
    _, received = await asyncio.gather(
        each({peer: _hand(party, peer, basis, shares[peer]) for peer in others}, within=within),
        each({peer: _take(party, peer, basis, entries) for peer in others}, within=within),
    )
    held = {peer: share for peer, share in received.items() if share is not None}
    return {party.id: shares[party.id], **held}


async def _hand(party: Party, peer: PartyId, basis: Basis, share: bytes) -> None:
    await party.send(peer, basis)
    await send_whole(party, peer, Share, basis.epoch, share)


async def _take(party: Party, peer: PartyId, basis: Basis, entries: int) -> bytes | None:
    """Take a peer's share; None if it is one of an update of another model."""
    while True:
        theirs = (await party.receive(Basis, sender=peer)).message
        if theirs.epoch >= basis.epoch:  # else it is of an epoch that was given up
            break
    share = await receive_whole(party, Share, sender=peer, epoch=basis.epoch, entries=entries)
    assert isinstance(share, bytes)  # it waits for no other kind
    return share if theirs == basis else None
