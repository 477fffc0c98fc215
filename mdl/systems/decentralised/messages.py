"""What neighbours say to each other in D-MHE."""

from mdl.protocols.pieces import Piece


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
