"""What the parties of SMuLe say to each other, beside the rounds of their computations."""

from typing import Annotated

from msgspec import Meta

from mdl.mpc.blind.plan import Plan
from mdl.mpc.messages import Signed
from mdl.party import Message


class Announcement(Signed, frozen=True):
    """Party to party: what the others must know of it. Of a dealer there is nothing to know.

    Attributes:
        examples: that it may ask about.
        shape: of one.
        plan: of its network: the shapes of its layers. The weights are secret.
        answered: how many answers it has given in earlier starts of the run.
    """

    examples: Annotated[int, Meta(ge=0, le=1 << 31)] = 0
    shape: Annotated[tuple[int, ...], Meta(max_length=8)] = ()
    plan: Annotated[Plan, Meta(max_length=256)] = ()
    answered: Annotated[int, Meta(ge=0, le=1 << 62)] = 0


class Ready(Message, frozen=True):
    """Worker to dealer: deal for this epoch. Without it a dealer, who hears nothing, would run far ahead."""

    epoch: int
