"""Masks that cancel [BIKMMPRSS17]: the members' bodies alone tell their sum, and one missing tells nothing.

[BIKMMPRSS17] K. Bonawitz, V. Ivanov, B. Kreuter, A. Marcedone, H. B. McMahan, S. Patel, D. Ramage, A. Segal,
K. Seth, Practical secure aggregation for privacy-preserving machine learning, CCS 2017; without its recovery
of members that are lost.

Any two workers i < j share a key K_ij, from X25519 and HKDF, bound to the run and to both. The active set A
is closed before its members encrypt. Member i sends

    x + (sum over j in A, j > i of F(K_ij, input)) - (sum over j in A, j < i of F(K_ij, input)) mod 2^32,

or mod 2^64 where sums need it. Both ends of a pair add the same words with opposite signs, so the bodies add
to the sum of x. There is nothing to open, and nobody to ask.

The input is the epoch and a position (`mdl.schemes.word_layout`), and no salt, as both ends must compute the
same. So a worker may encrypt once for an epoch and a block, ever: two bodies under one mask differ by the
difference of their entries. The coordinated variant keeps to that: after a restart a worker abstains from the
epoch that it may have encrypted for.

What holds, where AES-128 is a PRF, HKDF-SHA256 extracts keys, and X25519 is a secure key exchange:

- The manager and any other workers learn the sum over those members that are not among them, and nothing
  more, as these members share keys with each other that nobody else has. `encrypt` refuses sets of fewer than
  m members; so m - 1 workers and the manager always face a sum over at least one.
- The authority deals all keys, and opens everything. So does a quantum computer, from the public key.
- If a body is missing, the sum is missed. If one is wrong, its error is added to the sum; `combine` notices
  where that leaves the members' bound: for a random error in an entry, all but (2 bound + 1) / 2^32 of the
  time, for a small one not at all. Nobody is blamed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange, SchemeError
from mdl.party import PartyId
from mdl.schemes.fixed_point import FixedPoint, outside, what_fits
from mdl.schemes.prf import INPUT_BYTES, KEY_BYTES, SALT_BYTES, Prf, buffer_bytes, inputs
from mdl.schemes.threshold import Ciphertext, Context, KeyShare
from mdl.schemes.word_layout import lay_out
from mdl.system import Randomness
from mdl.vectors import Integers

BOUND_LIMIT: Final = 1 << 53
"""Sums stay below this, so that their means are exact in double precision."""

_POINT_BYTES: Final = 2
_X25519_BYTES: Final = 32
_CHUNK: Final = 4096
"""Inputs at a time: the words of all peers are added while the sums are in the cache."""

Words: TypeAlias = NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class Pairwise:
    """Sums of fixed-point entries by masks that cancel over a set that is known before.

    Attributes:
        block: parameters in a block.
        members_least: m, the size of the smallest active set; at least 1.
        fixed_point: the grid of the entries.
        members_limit: size of the largest active set, at least m; sums are proved to fit up to it.

    Raises:
        ValueError: the sums do not fit, or a field makes no sense.
    """

    block: int
    members_least: int
    fixed_point: FixedPoint
    members_limit: int

    def __post_init__(self) -> None:
        if min(self.block, self.members_least, self.members_limit) < 1:
            raise ValueError(f"block, members_least and members_limit must be at least 1: {self}")
        if problems := capacity_problems(self.fixed_point, self.members_least, self.members_limit):
            raise ValueError("; ".join(problems))

    @property
    def threshold(self) -> int:
        """The bodies tell their sum."""
        return 0

    @property
    def members_first(self) -> bool:
        """Yes: masks cancel over a set that must be known."""
        return True

    @property
    def body_bytes(self) -> int:
        """A word for each parameter, of 4 bytes where the sums allow, of 8 otherwise."""
        return self.block * self._word.itemsize

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

    def shown(self, hint: bytes, opener: PartyId) -> bytes:
        """Show nothing."""
        return hint

    def prepare(self) -> None:
        """There is nothing to build."""

    def deal(self, points: Sequence[PartyId], *, rng: Randomness) -> tuple[bytes, Mapping[PartyId, KeyShare]]:
        """Draw an X25519 key for each point.

        Returns:
            All public keys, each after its point; and the private keys.

        Raises:
            NotEnoughShares: fewer points than the smallest active set: nothing could ever be summed.
            ValueError: a point is not in [1, 2^16), or occurs twice.
        """
        if len(points) < self.members_least:
            raise NotEnoughShares(f"{len(points)} workers cannot be a set of {self.members_least}")
        if len(set(points)) < len(points) or not all(0 < point < 1 << 8 * _POINT_BYTES for point in points):
            raise ValueError(f"points must be distinct and in [1, 2^16): {list(points)}")
        shares = {point: KeyShare(point, rng.bytes(_X25519_BYTES)) for point in points}
        public = (_bytes_of(share.point) + _public_of(share.secret) for share in shares.values())
        return b"".join(public), shares

    def check_key_share(self, public_key: bytes, share: KeyShare) -> None:
        """Verify that one's private key belongs to one's public key.

        Raises:
            InvalidShare: it does not, or one of the two is malformed.
        """
        well_formed = len(share.secret) == _X25519_BYTES
        if not well_formed or _public_keys(public_key).get(share.point) != _public_of(share.secret):
            raise InvalidShare(f"the key of worker {share.point} does not fit its public key")

    def encrypt(
        self,
        public_key: bytes,
        key_share: KeyShare,
        plaintext: Integers,
        context: Context,
        *,
        rng: Randomness,
    ) -> Ciphertext:
        """Add masks to each entry that cancel over `context.members`; shape (len(context.blocks), block).

        It draws nothing. It must not be called twice for the same run, epoch and block.

        Raises:
            OutOfRange: an entry is outside ±fixed_point.limit, or there are more members than members_limit.
            SchemeError: this worker is none of the members, one is named twice, or they are too few.
            InvalidShare: a member's public key is missing or makes no secret.
        """
        assert plaintext.shape == (len(context.blocks), self.block)
        if outside(plaintext, self.fixed_point.limit):
            raise OutOfRange(f"an entry is outside ±{self.fixed_point.limit}")
        self._check_members(context)
        self._check_set(key_share.point, context.members)
        functions = {
            peer: _function(key_share, peer, public_key=public_key, run=context.run)
            for peer in context.members
            if peer != key_share.point
        }
        masked = self._masks(key_share.point, functions, context)
        masked += plaintext.astype(self._word)
        return Ciphertext(body=masked.tobytes(), hint=b"")

    def add(self, bodies: Sequence[bytes], context: Context) -> bytes:
        """Add the bodies of all members, entry by entry.

        Raises:
            InvalidShare: a body has the wrong length.
            OutOfRange: more members than members_limit.
        """
        assert len(bodies) == len(context.members)
        self._check_members(context)
        total = np.zeros(len(context.blocks) * self.block, self._word)
        for member, body in zip(context.members, bodies, strict=True):
            total += self._read(body, context, [member])
        return total.tobytes()

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
            OutOfRange: an entry is no sum of so many members (a body is wrong, or was made for another set).
        """
        if set(shares) != set(context.openers):
            raise NotEnoughShares(f"shares of {sorted(shares)} for openers {sorted(context.openers)}")
        if culprits := [opener for opener, share in shares.items() if share]:
            raise InvalidShare("masks that cancel have empty shares", culprits)
        self._check_members(context)
        words = self._read(body, context, [])
        total = words.view(f"<i{words.itemsize}").astype(np.int64).reshape(-1, self.block)
        largest = self.fixed_point.bound(len(context.members))
        if outside(total, largest):
            raise OutOfRange(f"a sum is outside ±{largest}: a body is wrong, or was made for another set")
        return total

    @property
    def _word(self) -> np.dtype[np.unsignedinteger]:
        fits = 2 * self.fixed_point.bound(self.members_limit) + 1 <= 1 << 32
        return np.dtype(np.uint32) if fits else np.dtype(np.uint64)

    def _masks(self, point: PartyId, functions: Mapping[PartyId, Prf], context: Context) -> Words:
        """Add the words shared with higher points, subtract the others: shape (blocks, block)."""
        words = INPUT_BYTES // self._word.itemsize
        layout = lay_out(context.blocks, self.block, words)
        count = len(layout.positions)
        sums: Words = np.zeros(count * words, self._word)
        outputs = np.empty(buffer_bytes(min(_CHUNK, count)), np.uint8)
        for first in range(0, count, _CHUNK):
            positions = layout.positions[first : first + _CHUNK]
            laid_out = inputs(bytes(SALT_BYTES * len(positions)), context.epoch, positions)
            chunk = sums[first * words : (first + _CHUNK) * words]
            for peer, function in functions.items():
                mask = function.words(laid_out, outputs).view(self._word)
                (np.add if peer > point else np.subtract)(chunk, mask, out=chunk)
        return layout.entries(sums)

    def _check_set(self, point: PartyId, members: Sequence[PartyId]) -> None:
        if point not in members or len(set(members)) < len(members):
            raise SchemeError(f"worker {point} cannot encrypt for the members {list(members)}")
        if len(members) < self.members_least:
            raise SchemeError(f"{len(members)} members, fewer than {self.members_least}: refused")

    def _check_members(self, context: Context) -> None:
        if len(context.members) > self.members_limit:
            raise OutOfRange(f"{len(context.members)} members, but sums fit for {self.members_limit} only")

    def _read(self, body: bytes, context: Context, culprits: Sequence[PartyId]) -> Words:
        if len(body) != len(context.blocks) * self.body_bytes:
            raise InvalidShare(f"{len(body)} bytes are not {len(context.blocks)} bodies", culprits)
        return np.frombuffer(body, self._word)


def capacity_problems(fixed_point: FixedPoint, least: int, limit: int) -> list[str]:
    """Say why sums over sets of `least` to `limit` members cannot be, or are not exact; [] if they are."""
    problems = []
    if limit < least:
        problems.append(f"the largest active set, of {limit}, is smaller than the smallest, of {least}")
    if (bound := fixed_point.bound(limit)) >= BOUND_LIMIT:
        fits = what_fits(fixed_point, limit, BOUND_LIMIT - 1)
        problems.append(f"sums reach {bound:,}, beyond {BOUND_LIMIT - 1:,}: {fits}")
    return problems


@lru_cache(maxsize=1024)
def _function(own: KeyShare, peer: PartyId, *, public_key: bytes, run: bytes) -> Prf:
    """Derive the function that a worker and its peer share in a run: the same at both ends.

    Raises:
        InvalidShare: there is no public key of the peer, or it is one of the few that make no secret.
    """
    keys = _public_keys(public_key)
    if peer not in keys:
        raise InvalidShare("a member without a public key", [peer])
    try:
        secret = X25519PrivateKey.from_private_bytes(own.secret).exchange(
            X25519PublicKey.from_public_bytes(keys[peer])
        )
    except ValueError:
        raise InvalidShare("a public key that makes no secret", [peer]) from None
    both = b"".join(_bytes_of(point) for point in sorted((own.point, peer)))
    return Prf(HKDF(SHA256(), KEY_BYTES, salt=None, info=b"mdl: masks of a pair" + both + run).derive(secret))


@lru_cache(maxsize=4)
def _public_keys(public_key: bytes) -> Mapping[PartyId, bytes]:
    """Read the public keys of all workers.

    Raises:
        InvalidShare: they are cut off.
    """
    width = _POINT_BYTES + _X25519_BYTES
    if len(public_key) % width:
        raise InvalidShare("public keys that are cut off")
    rows = (public_key[at : at + width] for at in range(0, len(public_key), width))
    return {int.from_bytes(row[:_POINT_BYTES], "big"): row[_POINT_BYTES:] for row in rows}


def _public_of(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _bytes_of(point: PartyId) -> bytes:
    return point.to_bytes(_POINT_BYTES, "big")
