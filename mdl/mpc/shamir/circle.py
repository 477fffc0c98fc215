"""Who does what among n parties, and which of them a party shares keys with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mdl.mpc.keystream import Keystream
from mdl.party import PartyId


@dataclass(frozen=True)
class Circle:
    """n parties in a circle, of which t may collude.

    Attributes:
        party: whose view this is.
        holders: n >= 3.
    """

    party: PartyId
    holders: int

    @property
    def threshold(self) -> int:
        """t, the most for which a product's shares, of degree 2t, are enough to find it."""
        return (self.holders - 1) // 2

    @property
    def workers(self) -> Sequence[PartyId]:
        """2t + 1 parties, who find products; where n is even, the last one only receives them."""
        return range(2 * self.threshold + 1)

    @property
    def dealers(self) -> Sequence[PartyId]:
        """Some t + 1 parties, one of whom does not collude: nobody knows what all of them have chosen."""
        return range(self.threshold + 1)

    def after(self, party: PartyId) -> list[PartyId]:
        """Give the t parties after one: those that draw their shares of what it deals."""
        return [(party + step) % self.holders for step in range(1, self.threshold + 1)]

    def before(self, party: PartyId) -> list[PartyId]:
        """Give the t parties before one."""
        return [(party - step) % self.holders for step in range(1, self.threshold + 1)]

    def beyond(self, party: PartyId) -> list[PartyId]:
        """Give the others: those to whom it sends their shares."""
        return [(party + step) % self.holders for step in range(self.threshold + 1, self.holders)]


@dataclass(frozen=True)
class Streams:
    """A party's keystreams.

    Attributes:
        own: which nobody else has.
        to: by party, for what this party deals and that one draws.
        of: by party, for what that party deals and this one draws.
    """

    own: Keystream
    to: Mapping[PartyId, Keystream]
    of: Mapping[PartyId, Keystream]
