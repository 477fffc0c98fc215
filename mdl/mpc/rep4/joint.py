"""What two of four parties know, shared: one message, and a witness to it.

A number that sender and witness both know becomes two components: a mask, drawn from the key that the
receiver lacks, and what remains of the number without it, which the receiver is sent and the fourth party
lacks.

Parties 0 and 1 are one side, 2 and 3 the other one. A side knows a = x_p + x_q, with p and q the parties
across, and both a's components; of the other side's part b each of its members knows one component, which is
its partner's. So x = a + b, and much that is hard for four is easy for two numbers that a side each knows
[DEK21, section 4]. Their components are mixed in four ways, and each mixture is known to one party of each
side.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import cycle
from typing import Final, TypeAlias

import torch
from torch import Tensor

from mdl.mpc.keystream import Keystream
from mdl.mpc.ring import RING_64, Ring
from mdl.mpc.rounds import Wanted
from mdl.mpc.transcripts import Transcripts
from mdl.party import PartyId

Parts: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""What a party holds of a secret: the components of the two parties across, and its partner's."""


@dataclass(frozen=True)
class Group:
    """How components make a secret.

    Attributes:
        plus: puts two together.
        minus: takes a mask off.
    """

    plus: Callable[[Tensor, Tensor], Tensor]
    minus: Callable[[Tensor, Tensor], Tensor]


HOLDERS: Final = 4

SUM: Final = Group(torch.add, torch.sub)
XOR: Final = Group(torch.bitwise_xor, torch.bitwise_xor)


@dataclass(frozen=True)
class Route:
    """Who does what with a number that two parties know.

    Attributes:
        sender: knows the number, and sends what the mask leaves of it.
        witness: knows the number too, and tells the receiver the hash of what must be sent.
        receiver: of the message; it lacks the mask, which becomes the component of its number.
        other: has the mask, and lacks the message, which becomes the component of its number.
    """

    sender: PartyId
    witness: PartyId
    receiver: PartyId
    other: PartyId


_TOLD: Final = ((Route(0, 1, 2, 3), Route(2, 3, 0, 1)), (Route(1, 0, 3, 2), Route(3, 2, 1, 0)))
"""For what both sides tell each other; in turns, so that all parties send alike."""

_MIXED: Final = (Route(3, 1, 0, 2), Route(0, 3, 2, 1), Route(2, 0, 1, 3), Route(1, 2, 3, 0))
"""For what one party of each side knows; each party sends, receives and is witness once."""


def partner(party: PartyId) -> PartyId:
    """Give the other party of a side."""
    return party ^ 1


def across(party: PartyId) -> tuple[PartyId, PartyId]:
    """Give the parties of the other side."""
    return (2, 3) if party < 2 else (0, 1)


def held(party: PartyId) -> tuple[PartyId, PartyId, PartyId]:
    """Give the numbers of the components that a party holds, in the order of its parts."""
    return *across(party), partner(party)


class Joint:
    """One party's side of sharing what two know.

    Args:
        party: which party this is.
        keys: by component, those of the three that it holds.
        ring: of the secrets.

    Attributes:
        party: which party this is.
        ring: of the secrets.
        streams: by component, what its holders draw in common.
        transcripts: of all that was sent.
    """

    def __init__(self, party: PartyId, keys: Mapping[PartyId, bytes], ring: Ring = RING_64) -> None:
        assert sorted(keys) == sorted(held(party))
        self.party, self.ring = party, ring
        self.streams = {component: Keystream(keys[component]) for component in held(party)}
        self.transcripts = Transcripts(party, HOLDERS, self.streams)
        self._turns = cycle(_TOLD)

    @property
    def side(self) -> int:
        """Give the number of this party's side."""
        return self.party // 2

    async def told(self, *values: Tensor, group: Group = SUM) -> list[Parts]:
        """Share numbers that the sides know: one round.

        Args:
            values: what this party's side knows; the other side gives as many, of the same shapes and types.
            group: how components make them.

        Returns:
            For each value the shares of what both sides gave, added up: first the components of the own
            side's number, then one of the other side's.
        """
        routes = [(route, value) for value in values for route in next(self._turns)]
        found = await self._shared(routes, group)
        return [self._summed(found[index : index + 2], group) for index in range(0, len(found), 2)]

    async def mixed(self, first: Tensor, second: Tensor, group: Group = SUM) -> Parts:
        """Share the sum of four numbers, each of which one party of each side knows: one round.

        Args:
            first: what this party knows with the first one across.
            second: what it knows with the second one across.
            group: how components make them.
        """
        routes = [(route, second if self._knows(route, across(self.party)[1]) else first) for route in _MIXED]
        return self._summed(await self._shared(routes, group), group)

    def _knows(self, route: Route, opposite: PartyId) -> bool:
        """Tell whether it is these two who know what takes a route."""
        return {route.sender, route.witness} == {self.party, opposite}

    async def _shared(
        self, routes: Sequence[tuple[Route, Tensor]], group: Group
    ) -> list[dict[PartyId, Tensor]]:
        """Give the components that this party gets, by number.

        Args:
            routes: with the number that takes each; for who does not know it, any of its shape and type.
            group: how components make it.
        """
        sends: list[tuple[PartyId, Tensor]] = []
        wants: list[Wanted] = []
        found: list[dict[PartyId, Tensor]] = []
        for route, value in routes:
            shares: dict[PartyId, Tensor] = {}
            if self.party == route.receiver:
                wants.append(Wanted(route.sender, value.shape, value.dtype))
            else:
                shares[route.receiver] = self.streams[route.receiver].draw(value.shape, value.dtype)
            if self.party in (route.sender, route.witness):
                shares[route.other] = group.minus(value, shares[route.receiver])
            if self.party == route.sender:
                sends.append((route.receiver, shares[route.other]))
            found.append(shares)
        received = iter(await self.transcripts.exchange(sends, wants))
        for (route, _), shares in zip(routes, found, strict=True):
            if self.party == route.receiver:
                shares[route.other] = next(received)
            if self.party in (route.witness, route.receiver):
                self.transcripts.enter(route.witness, route.receiver, shares[route.other])
        return found

    def _summed(self, shares: Sequence[Mapping[PartyId, Tensor]], group: Group) -> Parts:
        """Add up what was shared by several routes."""
        first, second, third = (
            reduce(group.plus, [each[component] for each in shares if component in each])
            for component in held(self.party)
        )
        return first, second, third
