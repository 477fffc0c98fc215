"""What the members of a neighbourhood say to each other in D-MHE. Its node is the one who opens the sum."""

from typing import Final, TypeAlias

from mdl.party import Message, PartyId
from mdl.protocols.pieces import Piece


class Announcement(Message, frozen=True):
    """Neighbour to node: its signed key to agree on secrets of pairs with."""

    signed: bytes


class Announcements(Message, frozen=True):
    """Node to neighbours: all members' announcements, by member."""

    signed: tuple[tuple[PartyId, bytes], ...]


class SharesDealt(Message, frozen=True):
    """Neighbour to node: shares of its secret, by the member that each is sealed to."""

    sealed: tuple[tuple[PartyId, bytes], ...]


class SharesHeld(Message, frozen=True):
    """Node to neighbour: the shares that are sealed to it, by dealer."""

    sealed: tuple[tuple[PartyId, bytes], ...]


class PublicShare(Piece, frozen=True):
    """Neighbour to node: b_j, its part of the key of the node's neighbourhood."""


class CollectiveKey(Piece, frozen=True):
    """Node to neighbours: b, the key of its neighbourhood, to encrypt under."""


class Weighted(Piece, frozen=True):
    """Neighbour to node: its weighted parameters, encrypted: c_0 and c_1; in the plain mode as they are."""


class Summed(Piece, frozen=True):
    """Node to neighbours: the c_1 of the sum over its neighbourhood."""


class Opening(Piece, frozen=True):
    """Neighbour to node: h_j, its share of the opening."""


class Lost(Message, frozen=True):
    """Node to neighbours: this member is gone; hand me your share of its secret."""

    member: PartyId


class Recovering(Message, frozen=True):
    """Neighbour to node: its share of a lost member's secret."""

    member: PartyId
    share: bytes


class GivenUp(Message, frozen=True):
    """Neighbour to neighbour: this other has lost you. Your part ends here."""

    by: PartyId


class Total(Piece, frozen=True):
    """Node of a group to all others: the sum, int32, and after it how many it is of."""


class Done(Message, frozen=True):
    """Neighbour to neighbour: I have had my last sum, and need no more shares."""


class Waiting(Message, frozen=True):
    """Neighbour to neighbour: I am here, and wait for another."""


Kinds: TypeAlias = tuple[type[Message], ...]

TO_NODE: Final[Kinds] = (PublicShare, Weighted, Opening)
"""What a node receives from its neighbours where sums are encrypted."""

TO_NEIGHBOURS: Final[Kinds] = (CollectiveKey, Summed)
"""What they receive from it."""

LOSSES_TO_NODE: Final[Kinds] = (Announcement, SharesDealt, Recovering, GivenUp, Done)
"""What a node receives besides where losses are survived."""

LOSSES_TO_NEIGHBOURS: Final[Kinds] = (Announcements, SharesHeld, Lost, GivenUp, Done)
"""What its neighbours receive besides."""
