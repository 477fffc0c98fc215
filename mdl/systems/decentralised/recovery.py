"""What a neighbourhood does about a member that is lost: τ of the others recover its secret.

The node then takes the lost member's part in every opening. No single value is opened by that: it takes all
members' secrets, and those of the others are where they were. If the lost member's ciphertext has come, it
stays in that epoch's sum, whose c_1 is opened once, as always.
"""

from contextlib import suppress

from mdl.errors import InvalidShare, PeerLeft, PeerTimeout, ProtocolError, party_name
from mdl.party import PartyId
from mdl.schemes.bfv import Secret, recover
from mdl.systems.decentralised.keys import Keys
from mdl.systems.decentralised.messages import GivenUp, Lost, Recovering
from mdl.systems.decentralised.neighbourhoods import Neighbourhood
from mdl.systems.decentralised.neighbours import Neighbours


class Recovery:
    """The node's side: it asks its neighbours for their shares.

    Args:
        neighbours: of the node.
        keys: its own of the neighbourhood, with its shares of the others' secrets.
        threshold: τ.
        degree: N.
    """

    def __init__(self, neighbours: Neighbours, keys: Keys, *, threshold: int, degree: int) -> None:
        self._neighbours, self._keys, self._threshold, self._degree = neighbours, keys, threshold, degree
        self._recovered: dict[PartyId, Secret] = {}

    async def secret(self, member: PartyId) -> Secret:
        """Give the secret of a lost member; the others are asked for their shares the first time.

        Raises:
            TooFewWorkers: fewer than τ remain, the node included.
            InvalidShare: one sent another's share, or what they sent makes no secret.
        """
        if member not in self._recovered:
            self._recovered[member] = await self._recover(member)
        return self._recovered[member]

    async def _recover(self, member: PartyId) -> Secret:
        party = self._neighbours.party
        self._neighbours.check_enough()
        shares = await self._neighbours.each(lambda neighbour: self._ask(neighbour, member))
        shares[party.id] = self._keys.shares[member]
        return await party.to_process(recover, shares, threshold=self._threshold, degree=self._degree)

    async def _ask(self, neighbour: PartyId, member: PartyId) -> bytes:
        await self._neighbours.tell(neighbour, Lost(member))
        answer = await self._neighbours.hear(neighbour, Recovering)
        if answer.member != member:
            raise InvalidShare(f"a share of another secret than that of {party_name(member)}", [neighbour])
        return answer.share


class Trustee:
    """A neighbour's side: it hands out its shares of lost members' secrets, each once, and not too many.

    The node's word has to do for a loss: a neighbour has no link with most others. It hands out shares of at
    most g - τ members' secrets. A node that says the same to all recovers so many secrets, lie or not; one
    that names other members to each neighbour recovers all only if 2τ <= g + 1.

    Args:
        neighbours: of the neighbour.
        neighbourhood: in which it is one.
        keys: its own of that neighbourhood.
        threshold: τ.
    """

    def __init__(
        self, neighbours: Neighbours, neighbourhood: Neighbourhood, keys: Keys, *, threshold: int
    ) -> None:
        self._neighbours, self._party, self._node = neighbours, neighbours.party, neighbourhood.node
        self._shares = dict(keys.shares)
        del self._shares[self._node]  # it does not lose itself
        self._left = len(neighbourhood.members) - threshold

    async def serve(self) -> None:
        """Answer until the node is gone.

        Raises:
            ProtocolError: it asks for what it may not have.
        """
        while True:
            try:
                asked = (await self._party.receive(Lost, sender=self._node)).message
                await self._party.send(self._node, Recovering(asked.member, self._taken(asked.member)))
            except PeerLeft:
                return
            await self._pass_on(asked.member)

    async def _pass_on(self, member: PartyId) -> None:
        """Let a neighbour that the node has lost, though it is there, know that its part ends.

        Else the node's sums would be without it for good, and others' with it: their difference is its model.
        Of two who lose each other the one with the higher id goes, so that they do not both.
        """
        if self._node < member and member in self._neighbours.present:
            with suppress(PeerLeft, PeerTimeout):
                await self._neighbours.tell(member, GivenUp(self._node))

    def _taken(self, member: PartyId) -> bytes:
        if member not in self._shares:
            raise ProtocolError(
                f"no share of the secret of {party_name(member)} is to be had here", [self._node]
            )
        if not self._left:
            raise ProtocolError("more members are said to be lost than may be", [self._node])
        self._left -= 1
        return self._shares.pop(member)
