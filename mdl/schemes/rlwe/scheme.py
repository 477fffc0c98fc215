"""Ring-LWE masks whose sums any m workers open [LERNA; OPA].

A block of B parameters is ceil(B / N) polynomials of Z_q[x]/(x^N + 1), N = 2048, q = 2^32. A member i draws a
short key s_i for each block, and sends

    y_{i,k} = A_k s_i + e_{i,k} + D x_{i,k}    for the block's k-th polynomial x_{i,k},

with public polynomials A_k, fresh errors e, and D = 64 |A|_max + 1. Keys are as short as errors: their
coefficients are (sums of) values of `mdl.schemes.rlwe.binomial`, at most 32 for an error. The workers hold
Shamir shares of every key (`mdl.schemes.rlwe.keys`). An opener adds those of the members' keys: N elements of
Z_65521, 4 KiB, for a block of any size. The sum s of the keys, once interpolated, gives

    sum y_i - A s = sum e_i + D sum x_i.

Exactness: |sum e_i| <= 32 |A| <= (D - 1) / 2, always, so that rounding to the nearest multiple of D is right;
and D (2 bound + 1) <= 3/4 q, so that no sum wraps. The one event that spoils a sum, keys that add up to more
than p / 2 somewhere or to a longer vector than the ring's products are exact for, has a probability below
2^-400 (`TERMS_LIMIT`), and is noticed.

What protects. To all who lack a member's key its rows are samples of Ring-LWE with a secret of the errors'
distribution, σ = 4; they look uniform under that assumption, at q = 2^32 and N = 2048 (for the parameters,
see `security_bits`). Fewer than m workers, colluding with each other and with the manager, lack each honest
member's key. Who holds m workers' secrets, or the authority, opens everything.

What opening tells: the sum of the plaintexts, and beside it those of the keys and of the errors. Given these,
of two honest members the key and the error of one are hypergeometric, coefficient by coefficient, with known
means and σ = 2.84: the assumption must hold for that distribution. (This is Hint-LWE; for Gaussian values
[KLSS23] proves that such hints cost no more than the width.) With sealed keys more honest members leave more:
σ^2 is about 16 (1 - 1/h) for h of them. With pseudo-random ones the answers tell more than the sum, namely
sums of the members' terms; count on a pair's 2.84, for which any m - 1 others may know all of it.

A key is opened once, and for one set. Two openings of one key over two sets, {1, 2, 3, 4} and {1, 2, 3, 5},
give the difference x_4 - x_5. Hence sets are per block, every block has its own key, and every call draws
fresh ones; the rules above the schemes hold openers to one answer.

What is altered. A change to a share changes s, and with it every value of the block by a coefficient of a
product with A. Each is then a possible sum with probability 3/4 at most, so that `combine` fails but with
2^-106 for a block of 256 parameters, 2^-850 for 2048. Nobody can be blamed. A change to a body changes the
sums that it covers, and is noticed where no sum of the members' entries can be so large.

[LERNA] H. Li, H. Lin, A. Polychroniadou, S. Tessaro, LERNA: Secure Single-Server Aggregation via
Key-Homomorphic Masking, ASIACRYPT 2023. [OPA] H. Karthikeyan, A. Polychroniadou, OPA: One-shot Private
Aggregation with Single Client Interaction and its Applications to Federated Learning, 2024. [KLSS23] D. Kim,
D. Lee, J. Seo, Y. Song, Toward Practical Lattice-Based Proof of Knowledge from Hint-MLWE, CRYPTO 2023.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange, SchemeError
from mdl.party import PartyId
from mdl.schemes import shamir
from mdl.schemes.fixed_point import FixedPoint, outside, what_fits
from mdl.schemes.rlwe import binomial, field, ring
from mdl.schemes.rlwe.keys import KeySharing
from mdl.schemes.rlwe.pseudo_random import PseudoRandomKeys
from mdl.schemes.rlwe.sealed import SealedKeys
from mdl.schemes.threshold import Ciphertext, Context, KeyShare
from mdl.system import Randomness
from mdl.vectors import Integers

KeySharingName: TypeAlias = Literal["prss", "shamir"]

_WORD_BYTES: Final = ring.MODULUS_BITS // 8
_CHUNK: Final = 1 << 13
"""Values that are decoded at once: as doubles, 64 KiB, they stay in the cache."""

TERMS_LIMIT: Final = 1 << 16
"""The most binomial values that a coefficient of a sum of keys may be the sum of.

A coefficient then exceeds p / 2 with probability 2 exp(-2 (p/2)^2 / (64 * 2^16)) < 2^-736 [Hoeffding63]. The
squared length has the expectation 2048 * 16 * 2^16 = 2^31, and exceeds twice that, the square of
`ring.NORM_LIMIT`, with probability (2/e)^1024 < 2^-452, as for Gaussian values: sums of fair signs have no
larger moments.

[Hoeffding63] W. Hoeffding, Probability inequalities for sums of bounded random variables, JASA 58.
"""


@dataclass(frozen=True)
class Rlwe:
    """Threshold encryption of fixed-point entries, a block at a time; sums come back exactly.

    Attributes:
        block: parameters in a block.
        threshold: m, openers needed; at least 1.
        workers: n; the points are 1 to n.
        fixed_point: the grid of the entries.
        members_limit: size of the largest active set; sums are proved to fit up to it.
        keys: how keys are shared: ``"prss"`` (`mdl.schemes.rlwe.pseudo_random`) or ``"shamir"``
            (`mdl.schemes.rlwe.sealed`).
        degree: N. A smaller one than the default protects nothing, and is for tests.

    Raises:
        ValueError: a field makes no sense, or what `capacity_problems` says.
    """

    block: int
    threshold: int
    workers: int
    fixed_point: FixedPoint
    members_limit: int
    keys: KeySharingName
    degree: int = ring.DEGREE

    def __post_init__(self) -> None:
        if min(self.block, self.threshold, self.workers, self.members_limit) < 1:
            raise ValueError(f"block, threshold, workers and members_limit must be at least 1: {self}")
        if problems := capacity_problems(self.fixed_point, self.members_limit):
            raise ValueError("; ".join(problems))
        if self.keys == "prss" and self.workers <= self.threshold:
            raise ValueError(f"an opener's share would tell its key: {self.workers} workers, as many open")
        if self._keys.terms * self.members_limit > TERMS_LIMIT:
            raise ValueError(f"sums of {self.members_limit} keys of {self._keys.terms} terms are too long")

    @property
    def body_bytes(self) -> int:
        """Four for each parameter."""
        return self.block * _WORD_BYTES

    @property
    def hint_bytes(self) -> int:
        """See `mdl.schemes.rlwe.keys.KeySharing`."""
        return self._keys.hint_bytes

    @property
    def shown_bytes(self) -> int:
        """See `mdl.schemes.rlwe.keys.KeySharing`."""
        return self._keys.shown_bytes

    @property
    def share_bytes(self) -> int:
        """A share of a key: 4 KiB."""
        return self.degree * field.BYTES

    @property
    def members_first(self) -> bool:
        """No: sets close over what has come."""
        return False

    def shown(self, hint: bytes, opener: PartyId) -> bytes:
        """Cut out of rows of hint what this opener needs to be shown.

        Raises:
            SchemeError: `opener` is no point that was dealt to.
        """
        return self._keys.shown(hint, opener)

    def prepare(self) -> None:
        """Derive the public polynomials and transform them: 16 bytes a parameter of a block."""
        ring.prepare(self.block, self.degree)

    def deal(self, points: Sequence[PartyId], *, rng: Randomness) -> tuple[bytes, Mapping[PartyId, KeyShare]]:
        """Deal what sharing keys takes; the public key is digests of it.

        Raises:
            NotEnoughShares: fewer points than the threshold: nobody could ever open anything.
            ValueError: the points are not distinct, or not 1 to n where shares are sealed.
        """
        public, secrets = self._keys.deal(points, rng=rng)
        return public, {point: KeyShare(point, secret) for point, secret in secrets.items()}

    def check_key_share(self, public_key: bytes, share: KeyShare) -> None:
        """Verify one's own keys against the public digests.

        Raises:
            InvalidShare: they do not fit.
        """
        self._keys.check(public_key, share)

    def encrypt(
        self,
        public_key: bytes,
        key_share: KeyShare,
        plaintext: Integers,
        context: Context,
        *,
        rng: Randomness,
    ) -> Ciphertext:
        """Encrypt each row as A s + e + D x under a fresh key; shape (len(context.blocks), block).

        Raises:
            OutOfRange: an entry is outside ±fixed_point.limit.
        """
        assert plaintext.shape == (len(context.blocks), self.block)
        assert len(set(context.blocks)) == len(context.blocks)  # two rows of one block would share a key
        if outside(plaintext, self.fixed_point.limit):
            raise OutOfRange(f"an entry is outside ±{self.fixed_point.limit}")
        dealt = self._keys.draw(key_share, context, rng=rng)
        rows = plaintext.astype(np.uint32)
        rows *= _step(self.members_limit)
        binomial.add(rows, rng=rng)
        ring.add_products(rows, dealt.keys)
        return Ciphertext(body=rows.astype("<u4", copy=False).tobytes(), hint=dealt.hint)

    def add(self, bodies: Sequence[bytes], context: Context) -> bytes:
        """Add the members' bodies modulo q.

        Raises:
            InvalidShare: a body has the wrong length.
            OutOfRange: more members than sums fit for.
        """
        assert len(bodies) == len(context.members)
        self._check_members(context)
        total = np.zeros((len(context.blocks), self.block), np.uint32)
        for member, body in zip(context.members, bodies, strict=True):
            total += self._read(body, context, [member])
        return total.astype("<u4", copy=False).tobytes()

    def decryption_share(
        self, key_share: KeyShare, hints: Sequence[bytes], context: Context, *, rng: Randomness
    ) -> bytes:
        """Answer with z_i times one's share of the sum of the members' keys, z_i mod p.

        Raises:
            InvalidShare: a hint is malformed, or what it seals does not open.
            NotEnoughShares: fewer openers than the threshold.
            SchemeError: an opener is named twice, or a party is no point.
        """
        assert key_share.point in context.openers
        assert len(hints) == len(context.members)
        self._check_members(context)
        z = self._lagrange(context.openers)[key_share.point]
        return field.pack(field.scaled(self._keys.sums(key_share, hints, context), z))

    def rebase(self, share: bytes, opener: PartyId, context: Context, openers: tuple[PartyId, ...]) -> bytes:
        """Multiply a share by z' / z: from the coefficient among `context.openers` to that among `openers`.

        Raises:
            InvalidShare: the share is malformed.
            NotEnoughShares: fewer openers than the threshold.
            SchemeError: an opener is named twice, or is no point.
        """
        before = self._lagrange(context.openers)[opener]
        after = self._lagrange(openers)[opener]
        elements = field.unpack(share, self.degree, len(context.blocks), [opener])
        return field.pack(field.scaled(elements, after * pow(before, -1, field.P) % field.P))

    def combine(self, body: bytes, shares: Mapping[PartyId, bytes], context: Context) -> Integers:
        """Take A s off the body and decode: shape (len(context.blocks), block).

        Raises:
            NotEnoughShares: the shares are not those of `context.openers`, or fewer than the threshold.
            InvalidShare: a share is malformed.
            OutOfRange: a value is no sum of so many members, or a key is too long (a share or a body is
                wrong).
        """
        self._check_members(context)
        if set(shares) != set(context.openers) or len(shares) < self.threshold:
            raise NotEnoughShares(
                f"shares of {sorted(shares)}, openers {sorted(context.openers)}, threshold {self.threshold}"
            )
        rows = self._read(body, context, []).astype(np.uint32)
        ring.add_products(rows, -self._sum_of_keys(shares, context))
        return self._decoded(rows, len(context.members))

    @property
    def _keys(self) -> KeySharing:
        sharing = PseudoRandomKeys if self.keys == "prss" else SealedKeys
        return sharing(self.workers, self.threshold, self.degree)

    def _sum_of_keys(self, shares: Mapping[PartyId, bytes], context: Context) -> ring.Keys:
        total = np.zeros((len(context.blocks), self.degree), np.int64)
        for opener, share in shares.items():
            total += field.unpack(share, self.degree, len(context.blocks), [opener])
        return field.centred(field.reduce(total))

    def _decoded(self, rows: ring.Words, members: int) -> Integers:
        """Round D x + e to x; both must be what so many members can give."""
        step, largest_error = _step(self.members_limit), members * binomial.LARGEST
        sums = np.empty(rows.shape, np.int64)
        decoded, values = sums.reshape(-1), rows.view(np.int32).reshape(-1)
        for first in range(0, sums.size, _CHUNK):
            here = slice(first, first + _CHUNK)
            # No quotient is nearer than 1/(2D) to the middle of two integers; each errs by 2^-22 / D at most.
            rounded = np.rint(values[here] / step)
            decoded[here] = rounded
            if np.abs(values[here] - step * rounded).max() > largest_error:
                raise OutOfRange(f"not the errors of {members} members: a share or a body is wrong")
        if outside(sums, self.fixed_point.bound(members)):
            raise OutOfRange(f"a value that is no sum of {members} entries: a share or a body is wrong")
        return sums

    def _check_members(self, context: Context) -> None:
        if len(context.members) > self.members_limit:
            raise OutOfRange(f"{len(context.members)} members, but sums fit for {self.members_limit} only")

    def _read(self, body: bytes, context: Context, culprits: Sequence[PartyId]) -> ring.Words:
        if len(body) != len(context.blocks) * self.body_bytes:
            raise InvalidShare(f"{len(body)} bytes are not {len(context.blocks)} bodies", culprits)
        return np.frombuffer(body, "<u4").reshape(-1, self.block)

    def _lagrange(self, openers: Sequence[PartyId]) -> Mapping[PartyId, int]:
        if len(openers) < self.threshold:
            raise NotEnoughShares(f"{len(openers)} openers, threshold {self.threshold}")
        try:
            return shamir.lagrange_at_zero(openers, field.P)
        except ValueError as problem:
            # The manager names the openers, so this is a peer's fault and not a bug.
            raise SchemeError(f"these cannot open anything: {problem}") from None


def capacity_problems(fixed_point: FixedPoint, members: int) -> list[str]:
    """Say why sums of so many entries do not fit; [] if they do."""
    bound, largest = fixed_point.bound(members), _largest(members)
    if bound <= largest:
        return []
    fit = f"{largest:,} is what fits beside the noise of {members} members"
    return [f"sums reach {bound:,}, and {fit}: {what_fits(fixed_point, members, largest)}"]


def explain_capacity(fixed_point: FixedPoint, members: int) -> str:
    """Say why sums of so many entries fit."""
    bound, largest = fixed_point.bound(members), _largest(members)
    return f"room for sums up to {largest:,}; those of {members} workers reach {bound:,}"


def _step(members: int) -> int:
    """D: above twice the largest sum of so many errors."""
    return 2 * binomial.LARGEST * members + 1


def _largest(members: int) -> int:
    """Give the largest bound for which D (2 bound + 1) <= 3/4 q: one random value in four is no sum."""
    return ((3 << ring.MODULUS_BITS - 2) // _step(members) - 1) // 2
