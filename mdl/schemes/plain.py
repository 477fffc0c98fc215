"""No cryptography: the oracle that every private scheme must equal, integer for integer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange
from mdl.party import PartyId
from mdl.schemes.fixed_point import outside
from mdl.schemes.threshold import Ciphertext, Context, KeyShare
from mdl.system import Randomness
from mdl.vectors import Integers


@dataclass(frozen=True)
class Plain:
    """Sums in the clear, by the steps of threshold encryption. The manager sees every entry.

    Attributes:
        block: parameters in a block.
        bound: largest |sum| over the largest active set, below 2^53: means are exact, sums do not overflow.
        members_limit: size of the largest active set; one entry is at most bound // members_limit.
    """

    BOUND_LIMIT: ClassVar[int] = 1 << 53

    block: int
    bound: int
    members_limit: int = 1

    def __post_init__(self) -> None:
        if min(self.block, self.members_limit) < 1 or not self.members_limit <= self.bound < self.BOUND_LIMIT:
            raise ValueError(
                f"block and members_limit must be at least 1, bound in [members_limit, 2^53): {self}"
            )

    @property
    def threshold(self) -> int:
        """Nothing is hidden."""
        return 0

    @property
    def body_bytes(self) -> int:
        """Little-endian entries of 4 bytes where the bound allows, of 8 otherwise."""
        return self.block * self._entry.itemsize

    @property
    def hint_bytes(self) -> int:
        """There is none."""
        return 0

    @property
    def shown_bytes(self) -> int:
        """There is nothing to show."""
        return 0

    @property
    def share_bytes(self) -> int:
        """There is none."""
        return 0

    @property
    def members_first(self) -> bool:
        """No: sets close over what has come."""
        return False

    def shown(self, hint: bytes, opener: PartyId) -> bytes:
        """Show nothing."""
        return hint

    def prepare(self) -> None:
        """There is nothing to build."""

    def deal(self, points: Sequence[PartyId], *, rng: Randomness) -> tuple[bytes, Mapping[PartyId, KeyShare]]:
        """Make an empty key, and an empty share of it for each point."""
        return b"", {point: KeyShare(point, b"") for point in points}

    def check_key_share(self, public_key: bytes, share: KeyShare) -> None:
        """Check that there is nothing to check.

        Raises:
            InvalidShare: a key or a share is not empty.
        """
        if public_key or share.secret:
            raise InvalidShare("the plain scheme has no keys")

    def encrypt(
        self,
        public_key: bytes,
        key_share: KeyShare,
        plaintext: Integers,
        context: Context,
        *,
        rng: Randomness,
    ) -> Ciphertext:
        """Write the entries down; shape (len(context.blocks), block).

        Raises:
            OutOfRange: an entry is above bound // members_limit.
        """
        assert plaintext.shape == (len(context.blocks), self.block)
        if outside(plaintext, self._limit):
            raise OutOfRange(f"an entry is outside ±{self._limit}")
        return Ciphertext(body=plaintext.astype(self._entry).tobytes(), hint=b"")

    def add(self, bodies: Sequence[bytes], context: Context) -> bytes:
        """Add the members' bodies, row by row.

        Raises:
            InvalidShare: a body has the wrong length, or an entry that no member may send.
        """
        assert len(bodies) == len(context.members)
        total = np.zeros((len(context.blocks), self.block), np.int64)
        for member, body in zip(context.members, bodies, strict=True):
            entries = self._read(body, context, [member])
            if outside(entries, self._limit):
                raise InvalidShare(f"an entry is outside ±{self._limit}", [member])
            total += entries
        self._check_sums(total, context)
        return total.astype(self._entry).tobytes()

    def decryption_share(
        self, key_share: KeyShare, hints: Sequence[bytes], context: Context, *, rng: Randomness
    ) -> bytes:
        """Answer with nothing."""
        return b""

    def rebase(self, share: bytes, opener: PartyId, context: Context, openers: tuple[PartyId, ...]) -> bytes:
        """Give nothing for nothing."""
        return share

    def combine(self, body: bytes, shares: Mapping[PartyId, bytes], context: Context) -> Integers:
        """Read the sums; shape (len(context.blocks), block).

        Raises:
            NotEnoughShares: the shares are not those of `context.openers`.
            InvalidShare: a share is not empty.
            OutOfRange: a sum is larger than these members' entries allow.
        """
        if set(shares) != set(context.openers):
            raise NotEnoughShares(f"shares of {sorted(shares)} for openers {sorted(context.openers)}")
        if culprits := [opener for opener, share in shares.items() if share]:
            raise InvalidShare("the plain scheme has empty shares", culprits)
        total = self._read(body, context, [])
        self._check_sums(total, context)
        return total

    @property
    def _entry(self) -> np.dtype[np.signedinteger]:
        return np.dtype("<i4") if self.bound < 1 << 31 else np.dtype("<i8")

    @property
    def _limit(self) -> int:
        return self.bound // self.members_limit

    def _read(self, body: bytes, context: Context, culprits: Sequence[PartyId]) -> Integers:
        if len(body) != len(context.blocks) * self.body_bytes:
            raise InvalidShare(f"{len(body)} bytes are not {len(context.blocks)} bodies", culprits)
        return np.frombuffer(body, self._entry).astype(np.int64).reshape(-1, self.block)

    def _check_sums(self, total: Integers, context: Context) -> None:
        largest = min(self.bound, self._limit * len(context.members))
        if outside(total, largest):
            raise OutOfRange(f"a sum is outside ±{largest}")
