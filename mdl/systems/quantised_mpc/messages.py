"""What the parties of secure quantised training say to each other."""

from typing import Annotated

from msgspec import Meta

from mdl.mpc.messages import Signed


class Announcement(Signed, frozen=True):
    """Party to party: its signed key, from which the two of them have a secret; and how many examples it has.

    Attributes:
        examples: to train on, which is no secret; a dealer has none, a worker one at least.
        tested: to test with.
        start: the identity of the start of the run whose shares it goes on from; empty if the run begins.
    """

    examples: Annotated[int, Meta(ge=0, le=1 << 31)]
    tested: Annotated[int, Meta(ge=0, le=1 << 31)]
    start: bytes
