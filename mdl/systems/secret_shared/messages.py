"""What the server and the workers of SSDDL say to each other."""

from mdl.party import Message, PartyId
from mdl.protocols.pieces import Piece


class Agree(Message, frozen=True):
    """Server to workers (Init): agree on secrets for pairs, from an epoch on; a generation above the last."""

    generation: int
    epoch: int


class Announcement(Message, frozen=True):
    """Worker to server: its signed key (`mdl.schemes.key_agreement`)."""

    generation: int
    signed: bytes


class Announcements(Message, frozen=True):
    """Server to workers: all announcements, by worker."""

    generation: int
    signed: tuple[tuple[PartyId, bytes], ...]


class Begin(Message, frozen=True):
    """Server to workers (SelectGroup): who is there, of whom the epoch's group follows."""

    epoch: int
    present: tuple[PartyId, ...]
    previous: tuple[PartyId, ...]


class Global(Piece, frozen=True):
    """Server to the group's members: the global parameters, float32. Train from them."""


class Declined(Message, frozen=True):
    """Member to server: it must not take part in an epoch.

    Attributes:
        epoch: which.
        lasting: it would decline the next one of the same group as well, as that differs by a single worker
            from the last it was in; if not, its update of this epoch was shared with or summed over others
            before.
    """

    epoch: int
    lasting: bool


class Basis(Message, frozen=True):
    """Member to member, before its shares: the SHA-256 of the global model from which it has trained."""

    epoch: int
    digest: bytes


class Share(Piece, frozen=True):
    """Member to member (ParaShare): its share of the sender's update."""


class Held(Message, frozen=True):
    """Member to server: whose shares it holds, its own among them."""

    epoch: int
    dealers: tuple[PartyId, ...]


class Open(Message, frozen=True):
    """Server to members: send your share of the sum of these members' updates."""

    epoch: int
    dealers: tuple[PartyId, ...]


class Upload(Piece, frozen=True):
    """Member to server (ParaUpdate): a share of the sum, or the masked update."""


class Ended(Message, frozen=True):
    """Server to workers: how the epoch went.

    Attributes:
        asked: the members whose updates were to be summed; nobody, if it did not come to that.
        missed: whether the sum could not be read, so that the global model is what it was.
    """

    epoch: int
    asked: tuple[PartyId, ...]
    missed: bool


class Finish(Message, frozen=True):
    """Server to workers: there is no further epoch."""

    reason: str
