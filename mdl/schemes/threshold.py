"""The interface of every scheme that hides a sum until enough parties open it.

The ∝MDL protocols do not know which scheme they carry. A scheme is a frozen, picklable value; each method
is one party's local step, run in that party's crypto pool. Everything is batched: a call handles all the
blocks its context names, as rows of fixed width.

The rules that make opening safe (closed sets, one answer per (epoch, block), at least m members, own entry
its own, never two sums of the same gradients) live once, above the schemes, in `mdl.protocols.opening`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from mdl.party import PartyId
from mdl.system import Randomness
from mdl.vectors import Integers


@dataclass(frozen=True)
class Context:
    """What a call is about.

    Attributes:
        run: the run's identity.
        epoch: from 1.
        blocks: ids of the blocks, in the order of the rows.
        members: the closed active set all these blocks share, ascending; empty while it is still open.
        openers: the parties that answer for it, ascending; empty until they are chosen.
    """

    run: bytes
    epoch: int
    blocks: Sequence[int]
    members: tuple[PartyId, ...] = ()
    openers: tuple[PartyId, ...] = ()


@dataclass(frozen=True)
class Ciphertext:
    """An encrypted update.

    Attributes:
        body: one row a block; bodies of one block are added over its active set.
        hint: one row a block: what openers must be shown of each member (ElGamal's g^r). May be empty.
    """

    body: bytes
    hint: bytes


@dataclass(frozen=True)
class KeyShare:
    """What the authority gave one worker: its share of the key, or its keys. It does not print."""

    point: PartyId
    secret: bytes = field(repr=False)


class ThresholdEncryption(Protocol):
    """Additively homomorphic encryption whose sums any `threshold` of the workers can open, and fewer cannot.

    `body_bytes`, `hint_bytes`, `shown_bytes`, `share_bytes` are the widths of a block's row on the wire.
    """

    @property
    def threshold(self) -> int:
        """How many openers a sum needs; 0 where the members' bodies alone tell it."""

    @property
    def members_first(self) -> bool:
        """Whether an active set is closed *before* its members encrypt, for exactly these members.

        Then a sum is opened if every one of them delivers, and missed otherwise.
        """

    @property
    def body_bytes(self) -> int:
        """Bytes of a block's ciphertext body."""

    @property
    def hint_bytes(self) -> int:
        """Bytes of a block's hint."""

    @property
    def shown_bytes(self) -> int:
        """Bytes of what an opener is shown of one member's hint of a block."""

    @property
    def share_bytes(self) -> int:
        """Bytes of a block's decryption share."""

    def shown(self, hint: bytes, opener: PartyId) -> bytes:
        """Cut out of rows of hint what this opener needs to be shown: rows of `shown_bytes`.

        Raises:
            SchemeError: `opener` is no point that was dealt to.
        """

    def prepare(self) -> None:
        """Build in this process what opening needs (tables), so that the first need not wait."""

    def deal(self, points: Sequence[PartyId], *, rng: Randomness) -> tuple[bytes, Mapping[PartyId, KeyShare]]:
        """Make the public key and a key share for each point (the trusted authority's step, Algorithm 1)."""

    def check_key_share(self, public_key: bytes, share: KeyShare) -> None:
        """Verify one's own key share against the public key's commitments.

        Raises:
            InvalidShare: it does not lie on the committed polynomial.
        """

    def encrypt(
        self,
        public_key: bytes,
        key_share: KeyShare,
        plaintext: Integers,
        context: Context,
        *,
        rng: Randomness,
    ) -> Ciphertext:
        """Encrypt a plaintext of shape (len(context.blocks), block size) as the member `key_share.point`.

        Where `members_first`, it is encrypted for `context.members`; elsewhere these do not matter.

        Raises:
            OutOfRange: an entry does not fit the proved range.
        """

    def add(self, bodies: Sequence[bytes], context: Context) -> bytes:
        """Add the members' bodies, row by row.

        Raises:
            InvalidShare: a row is no element of the group. (Also where a method below takes a peer's rows.)
        """

    def decryption_share(
        self, key_share: KeyShare, hints: Sequence[bytes], context: Context, *, rng: Randomness
    ) -> bytes:
        """Answer for the closed set `context.members`; `hints` are what `shown` gives of its members' hints.

        The answer is made for exactly `context.openers`, one of which is `key_share.point`.
        """

    def rebase(self, share: bytes, opener: PartyId, context: Context, openers: tuple[PartyId, ...]) -> bytes:
        """Turn a share made by `opener` for `context.openers` into the one it would have made for `openers`.

        Needs no secret: when an opener is lost, the others' answers stay useful and nobody answers twice.
        """

    def combine(self, body: bytes, shares: Mapping[PartyId, bytes], context: Context) -> Integers:
        """Open the sum: shape (len(context.blocks), block size).

        Raises:
            NotEnoughShares: the shares are not those of `context.openers`, or fewer than `threshold`.
            OutOfRange: a row decodes to no sum in the proved range (a share or a body is wrong).
        """


@runtime_checkable
class AnswersTogether(Protocol):
    """A scheme that answers many requests of one epoch for less than it takes to answer each."""

    def decryption_shares(
        self, key_share: KeyShare, requests: Sequence[tuple[Sequence[bytes], Context]]
    ) -> Sequence[bytes]:
        """Give what `ThresholdEncryption.decryption_share` gives for each request's hints and context."""
