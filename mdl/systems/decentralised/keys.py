"""How a neighbourhood makes its key, and shares its members' secrets for the case that one is lost."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from mdl.errors import InvalidShare
from mdl.party import PartyId
from mdl.schemes.bfv import CollectiveKey, Elements, MultipartyBfv, SealedShares, Secret, total
from mdl.system import Randomness
from mdl.systems.decentralised import messages as say
from mdl.systems.decentralised.neighbourhoods import Neighbourhood
from mdl.systems.decentralised.neighbours import Neighbours


@dataclass(frozen=True)
class Keys:
    """What a member has of its neighbourhood's keys.

    Attributes:
        secret: its part of the secret key. It is drawn for this neighbourhood alone, so that an answer in one
            says nothing in another.
        collective: the key to encrypt under.
        shares: its share of each other member's secret, by member; none if no loss is to be survived.
    """

    secret: Secret
    collective: CollectiveKey
    shares: Mapping[PartyId, bytes] = field(default_factory=dict, repr=False)


class KeyMaking:
    """A member's part in making the keys of a neighbourhood. Nobody may be lost meanwhile.

    Args:
        neighbours: of the member.
        neighbourhood: whose keys.
        scheme: for so many members.
        run: the run's identity.
        sharing: how secrets are shared; None if they are not.
        rng: where keys come from.
    """

    def __init__(
        self,
        neighbours: Neighbours,
        neighbourhood: Neighbourhood,
        scheme: MultipartyBfv,
        *,
        run: bytes,
        sharing: SealedShares | None,
        rng: Randomness,
    ) -> None:
        self._neighbours, self._party = neighbours, neighbours.party
        self._neighbourhood, self._scheme = neighbourhood, scheme
        self._sharing, self._rng = sharing, rng
        self._common = scheme.common(run + neighbourhood.node.to_bytes(4, "big"))

    async def join(self) -> Keys:
        """Take part as a neighbour.

        Raises:
            InvalidShare: an announcement or a sealed share is not what it should be.
            PeerLeft: the node is gone.
            PeerTimeout: it is silent.
        """
        node, scheme = self._neighbourhood.node, self._scheme
        secret, public = await self._drawn()
        shares: Mapping[PartyId, bytes] = {}
        if self._sharing is not None:
            shares = await self._swap_through(node, self._sharing, secret)
        await self._neighbours.send(node, say.PublicShare, 0, public.tobytes())
        data = await self._neighbours.receive(node, say.CollectiveKey, 0, scheme.half_bytes)
        key = await self._party.to_process(scheme.collective, [_one(data, scheme)], self._common)
        return Keys(secret, key, shares)

    async def lead(self) -> Keys:
        """Take part as the node.

        Raises:
            InvalidShare: an announcement or a sealed share is not what it should be.
            PeerLeft: a neighbour is gone.
            PeerTimeout: it is silent.
        """
        secret, public = await self._drawn()
        shares: Mapping[PartyId, bytes] = {}
        if self._sharing is not None:
            shares = await self._hand_around(self._sharing, secret)
        half_bytes = self._scheme.half_bytes
        receive = self._neighbours.receive
        received = [
            _one(await receive(neighbour, say.PublicShare, 0, half_bytes, due=True), self._scheme)
            for neighbour in self._neighbourhood.neighbours
        ]
        key = await self._party.to_process(self._scheme.collective, [public, *received], self._common)
        collective = total([public, *received]).tobytes()
        async with asyncio.TaskGroup() as tasks:
            for neighbour in self._neighbourhood.neighbours:
                tasks.create_task(self._neighbours.send(neighbour, say.CollectiveKey, 0, collective))
        return Keys(secret, key, shares)

    async def _drawn(self) -> tuple[Secret, Elements]:
        """Draw one's secret; give it and one's part of the key."""
        secret = await self._party.to_process(self._scheme.draw, rng=self._rng)
        share = self._scheme.public_share
        return secret, await self._party.to_process(share, secret, self._common, rng=self._rng)

    # -------------------------------------------------------------------------------------- shares

    async def _swap_through(
        self, node: PartyId, sharing: SealedShares, secret: Secret
    ) -> Mapping[PartyId, bytes]:
        """Deal shares of one's secret, and take those of the others', through the node."""
        await self._neighbours.tell(node, say.Announcement(sharing.announcement))
        announced = await self._neighbours.hear(node, say.Announcements)
        await self._party.to_process(sharing.agree, dict(announced.signed))
        dealt = await self._party.to_process(sharing.deal, secret)
        await self._neighbours.tell(node, say.SharesDealt(tuple(sorted(dealt.items()))))
        held = await self._neighbours.hear(node, say.SharesHeld)
        return await self._party.to_process(sharing.open, dict(held.sealed))

    async def _hand_around(self, sharing: SealedShares, secret: Secret) -> Mapping[PartyId, bytes]:
        """Hand announcements and sealed shares on, one's own among them; give what is for oneself.

        All shares are here before the first is handed on: who has its own knows that all were dealt.
        """
        own, others = self._neighbourhood.node, self._neighbourhood.neighbours
        hear = partial(self._neighbours.hear, due=True)
        signed = {other: (await hear(other, say.Announcement)).signed for other in others}
        signed[own] = sharing.announcement
        for other in others:
            await self._neighbours.tell(other, say.Announcements(tuple(sorted(signed.items()))))
        await self._party.to_process(sharing.agree, signed)
        dealt = {own: await self._party.to_process(sharing.deal, secret)}
        for other in others:
            dealt[other] = dict((await hear(other, say.SharesDealt)).sealed)
            if missing := set(self._neighbourhood.members) - {other} - dealt[other].keys():
                raise InvalidShare(f"no share of its secret for {sorted(missing)}", [other])
        for other in others:
            held = tuple((dealer, dealt[dealer][other]) for dealer in sorted(dealt) if dealer != other)
            await self._neighbours.tell(other, say.SharesHeld(held))
        return await self._party.to_process(sharing.open, {dealer: dealt[dealer][own] for dealer in others})


def _one(data: bytes, scheme: MultipartyBfv) -> Elements:
    found = Elements.read(data, scheme.degree)
    return Elements(found.low[0], found.high[0])
