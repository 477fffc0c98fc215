"""Threshold ElGamal modulo N², additive and packed: the descendant of Paillier's scheme whose key is shared.

[Paillier99] P. Paillier, Public-key cryptosystems based on composite degree residuosity classes, EUROCRYPT
'99. [BCP03] E. Bresson, D. Catalano, D. Pointcheval, A simple public-key cryptosystem with a double trapdoor
decryption mechanism, ASIACRYPT 2003. [DJ03] I. Damgård, M. Jurik, A length-flexible threshold cryptosystem
with applications, ACISP 2003: what is here is theirs for s = 1, but that N-th powers are taken before the
exponents, where tables serve, and that keys form a grid.

Several entries are packed into a plaintext M below N (`mdl.schemes.packing`). A block is a grid of plaintexts
in lines of K columns. Each column has a key h_k (`mdl.schemes.paillier_keys`), each line a fresh nonce r:

    hint      g^r mod N, one a line
    body      h_k^r (1 + N)^M mod N², one a plaintext; (1 + N)^M = 1 + M N mod N²

Over an active set bodies multiply to h_k^R (1 + N)^(sum of M), and hints to X = g^R, R the sum of the nonces.
An opener j lifts the product of the hints, Y = X^(2N) mod N², and answers Y^{f_k(j)} for each column. With
Lagrange's coefficients times Δ = n! as exponents, which are integers, the answers multiply to Y^(Δ f_k(0)) =
Y^(Δ² s_k) = h_k^R, and the manager divides by it. An answer does not depend on who the other openers are.

*What it rests on.* On the decisional Diffie-Hellman assumption in the squares modulo N, and the decisional
composite residuosity assumption [Paillier99]; whoever factors N breaks both. By the first, the h_k^r of
independent keys and nonces look like independent random N-th powers to one who knows all h_k and g^r. That is
why a line may share its nonce [Bellare, Boldyreva, Staddon, Randomness re-use in multi-recipient encryption
schemes, PKC 2003]. By the second, a random N-th power hides what it is multiplied by. Nonces and secret keys
have 256 bits, the group's order has nearly all of N's: this is the short-exponent assumption, against which
the best known attack takes 2^128 steps (half-size exponents are proved safe if factoring is hard [Goldreich,
Rosen, J. Cryptology 16, 2003]). It fails in groups with small orders, so the factors of N are safe primes. A
quantum computer breaks it all.

*Who can open.* Any m = `threshold` workers, and the authority until it forgets the key. Fewer workers with
the manager learn no more than the opened sums. Their key shares say nothing of the keys, but with probability
2^-64 (`mdl.schemes.integer_shares`). From these shares and an opened mask they could compute every other
answer themselves: f_k(j) is a combination of Δ s_k and the f_k(i) with denominators that divide Δ, and a
reduction takes for g the Δ-th power of its challenge's base, so that all exponents are integers. (Δ has no
factor in common with the order.)

*Alien hints.* Any unit modulo N lifts to an element of the group of order p'q'. So no hint makes an opener
raise an element of small order to its key, nor one of order N, which would tell the key at once, as
(1 + N)^f = 1 + f N.

*Altered answers and bodies.* What is opened must be 1 modulo N and hold possible sums only. A damaged answer,
or one with another key, passes with probability of about 1 / N: it is noticed, but not whose it is. A body or
an answer that was multiplied by (1 + N)^x on purpose shifts the sum, which nothing tells from another update.

Nothing here is constant time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gmpy2 import mpz, powmod_base_list

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange, SchemeError
from mdl.party import PartyId
from mdl.schemes.combs import powers
from mdl.schemes.fixed_point import FixedPoint, outside
from mdl.schemes.integer_shares import IntegerSharing
from mdl.schemes.packing import Packing
from mdl.schemes.paillier_keys import KEPT, NONCE_BITS, KeyLayout, Modulus, PublicKey
from mdl.schemes.residues import Residues
from mdl.schemes.threshold import Ciphertext, Context, KeyShare
from mdl.system import Randomness
from mdl.vectors import Integers

COLUMNS_LIMIT: Final = 128
"""Keys of a grid, at most. More make openers' tables serve longer, and members keep more tables: 256 KiB each
at 2048 bits, 32 MiB for all of these."""


@dataclass(frozen=True)
class Paillier:
    """Threshold encryption of fixed-point entries, packed; sums come back exactly.

    Attributes:
        modulus_bits: bits of N, a multiple of 16.
        block: parameters in a block.
        threshold: m, openers needed; at least 1.
        workers: n, at least the threshold; points are 1 to n.
        fixed_point: the grid of the entries.
        members_limit: size of the largest active set; sums are proved to fit up to it.

    Raises:
        ValueError: the sums do not fit (`mdl.schemes.packing`), or a field makes no sense.
    """

    modulus_bits: int
    block: int
    threshold: int
    workers: int
    fixed_point: FixedPoint
    members_limit: int

    def __post_init__(self) -> None:
        if min(self.block, self.threshold, self.members_limit) < 1 or self.threshold > self.workers:
            raise ValueError(
                f"block, threshold and members_limit must be at least 1, and workers the threshold: {self}"
            )
        if problems := self.packing.problems():
            raise ValueError("; ".join(problems))

    @property
    def packing(self) -> Packing:
        """How entries are packed into plaintexts."""
        return Packing(self.modulus_bits, self.fixed_point, self.members_limit)

    @property
    def plaintexts(self) -> int:
        """Plaintexts of a block."""
        return self.packing.plaintexts(self.block)

    @property
    def lines(self) -> int:
        """Lines of a block's grid: nonces."""
        return -(-self.plaintexts // COLUMNS_LIMIT)

    @property
    def columns(self) -> int:
        """Columns K of the grid: keys. The last line may be shorter."""
        return -(-self.plaintexts // self.lines)

    @property
    def sharing(self) -> IntegerSharing:
        """How the keys are shared."""
        return IntegerSharing(self.workers, self.threshold, self.columns)

    @property
    def body_bytes(self) -> int:
        """N, as the manager is told it by nobody else, and a residue modulo N² for each plaintext."""
        return self._keys.hint_width + self.plaintexts * self._keys.body_width

    @property
    def hint_bytes(self) -> int:
        """A residue modulo N for each line."""
        return self.lines * self._keys.hint_width

    @property
    def shown_bytes(self) -> int:
        """The whole hint."""
        return self.hint_bytes

    @property
    def share_bytes(self) -> int:
        """A residue modulo N² for each plaintext."""
        return self.plaintexts * self._keys.body_width

    @property
    def members_first(self) -> bool:
        """No: sets close over what has come."""
        return False

    def shown(self, hint: bytes, opener: PartyId) -> bytes:
        """Show the whole hint to everybody."""
        return hint

    def prepare(self) -> None:
        """There is nothing to build: opening keeps no tables."""

    def deal(self, points: Sequence[PartyId], *, rng: Randomness) -> tuple[bytes, Mapping[PartyId, KeyShare]]:
        """Draw a modulus and keys, share these, commit to them. It takes a second at 2048 bits, six at 3072.

        Raises:
            NotEnoughShares: fewer points than the threshold: nobody could ever open anything.
            ValueError: a point is not in [1, workers], or occurs twice.
        """
        if len(points) < self.threshold:
            raise NotEnoughShares(f"{len(points)} key shares cannot reach a threshold of {self.threshold}")
        if len(set(points)) < len(points) or not all(1 <= point <= self.workers for point in points):
            raise ValueError(f"points must be distinct and in [1, {self.workers}]: {list(points)}")
        public_key, secrets = self._keys.deal(points, rng=rng)
        return public_key, {point: KeyShare(point, secret) for point, secret in secrets.items()}

    def check_key_share(self, public_key: bytes, share: KeyShare) -> None:
        """Verify one's own key share against the public key's commitments.

        Raises:
            InvalidShare: it does not lie on the committed polynomial, or one of the two is malformed.
        """
        self._keys.check(_public_key(self._keys, public_key), share.point, share.secret)

    def encrypt(
        self,
        public_key: bytes,
        key_share: KeyShare,
        plaintext: Integers,
        context: Context,
        *,
        rng: Randomness,
    ) -> Ciphertext:
        """Encrypt with a fresh nonce a line; shape (len(context.blocks), block).

        Raises:
            OutOfRange: an entry is outside ±fixed_point.limit.
            InvalidShare: the public key is malformed.
        """
        assert plaintext.shape == (len(context.blocks), self.block)
        if outside(plaintext, self.fixed_point.limit):
            raise OutOfRange(f"an entry is outside ±{self.fixed_point.limit}")
        key = _public_key(self._keys, public_key)
        n, modulus = key.modulus.n, key.modulus.bodies.modulus
        rows = self.packing.write(plaintext)
        lines = [row[at : at + self.columns] for row in rows for at in range(0, len(row), self.columns)]
        nonces = KEPT.digits([rng.below(1 << NONCE_BITS) for _ in lines]).tolist()
        hints = [key.generator_comb.power(nonce) for nonce in nonces]
        # Column by column, so that one table at a time is in the processor's cache.
        for column, powers_of_key in enumerate(key.key_combs):
            for line, nonce in zip(lines, nonces, strict=True):
                if column < len(line):
                    line[column] = powers_of_key.power(nonce) * (1 + line[column] * n) % modulus
        return Ciphertext(
            body=self._write_bodies(key.modulus, [body for line in lines for body in line]),
            hint=key.modulus.hints.pack(hints),
        )

    def add(self, bodies: Sequence[bytes], context: Context) -> bytes:
        """Multiply the members' bodies, row by row.

        Raises:
            InvalidShare: a body is malformed, holds what is no unit, or names another modulus.
            OutOfRange: more members than members_limit.
        """
        self._check_members(context)
        assert len(bodies) == len(context.members)
        read = {
            member: self._read_bodies(body, context, [member])
            for member, body in zip(context.members, bodies, strict=True)
        }
        moduli = [modulus.n for modulus, _ in read.values()]
        usual = max(moduli, key=moduli.count)
        if strangers := [member for member, (modulus, _) in read.items() if modulus.n != usual]:
            raise InvalidShare("a body under a modulus that most others are not under", strangers)
        modulus = next(iter(read.values()))[0]
        product = modulus.bodies.multiply_sent({member: sent for member, (_, sent) in read.items()})
        return self._write_bodies(modulus, product)

    def decryption_share(
        self, key_share: KeyShare, hints: Sequence[bytes], context: Context, *, rng: Randomness
    ) -> bytes:
        """Answer Y^{f_k(j)} for each plaintext, Y the lifted product of its line's hints.

        Raises:
            InvalidShare: a hint is malformed, or no unit.
            NotEnoughShares: fewer openers than the threshold.
            SchemeError: an opener is named twice, or is no point.
        """
        assert key_share.point in context.openers
        self._lagrange(context.openers)
        modulus, shares = self._keys.read_secret(key_share.point, key_share.secret)
        count = len(context.blocks) * self.lines
        read = {
            member: modulus.hints.unpack(hint, count, [member])
            for member, hint in zip(context.members, hints, strict=True)
        }
        # The list call releases the interpreter's lock for all of it.
        lifted = powmod_base_list(modulus.hints.multiply_sent(read), modulus.lift, modulus.bodies.modulus)
        answers: list[mpz] = []
        for line, base in enumerate(lifted):
            left = self.plaintexts - line % self.lines * self.columns
            exponents = shares[: min(left, self.columns)]
            answers += powers(base, modulus.bodies.modulus, exponents, self.sharing.share_bits)
        return modulus.bodies.pack(answers)

    def rebase(self, share: bytes, opener: PartyId, context: Context, openers: tuple[PartyId, ...]) -> bytes:
        """Give the share itself: it does not depend on who else opens."""
        return share

    def combine(self, body: bytes, shares: Mapping[PartyId, bytes], context: Context) -> Integers:
        """Divide the body by the mask that the shares make, and unpack: shape (len(context.blocks), block).

        Raises:
            NotEnoughShares: the shares are not those of `context.openers`, or fewer than the threshold.
            InvalidShare: a share is malformed, or holds what is no unit.
            OutOfRange: a row decodes to no sum of so many members (a share or a body is wrong).
            SchemeError: an opener is named twice, or is no point.
        """
        self._check_members(context)
        if set(shares) != set(context.openers):
            raise NotEnoughShares(f"shares of {sorted(shares)}, openers {sorted(context.openers)}")
        common, coefficients = self._lagrange(context.openers)
        modulus, bodies = self._read_bodies(body, context, ())
        rows = len(context.blocks) * self.plaintexts
        read = {opener: modulus.bodies.unpack(shares[opener], rows, [opener]) for opener in context.openers}
        modulus.bodies.check_units(read)
        unmasked = _unmask(modulus.bodies, bodies, list(read.values()), coefficients, common)
        if any(x % modulus.n != 1 for x in unmasked):
            raise OutOfRange("a row decodes to no sum: a share or a body is wrong")
        sums = [x // modulus.n for x in unmasked]
        width = self.plaintexts
        grouped = [sums[at : at + width] for at in range(0, len(sums), width)]
        return self.packing.read(grouped, self.block, len(context.members))

    @property
    def _keys(self) -> KeyLayout:
        return KeyLayout(self.modulus_bits, self.sharing)

    def _check_members(self, context: Context) -> None:
        if len(context.members) > self.members_limit:
            raise OutOfRange(f"{len(context.members)} members, but sums fit for {self.members_limit} only")

    def _lagrange(self, openers: Sequence[PartyId]) -> tuple[int, list[int]]:
        if len(openers) < self.threshold:
            raise NotEnoughShares(f"{len(openers)} openers, threshold {self.threshold}")
        try:
            return self.sharing.lagrange(openers)
        except ValueError as problem:
            # The manager names the openers, so this is a peer's fault and not a bug.
            raise SchemeError(f"these cannot open anything: {problem}") from None

    def _write_bodies(self, modulus: Modulus, bodies: Sequence[mpz]) -> bytes:
        """Write rows: N, and what the row holds."""
        head, packed = modulus.hints.pack([modulus.n]), modulus.bodies.pack(bodies)
        width = self.plaintexts * self._keys.body_width
        return b"".join([head + packed[at : at + width] for at in range(0, len(packed), width)])

    def _read_bodies(
        self, packed: bytes, context: Context, culprits: Sequence[PartyId]
    ) -> tuple[Modulus, list[mpz]]:
        """Read rows: the modulus that all of them name, and what they hold."""
        width = self.body_bytes
        if len(packed) != len(context.blocks) * width:
            raise InvalidShare(f"{len(packed)} bytes are not {len(context.blocks)} bodies", culprits)
        head = packed[: self._keys.hint_width]
        rows = [packed[at : at + width] for at in range(0, len(packed), width)]
        if not all(row.startswith(head) for row in rows):
            raise InvalidShare("rows under different moduli", culprits)
        modulus = self._keys.read_modulus(head, culprits)
        held = b"".join(row[len(head) :] for row in rows)
        return modulus, modulus.bodies.unpack(held, len(rows) * self.plaintexts, culprits)


@lru_cache(maxsize=2)
def _public_key(layout: KeyLayout, packed: bytes) -> PublicKey:
    """Read a public key once per process: its tables stay."""
    return layout.read_public(packed)


def _unmask(
    residues: Residues,
    bodies: Sequence[mpz],
    answers: Sequence[Sequence[mpz]],
    coefficients: Sequence[int],
    common: int,
) -> list[mpz]:
    """Divide each body by the product of its answers to the powers common * coefficients."""
    ones = [mpz(1)] * len(bodies)
    over, under = [ones], [ones]
    for column, coefficient in zip(answers, coefficients, strict=True):
        raised = powmod_base_list(list(column), abs(coefficient), residues.modulus)
        (under if coefficient > 0 else over).append(raised)
    quotients = residues.multiply([residues.multiply(over), residues.inverses(residues.multiply(under))])
    return residues.multiply([bodies, powmod_base_list(quotients, common, residues.modulus)])
