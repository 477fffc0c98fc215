"""Multiparty BFV for sums: everybody encrypts under one key, and all together open, to one of them.

[Mouchet21] C. Mouchet, J. Troncoso-Pastoriza, J.-P. Bossuat, J.-P. Hubaux, Multiparty homomorphic
encryption from Ring-Learning-with-Errors, PoPETs 2021(4): collective key generation (§4.1) and key
switching (§4.3). [FV12] J. Fan, F. Vercauteren, Somewhat practical fully homomorphic encryption, eprint
2012/144. [HES18] The homomorphic-encryption standard of 2018, table 1.

A group of g parties. a is public, s_j is party j's ternary secret, s their sum, which nobody knows.

- j publishes b_j = -a s_j + e_j. The collective key is (b, a), b the sum of all b_j: b + a s is small.
- To encrypt m, |m| < T/2: c_0 = b u + e_0 + Δm, c_1 = a u + e_1, u ternary, Δ = q/T. Ciphertexts add. As q
  and T are powers of two, Δ is one too, and nothing is lost by wrapping around.
- To open c to one of them, each other party gives it h_j = c_1 s_j + f_j, and it adds its own c_1 s_i: c_0
  + Σ h_j = Δ Σm + noise, to be rounded. f_j, uniform in [-2^(k-1), 2^(k-1)), drowns what the noise of the
  ciphertexts would tell of others' secrets.

What holds. Without one party's share, what is opened is uniform. Semantic security, against all parties but
one together, rests on Ring-LWE with N = 4096, ternary secrets and log2 q = 96: the standard allows 109 bits
at 128 bits of security. Errors have the binomial distribution of variance 16 (σ = 4; the standard's is
3.2), within ±32.

Noise, in the worst case. With K ciphertexts in the sum, |e u| and |s e_1| are at most N g 32 each, so all
of them come to at most K (2 N g + 1) 32; the g - 1 shares' drowning noises to (g - 1) 2^(k-1). It must stay
below Δ/2. `drowning_bits` takes k as large as that allows: for T = 2^32 (Δ = 2^64) and g = 3, 62 bits.

How well it drowns. A coefficient of the noise that is drowned is at most K (2 N g + 1) 32 in absolute
value: 2^20.6 for g = 3, K = 2, and about 2^12 in practice. Uniform noise of 2^k values hides a shift by x
but for a statistical distance of |x| / 2^k: 2^-41 a coefficient at the worst.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.errors import OutOfRange
from mdl.schemes.bfv import ternary
from mdl.schemes.bfv.ring import (
    COEFFICIENT_BYTES,
    DEGREE,
    MODULUS_BITS,
    Elements,
    Spectrum,
    Ternary,
    product,
    spectra,
    total,
    transforms,
)
from mdl.schemes.fixed_point import outside
from mdl.schemes.prf import KEY_BYTES, stream
from mdl.schemes.rlwe import binomial
from mdl.system import Randomness
from mdl.vectors import Integers

STANDARD_TERNARY: Final = {1024: 27, 2048: 54, 4096: 109, 8192: 218}
"""By degree, the largest log2 q for 128 bits of security with ternary secrets [HES18]."""

_DRAWN_BITS: Final = 63
_LEAST_DROWNING: Final = 24
"""Bits that drowning noise must have beyond the worst case of what it drowns, itself 2^8 times the usual."""

_PUBLISHED: Final = b"mdl: common polynomial of multiparty BFV "


@dataclass(frozen=True, eq=False)
class Secret:
    """A party's part of the secret key.

    Attributes:
        polynomial: s_j, shape (N,).
        spectrum: its transform.
    """

    polynomial: Ternary
    spectrum: Spectrum

    @staticmethod
    def of(polynomial: Ternary) -> "Secret":
        """Make it of a ternary polynomial, shape (N,)."""
        return Secret(polynomial, spectra(polynomial))

    def __repr__(self) -> str:
        return "Secret(...)"


@dataclass(frozen=True, eq=False)
class CollectiveKey:
    """The key of a group: transforms of b and a."""

    b: Spectrum
    a: Spectrum


@dataclass(frozen=True, eq=False)
class Ciphertexts:
    """A ciphertext for each block of N integers: shapes (blocks, N)."""

    c0: Elements
    c1: Elements

    def __add__(self, other: "Ciphertexts") -> "Ciphertexts":
        return Ciphertexts(self.c0 + other.c0, self.c1 + other.c1)

    def tobytes(self) -> bytes:
        """Write them: c_0, then c_1."""
        return self.c0.tobytes() + self.c1.tobytes()


@dataclass(frozen=True)
class MultipartyBfv:
    """Parameters, and the local steps.

    Attributes:
        parties: g, of the largest group.
        plaintext_bits: log2 T, in [2, 32]: sums of plaintexts are in [-T/2, T/2).
        degree: N. Below 4096 it hides nothing, and is for tests.

    Raises:
        ValueError: the noise of so many parties does not fit, or a field is out of range.
    """

    parties: int
    plaintext_bits: int = 32
    degree: int = DEGREE

    def __post_init__(self) -> None:
        if self.parties < 2 or not 2 <= self.plaintext_bits <= 32:
            raise ValueError(f"parties must be at least 2, plaintext_bits 2 to 32: {self}")
        if self.drowning_bits < self._noise(self.parties).bit_length() + _LEAST_DROWNING:
            raise ValueError(f"noise of {self.parties} parties leaves no room to drown it")

    @property
    def insecure(self) -> bool:
        """Whether it has less than 128 bits of security."""
        return STANDARD_TERNARY.get(self.degree, 0) < MODULUS_BITS

    @property
    def scale_bits(self) -> int:
        """log2 Δ."""
        return MODULUS_BITS - self.plaintext_bits

    @property
    def drowning_bits(self) -> int:
        """k: drowning noises have 2^k values, as many as `parties` ciphertexts' noise leaves room for."""
        left = (1 << self.scale_bits - 1) - 1 - self._noise(self.parties)
        return min(_DRAWN_BITS, max(1, left // (self.parties - 1)).bit_length())

    @property
    def ciphertext_bytes(self) -> int:
        """Of a block."""
        return 2 * self.half_bytes

    @property
    def half_bytes(self) -> int:
        """Of a block of c_1, or of a share."""
        return self.degree * COEFFICIENT_BYTES

    def _noise(self, ciphertexts: int) -> int:
        """Bound the noise of a sum of ciphertexts, without what shares add."""
        return ciphertexts * (2 * self.degree * self.parties + 1) * binomial.LARGEST

    # -------------------------------------------------------------------------------------- keys

    def common(self, seed: bytes) -> Elements:
        """Derive the group's public polynomial a from a public seed, shape (N,): nobody can choose it."""
        shake = hashlib.shake_256(_PUBLISHED + seed)
        polynomials = Elements.read(shake.digest(self.half_bytes), self.degree)
        return Elements(polynomials.low[0], polynomials.high[0])

    def draw(self, *, rng: Randomness) -> Secret:
        """Draw a party's part of the secret key."""
        return Secret.of(ternary.draw((self.degree,), rng=rng))

    def public_share(self, secret: Secret, common: Elements, *, rng: Randomness) -> Elements:
        """Give b_j, shape (N,)."""
        return -product(transforms(common), secret.spectrum) + self._errors((self.degree,), rng)

    def collective(self, shares: Sequence[Elements], common: Elements) -> CollectiveKey:
        """Put the collective key together from all parties' b_j."""
        return CollectiveKey(transforms(total(shares)), transforms(common))

    # -------------------------------------------------------------------------------------- use

    def encrypt(self, key: CollectiveKey, plaintext: Integers, *, rng: Randomness) -> Ciphertexts:
        """Encrypt integers, shape (blocks, N).

        Raises:
            OutOfRange: one is outside [-T/2, T/2).
        """
        self._check(plaintext)
        shape = plaintext.shape
        u = spectra(ternary.draw(shape, rng=rng))
        c0 = product(key.b[:, None], u) + self._errors(shape, rng)
        c1 = product(key.a[:, None], u) + self._errors(shape, rng)
        return Ciphertexts(c0.raised(plaintext, self.scale_bits), c1)

    def plus(self, ciphertexts: Ciphertexts, plaintext: Integers) -> Ciphertexts:
        """Add integers that the one who opens knows itself: they need no encryption.

        Raises:
            OutOfRange: one is outside [-T/2, T/2).
        """
        self._check(plaintext)
        return Ciphertexts(ciphertexts.c0.raised(plaintext, self.scale_bits), ciphertexts.c1)

    def share(self, secret: Secret, c1: Elements, *, rng: Randomness) -> Elements:
        """Give h_j for c_1 of a sum, shape (blocks, N)."""
        return self.own_share(secret, c1) + Elements.of(self._drowning(c1.low.shape, rng))

    def own_share(self, secret: Secret, c1: Elements) -> Elements:
        """Give c_1 s_i, which whoever opens adds itself and shows nobody."""
        return product(transforms(c1), secret.spectrum)

    def open(self, c0: Elements, shares: Sequence[Elements]) -> Integers:
        """Read the sum from the shares of all parties, shape (blocks, N)."""
        return (c0 + total(shares)).nearest(self.scale_bits)

    def noise(self, c0: Elements, shares: Sequence[Elements], plaintext: Integers) -> NDArray[np.float64]:
        """Measure what is left beside the plaintext that is known to be in a sum, shape (blocks, N)."""
        left = (c0 + total(shares)).raised(-plaintext, self.scale_bits)
        return left.high.view(np.int32).astype(np.float64) * 2.0**64 + left.low

    def _errors(self, shape: tuple[int, ...], rng: Randomness) -> Elements:
        errors = np.zeros(shape, np.int32)
        binomial.add(errors, rng=rng)
        return Elements.of(errors.astype(np.int64))

    def _drowning(self, shape: tuple[int, ...], rng: Randomness) -> NDArray[np.int64]:
        words = stream(rng.bytes(KEY_BYTES), 8 * int(np.prod(shape))).view("<u8").reshape(shape)
        bits = self.drowning_bits
        return (words >> np.uint64(64 - bits)).astype(np.int64) - (1 << bits - 1)

    def _check(self, plaintext: Integers) -> None:
        if outside(plaintext, (1 << self.plaintext_bits - 1) - 1):
            raise OutOfRange(f"a plaintext is outside ±2^{self.plaintext_bits - 1}")
