"""What the parties of secure quantised training say to each other."""

from mdl.mpc.messages import Signed


class Announcement(Signed, frozen=True):
    """Party to party: its signed key, from which the two of them have a secret; and how many examples it has.

    Attributes:
        examples: to train on, which is no secret.
        tested: to test with.
        start: the identity of the start of the run whose shares it goes on from; empty if the run begins.
    """

    examples: int
    tested: int
    start: bytes
