"""Masks from pseudo-random secret sharing, a fresh one for every parameter [CDI05, see `subset_keys`].

A parameter is c = x + rho mod p, p = 2^31 - 1. The dealer i finds its mask rho_i under its keys alone: the
sum over all T without i of F(K_{i,T}, input). Over an active set A the bodies add to the sum of x plus the
sum of rho_i. Opener j answers z_j times its share of the latter,

    sum over i in A, T without i and j of f_T(j) F(K_{i,T}, input),

(if n = m: over all T, and over all T without j, as `subset_keys` explains) with z_j its Lagrange coefficient
among the openers, so that the answers add to the sum of the masks. Nothing but PRF outputs is computed, and
workers send each other nothing.

The input is a salt, the epoch and a position (`mdl.schemes.word_layout`). The salt is fresh in every call and
is the hint that openers are shown: a worker that has restarted may encrypt again for the same epoch and
block, and no mask may hide two values, as their difference would show.

What holds, where AES-128 is a PRF and HKDF-SHA256 a key derivation:

- m - 1 workers and the manager see, of every worker that is not among them, ciphertexts that are uniform but
  for a distance of 2^-31 each, as words of 32 bits are taken mod p; and once a set is opened the sum over its
  other members. Any m workers, or the authority, open everything.
- Every block is masked on its own, so each may have an active set of its own. It may be opened once: sums
  over two sets under the same masks differ by a worker's entry.
- Nothing proves that a body or a share is right. A wrong one shifts the sum of a parameter, and `combine`
  notices where it leaves the members' bound: for a random shift, all but (2 bound + 1) / p of the time, for a
  small one not at all. Nobody is blamed.
- No quantum computer is known to break it, though Grover's search halves the bits of AES-128 on paper.

A body costs C(n-1, m-1) words for each parameter; a share as many where the opener is a member itself, and
C(n-2, m-1) for each other member. With 8 workers and m = 4 that is 35 and 20; it suits about ten workers. An
output of AES has four words: blocks of four, or neighbours with one set, cost a quarter of scattered ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange, SchemeError
from mdl.party import PartyId
from mdl.schemes import mersenne, shamir, subset_keys
from mdl.schemes.fixed_point import FixedPoint, outside, what_fits
from mdl.schemes.mersenne import PRIME, RESIDUE_BYTES, Residues
from mdl.schemes.prf import SALT_BYTES, WORDS, new_salt
from mdl.schemes.subset_keys import held_keys
from mdl.schemes.threshold import Ciphertext, Context, KeyShare
from mdl.schemes.word_layout import Salts, ids, lay_out
from mdl.schemes.word_sums import Term, weighted_sums
from mdl.system import Randomness
from mdl.vectors import Integers

LARGE: Final = 1000
"""Parameters of a request, on average, from which on requests are answered for less one by one."""


@dataclass(frozen=True)
class _Rows:
    """Rows of one dealer: their blocks, ascending, their salts, and where they stand among all rows."""

    blocks: NDArray[np.int64]
    salts: Salts
    at: NDArray[np.int64]


@dataclass(frozen=True)
class Prss:
    """Threshold encryption of fixed-point entries by masks that any `threshold` workers share.

    Attributes:
        block: parameters in a block.
        threshold: m, openers needed; at least 1.
        fixed_point: the grid of the entries.
        members_limit: size of the largest active set; sums are proved to fit up to it.

    Raises:
        ValueError: the sums do not fit, or a field makes no sense.
    """

    block: int
    threshold: int
    fixed_point: FixedPoint
    members_limit: int

    def __post_init__(self) -> None:
        if min(self.block, self.threshold, self.members_limit) < 1:
            raise ValueError(f"block, threshold and members_limit must be at least 1: {self}")
        if problem := capacity_problem(self.fixed_point, self.members_limit):
            raise ValueError(problem)

    @property
    def members_first(self) -> bool:
        """No: sets close over what has come."""
        return False

    @property
    def body_bytes(self) -> int:
        """A residue for each parameter."""
        return self.block * RESIDUE_BYTES

    @property
    def hint_bytes(self) -> int:
        """The salt."""
        return SALT_BYTES

    @property
    def shown_bytes(self) -> int:
        """The salt."""
        return SALT_BYTES

    @property
    def share_bytes(self) -> int:
        """A residue for each parameter."""
        return self.block * RESIDUE_BYTES

    def shown(self, hint: bytes, opener: PartyId) -> bytes:
        """Show the salts to everybody."""
        return hint

    def prepare(self) -> None:
        """There is nothing to build."""

    def deal(self, points: Sequence[PartyId], *, rng: Randomness) -> tuple[bytes, Mapping[PartyId, KeyShare]]:
        """Draw a key for every set of m - 1 workers, and give it to the others.

        Returns:
            The digests of all keys, and each worker's keys.

        Raises:
            NotEnoughShares: fewer points than the threshold: nobody could ever open anything.
            ValueError: a point is not in [1, 2^16), or occurs twice.
        """
        public, secrets = subset_keys.deal(points, self.threshold, rng=rng)
        return public, {point: KeyShare(point, secret) for point, secret in secrets.items()}

    def check_key_share(self, public_key: bytes, share: KeyShare) -> None:
        """Verify one's own keys against the digests.

        Raises:
            InvalidShare: they are not this point's, or malformed.
        """
        subset_keys.check(public_key, share.point, share.secret)

    def encrypt(
        self,
        public_key: bytes,
        key_share: KeyShare,
        plaintext: Integers,
        context: Context,
        *,
        rng: Randomness,
    ) -> Ciphertext:
        """Add a mask to each entry; shape (len(context.blocks), block).

        Raises:
            OutOfRange: an entry is outside ±fixed_point.limit.
        """
        assert plaintext.shape == (len(context.blocks), self.block)
        if outside(plaintext, self.fixed_point.limit):
            raise OutOfRange(f"an entry is outside ±{self.fixed_point.limit}")
        own = held_keys(key_share.point, key_share.secret).secret
        salt = new_salt(rng)
        salts: Salts = np.full(len(context.blocks), np.frombuffer(salt, np.uint64)[0])
        terms = [Term(function, 1, 0) for function in own.values()]
        masks = self._sums(terms, [salts], context.blocks, context.epoch)
        return Ciphertext(
            body=mersenne.residues(plaintext + masks).tobytes(), hint=salt * len(context.blocks)
        )

    def add(self, bodies: Sequence[bytes], context: Context) -> bytes:
        """Add the members' bodies, entry by entry.

        Raises:
            InvalidShare: a body has the wrong length, or an entry that is no residue.
            OutOfRange: more members than members_limit.
        """
        self._check_members(context)
        return mersenne.add(self._columns(bodies, context.members, context)).tobytes()

    def decryption_share(
        self, key_share: KeyShare, hints: Sequence[bytes], context: Context, *, rng: Randomness
    ) -> bytes:
        """Answer z_j times the share of the sum of the members' masks.

        Raises:
            InvalidShare: a hint has the wrong length.
            NotEnoughShares: fewer openers than the threshold.
            SchemeError: an opener is named twice or is no point, or a member has no keys.
        """
        return self._share(key_share, hints, context)

    def _share(self, key_share: KeyShare, hints: Sequence[bytes], context: Context) -> bytes:
        assert key_share.point in context.openers
        held = held_keys(key_share.point, key_share.secret)
        z = self._lagrange(context.openers)[key_share.point]
        factors = {subset: z * factor % PRIME for subset, factor in held.factors(PRIME).items()}
        terms = [
            Term(function, factors[subset], row)
            for row, member in enumerate(context.members)
            for subset, function in held.of(member).items()
        ]
        salts = self._salts(hints, context)
        return self._sums(terms, salts, context.blocks, context.epoch).tobytes()

    def decryption_shares(
        self, key_share: KeyShare, requests: Sequence[tuple[Sequence[bytes], Context]]
    ) -> Sequence[bytes]:
        """Answer many requests of one epoch, each as `decryption_share` does.

        A function's words are made for all rows of a dealer at once, in the order of the blocks: few calls,
        and where blocks are small, neighbours share an output though they have different sets.

        Raises:
            InvalidShare: a hint has the wrong length.
            NotEnoughShares: fewer openers than the threshold.
            SchemeError: an opener is named twice or is no point, or a member has no keys.
        """
        (epoch,) = {context.epoch for _, context in requests}
        if sum(len(context.blocks) for _, context in requests) * self.block >= LARGE * len(requests):
            return [self._share(key_share, hints, context) for hints, context in requests]
        held = held_keys(key_share.point, key_share.secret)
        factors = held.factors(PRIME)
        sizes = [len(context.blocks) for _, context in requests]
        starts = np.cumsum([0, *sizes])
        totals = np.zeros((int(starts[-1]), self.block), np.int64)
        for dealer, rows in self._rows_by_dealer(requests, starts).items():
            terms = [Term(function, factors[subset], 0) for subset, function in held.of(dealer).items()]
            totals[rows.at] += self._sums(terms, [rows.salts], rows.blocks, epoch)
        shares = mersenne.residues(totals)
        return [
            mersenne.times(shares[start:stop], self._lagrange(context.openers)[key_share.point]).tobytes()
            for start, stop, (_, context) in zip(starts, starts[1:], requests, strict=False)
        ]

    def _rows_by_dealer(
        self, requests: Sequence[tuple[Sequence[bytes], Context]], starts: NDArray[np.int64]
    ) -> Mapping[PartyId, _Rows]:
        """Sort the rows of all requests by the members that they are of, and then by block."""
        found: dict[PartyId, list[tuple[NDArray[np.int64], Salts, NDArray[np.int64]]]] = {}
        for start, (hints, context) in zip(starts.tolist(), requests, strict=False):
            blocks = ids(context.blocks)
            at = start + np.arange(len(blocks))
            for member, salts in zip(context.members, self._salts(hints, context), strict=True):
                found.setdefault(member, []).append((blocks, salts, at))
        rows = {}
        for member, pieces in found.items():
            blocks, salts, at = (np.concatenate(column) for column in zip(*pieces, strict=True))
            order = np.argsort(blocks, kind="stable")
            rows[member] = _Rows(blocks[order], salts[order], at[order])
        return rows

    def rebase(self, share: bytes, opener: PartyId, context: Context, openers: tuple[PartyId, ...]) -> bytes:
        """Multiply a share by z' / z: from the coefficient among `context.openers` to that among `openers`.

        Raises:
            InvalidShare: the share has the wrong length, or an entry that is no residue.
            NotEnoughShares: fewer openers than the threshold.
            SchemeError: an opener is named twice, or is no point.
        """
        before = self._lagrange(context.openers)[opener]
        after = self._lagrange(openers)[opener]
        (values,) = self._columns([share], [opener], context)
        return mersenne.times(values, after * pow(before, -1, PRIME) % PRIME).tobytes()

    def combine(self, body: bytes, shares: Mapping[PartyId, bytes], context: Context) -> Integers:
        """Subtract the sum of the shares from the body: shape (len(context.blocks), block).

        Raises:
            NotEnoughShares: the shares are not those of `context.openers`, or fewer than the threshold.
            InvalidShare: a share has the wrong length, or an entry that is no residue.
            OutOfRange: an entry is no sum of so many members (a share or a body is wrong).
        """
        self._check_members(context)
        if set(shares) != set(context.openers) or len(shares) < self.threshold:
            raise NotEnoughShares(
                f"shares of {sorted(shares)}, openers {sorted(context.openers)}, threshold {self.threshold}"
            )
        (total,) = self._columns([body], [], context)
        masks = mersenne.add(self._columns(list(shares.values()), list(shares), context))
        opened = mersenne.centred(mersenne.residues(total.astype(np.int64) - masks))
        largest = self.fixed_point.bound(len(context.members))
        if outside(opened, largest):
            raise OutOfRange(f"a sum is outside ±{largest}: a share or a body is wrong")
        return opened.reshape(-1, self.block)

    def _sums(
        self,
        terms: Sequence[Term],
        salts: Sequence[Salts],
        blocks: Sequence[int] | NDArray[np.int64],
        epoch: int,
    ) -> Residues:
        layout = lay_out(blocks, self.block, WORDS, salts)
        return layout.entries(weighted_sums(terms, layout, salts, epoch))

    def _salts(self, hints: Sequence[bytes], context: Context) -> Sequence[Salts]:
        assert len(hints) == len(context.members)
        due = len(context.blocks) * SALT_BYTES
        if culprits := [m for m, hint in zip(context.members, hints, strict=True) if len(hint) != due]:
            raise InvalidShare(f"salts of {due} bytes were due", culprits)
        return [np.frombuffer(hint, np.uint64) for hint in hints]

    def _columns(
        self, packed: Sequence[bytes], senders: Sequence[PartyId], context: Context
    ) -> Sequence[Residues]:
        """Read what was sent, an array each, and blame who sent something else; nobody for one's own."""
        due = len(context.blocks) * self.body_bytes
        columns = []
        for at, column in enumerate(packed):
            if len(column) != due:
                raise InvalidShare(f"{len(column)} bytes where {due} were due", senders[at : at + 1])
            values = np.frombuffer(column, "<u4")
            if values.size and values.max() >= PRIME:
                raise InvalidShare("an entry is no residue modulo 2^31 - 1", senders[at : at + 1])
            columns.append(values)
        return columns

    def _check_members(self, context: Context) -> None:
        if len(context.members) > self.members_limit:
            raise OutOfRange(f"{len(context.members)} members, but sums fit for {self.members_limit} only")

    def _lagrange(self, openers: Sequence[PartyId]) -> Mapping[PartyId, int]:
        if len(openers) < self.threshold:
            raise NotEnoughShares(f"{len(openers)} openers, threshold {self.threshold}")
        try:
            return shamir.lagrange_at_zero(openers, PRIME)
        except ValueError as problem:
            # The manager names the openers, so this is a peer's fault and not a bug.
            raise SchemeError(f"these cannot open anything: {problem}") from None


def capacity_problem(fixed_point: FixedPoint, members: int) -> str | None:
    """Say that the sums of so many members do not fit below p, if so."""
    bound = fixed_point.bound(members)
    if 2 * bound + 1 <= PRIME:
        return None
    return (
        f"sums of {members} members reach ±{bound:,}, beyond ±{PRIME // 2:,}: "
        f"{what_fits(fixed_point, members, PRIME // 2)}"
    )
