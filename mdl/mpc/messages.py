"""What parties that compute on secrets say to each other. Free of torch, for who only names it."""

from mdl.party import Message


class Sealed(Message, frozen=True):
    """Party to party: a part of what it sends in a round, sealed (`mdl.mpc.links`)."""

    data: bytes


class Signed(Message, frozen=True):
    """Base of what parties tell each other first.

    Attributes:
        signed: a key, from which any two of them have a secret; see `mdl.schemes.key_agreement`.
    """

    signed: bytes
