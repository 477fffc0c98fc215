"""Keys of `mdl.schemes.paillier`: a modulus that nobody can factor, and K keys that are shared side by side.

The authority draws N = pq from safe primes p = 2p' + 1, q = 2q' + 1, and forgets them. The squares modulo N
are a cyclic group of order p'q', so are the squares of N-th powers modulo N², and x -> x^(2N) mod N² maps the
one to the other, one to one. The generator g is a square modulo N. With Δ = n! and secrets s_k,

    h_k = g^(2N Δ² s_k) mod N².

Each s_k is shared by the integer polynomial f_k of `mdl.schemes.integer_shares`, f_k(0) = Δ s_k.

*The check of a share* is Feldman's, for all keys at once: with factors ρ_k, hashed from the public key, the
sum of the ρ_k f_k is one polynomial. The authority commits to its coefficients, from the second on; the first
is in the product of the h_k^{ρ_k}. All of it modulo N, as x -> x mod N is one to one on N-th powers. A share
that was damaged, or is another worker's, passes with probability 2^-128. A lying authority is not what the
check is for.

[Feldman87] P. Feldman, A practical scheme for non-interactive verifiable secret sharing, FOCS 1987.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from gmpy2 import gcd, mpz, powmod

from mdl.errors import InvalidShare
from mdl.party import PartyId
from mdl.schemes.combs import Comb, Shape, comb
from mdl.schemes.integer_shares import SECRET_BITS, IntegerSharing, evaluate
from mdl.schemes.residues import Residues
from mdl.schemes.safe_primes import safe_prime
from mdl.system import Randomness

NONCE_BITS: Final = 256

KEPT: Final = Shape(NONCE_BITS, teeth=8, tables=2)
"""How the powers of the public bases are taken: 48 products each, from tables of 256 KiB at 2048 bits."""

_FACTOR_BYTES: Final = 16


@dataclass(frozen=True, eq=False)
class Modulus:
    """N, and what is computed with modulo N and modulo N²."""

    n: mpz

    @cached_property
    def hints(self) -> Residues:
        """Units modulo N."""
        return Residues(self.n)

    @cached_property
    def bodies(self) -> Residues:
        """Units modulo N²."""
        return Residues(self.n * self.n)

    @cached_property
    def lift(self) -> mpz:
        """The exponent 2N, which turns any unit modulo N into an element of the group modulo N²."""
        return 2 * self.n


@dataclass(frozen=True, eq=False)
class PublicKey:
    """What everybody knows.

    Attributes:
        modulus: N.
        generator: g, modulo N.
        keys: h_1 ... h_K, modulo N².
        commitments: to the coefficients of the combined polynomial from the second on, modulo N.
    """

    modulus: Modulus
    generator: mpz
    keys: tuple[mpz, ...]
    commitments: tuple[mpz, ...]

    @cached_property
    def generator_comb(self) -> Comb:
        """Powers of g."""
        return comb(self.generator, self.modulus.n, KEPT)

    @cached_property
    def key_combs(self) -> Sequence[Comb]:
        """Powers of each h_k. All of it is public."""
        return [comb(key, self.modulus.bodies.modulus, KEPT) for key in self.keys]


@dataclass(frozen=True)
class KeyLayout:
    """How keys are made and written.

    Attributes:
        modulus_bits: bits of N, a multiple of 16.
        sharing: who holds shares of how many keys.
    """

    modulus_bits: int
    sharing: IntegerSharing

    @property
    def hint_width(self) -> int:
        """Bytes of N, and of a residue modulo N."""
        return self.modulus_bits // 8

    @property
    def body_width(self) -> int:
        """Bytes of a residue modulo N²."""
        return 2 * self.hint_width

    @property
    def _share_width(self) -> int:
        return -(-self.sharing.share_bits // 8)

    def deal(self, points: Sequence[PartyId], *, rng: Randomness) -> tuple[bytes, Mapping[PartyId, bytes]]:
        """Make the public key, and each point's secret. The factors of N and the s_k are forgotten."""
        modulus = Modulus(_modulus(self.modulus_bits, rng=rng))
        generator = _square(modulus, rng=rng)
        base = self._base(modulus, generator)
        polynomials = [
            self.sharing.polynomial(rng.below(1 << SECRET_BITS), rng=rng) for _ in range(self.sharing.secrets)
        ]
        keys = [powmod(base, polynomial[0], modulus.bodies.modulus) for polynomial in polynomials]
        factors = _factors(modulus, generator, keys)
        commitments = [
            powmod(base, _combined(factors, coefficients), modulus.n)
            for coefficients in list(zip(*polynomials, strict=True))[1:]
        ]
        public = [modulus.hints.pack([modulus.n, generator]), modulus.bodies.pack(keys)]
        public.append(modulus.hints.pack(commitments))
        return b"".join(public), {point: self._write(modulus, polynomials, point) for point in points}

    def read_public(self, packed: bytes) -> PublicKey:
        """Read a public key.

        Raises:
            InvalidShare: it is malformed, or what should be a unit is none.
        """
        head, tail = 2 * self.hint_width, 2 * self.hint_width + self.sharing.secrets * self.body_width
        if len(packed) != tail + (self.sharing.threshold - 1) * self.hint_width:
            raise InvalidShare(f"a public key of {len(packed)} bytes does not fit the scheme")
        modulus = self.read_modulus(packed, ())
        (generator,) = modulus.hints.unpack(packed[self.hint_width : head], 1, ())
        keys = modulus.bodies.unpack(packed[head:tail], self.sharing.secrets, ())
        commitments = modulus.hints.unpack(packed[tail:], self.sharing.threshold - 1, ())
        if not modulus.hints.are_units([generator, *keys, *commitments]):
            raise InvalidShare("the public key holds what is no unit")
        return PublicKey(modulus, generator, tuple(keys), tuple(commitments))

    def read_modulus(self, packed: bytes, culprits: Sequence[PartyId]) -> Modulus:
        """Read the N that public keys, secrets and bodies begin with.

        Raises:
            InvalidShare: it is no odd number of `modulus_bits` bits.
        """
        n = mpz.from_bytes(packed[: self.hint_width], "big")
        if n.bit_length() != self.modulus_bits or n % 2 == 0:
            raise InvalidShare(f"no modulus of {self.modulus_bits} bits", culprits)
        return Modulus(n)

    def read_secret(self, point: PartyId, secret: bytes) -> tuple[Modulus, list[int]]:
        """Read a worker's secret: N, and f_1(point) ... f_K(point).

        Raises:
            InvalidShare: it is malformed, or a share is larger than any that is dealt.
        """
        width, count = self._share_width, self.sharing.secrets
        if len(secret) != self.hint_width + count * width:
            raise InvalidShare(f"the key share of worker {point} does not fit the scheme")
        modulus = self.read_modulus(secret, ())
        starts = range(self.hint_width, len(secret), width)
        shares = [int.from_bytes(secret[at : at + width], "big") for at in starts]
        if max(shares).bit_length() > self.sharing.share_bits:
            raise InvalidShare(f"the key share of worker {point} is larger than any that is dealt")
        return modulus, shares

    def check(self, public_key: PublicKey, point: PartyId, secret: bytes) -> None:
        """Verify one's own shares against the commitments.

        Raises:
            InvalidShare: they do not lie on the committed polynomial, or are malformed.
        """
        modulus, shares = self.read_secret(point, secret)
        n, generator, keys = public_key.modulus.n, public_key.generator, public_key.keys
        if modulus.n != n or not 1 <= point <= self.sharing.workers:
            raise InvalidShare(f"the key share of worker {point} does not fit the public key")
        factors = _factors(modulus, generator, keys)
        own = powmod(self._base(modulus, generator), _combined(factors, shares), n)
        due = mpz(1)
        for key, factor in zip(keys, factors, strict=True):
            due = due * powmod(key, factor, n) % n
        for degree, commitment in enumerate(public_key.commitments, start=1):
            due = due * powmod(commitment, point**degree, n) % n
        if own != due:
            raise InvalidShare(f"the key share of worker {point} does not fit the public key")

    def _base(self, modulus: Modulus, generator: mpz) -> mpz:
        """Give g^(2N Δ) mod N², of which a key is the f_k(0)-th power, f_k(0) = Δ s_k."""
        return powmod(generator, modulus.lift * self.sharing.delta, modulus.bodies.modulus)

    def _write(self, modulus: Modulus, polynomials: Sequence[Sequence[int]], point: PartyId) -> bytes:
        shares = [evaluate(polynomial, point) for polynomial in polynomials]
        width = self._share_width
        return modulus.hints.pack([modulus.n]) + b"".join(share.to_bytes(width, "big") for share in shares)


def _modulus(bits: int, *, rng: Randomness) -> mpz:
    """Draw N = pq of exactly so many bits."""
    p, q = safe_prime(bits // 2, rng=rng), safe_prime(bits // 2, rng=rng)
    # Equal, or one of them the other's (p - 1) / 2, with probability 2^-100 even for the smallest.
    assert p != q
    return p * q


def _square(modulus: Modulus, *, rng: Randomness) -> mpz:
    """Draw a square modulo N: it generates all of them, but with probability about 1/p' + 1/q'."""
    root = mpz(rng.below(int(modulus.n) - 2) + 2)
    assert gcd(root, modulus.n) == 1
    return root * root % modulus.n


def _factors(modulus: Modulus, generator: mpz, keys: Sequence[mpz]) -> list[int]:
    """Hash the public key to a factor ρ_k for each key."""
    written = modulus.hints.pack([modulus.n, generator]) + modulus.bodies.pack(keys)
    stream = hashlib.shake_256(b"mdl paillier key check" + written).digest(_FACTOR_BYTES * len(keys))
    starts = range(0, len(stream), _FACTOR_BYTES)
    return [int.from_bytes(stream[at : at + _FACTOR_BYTES], "big") for at in starts]


def _combined(factors: Sequence[int], values: Sequence[int]) -> int:
    return sum(factor * value for factor, value in zip(factors, values, strict=True))
