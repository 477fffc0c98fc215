"""What the scheme asks of a way to draw short keys and to share them among the workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mdl.party import PartyId
from mdl.schemes.rlwe.field import Elements
from mdl.schemes.rlwe.ring import Keys
from mdl.schemes.threshold import Context, KeyShare
from mdl.system import Randomness


@dataclass(frozen=True)
class Dealt:
    """Fresh keys of one dealer: they do not print.

    Attributes:
        keys: a short key for each block, shape (rows, N).
        hint: rows of what the workers need to find their shares of these keys.
    """

    keys: Keys = field(repr=False)
    hint: bytes


class KeySharing(Protocol):
    """Short keys, fresh at each call, each a secret that the workers hold Shamir shares of, over Z_p."""

    @property
    def terms(self) -> int:
        """How many independent values of `mdl.schemes.rlwe.binomial` a key's coefficient is the sum of."""

    @property
    def hint_bytes(self) -> int:
        """Bytes of a row of hint."""

    @property
    def shown_bytes(self) -> int:
        """Bytes of what a worker is shown of a row."""

    def shown(self, hint: bytes, opener: PartyId) -> bytes:
        """Cut out what `opener` is shown.

        Raises:
            SchemeError: it is no point that was dealt to.
        """

    def deal(self, points: Sequence[PartyId], *, rng: Randomness) -> tuple[bytes, Mapping[PartyId, bytes]]:
        """Be the trusted authority: give what is public, and each worker's secrets.

        Raises:
            NotEnoughShares: fewer points than the threshold.
            ValueError: the points are not what this sharing is for.
        """

    def check(self, public: bytes, share: KeyShare) -> None:
        """Verify one's own secrets against what is public.

        Raises:
            InvalidShare: they do not fit.
        """

    def draw(self, share: KeyShare, context: Context, *, rng: Randomness) -> Dealt:
        """Draw a fresh key for each block as the dealer `share.point`."""

    def sums(self, share: KeyShare, hints: Sequence[bytes], context: Context) -> Elements:
        """Give this worker's share of the sum of the members' keys, for each block: shape (rows, N).

        Args:
            share: this worker's secrets.
            hints: what `shown` gives of the members' hints, in the order of `context.members`.
            context: its members are the dealers.

        Raises:
            InvalidShare: with the member whose hint is malformed.
        """
