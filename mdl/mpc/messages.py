"""What parties that compute on secrets say to each other. Free of torch, for who only names it."""

from mdl.party import Message


class Sealed(Message, frozen=True):
    """Party to party: a part of what it sends in a round, sealed (`mdl.mpc.links`)."""

    data: bytes
