"""Products of one party's numbers with the other one's, entry by entry, shared: modulo a product of primes.

The asker has a key, of which the owner has the public half: ternary s; b = e - a s. The ring is Z_q[x]/(x^N +
1), q = Δ P with P = p_1 p_2 (`primes`), all primes 1 modulo 2 N: so a plaintext is N slots modulo P, and
products of polynomials are products of slots. Polynomials are kept as transforms.

1. For each polynomial, a is drawn from a stream that both know. The asker computes v = e - a s, and sends its
   residues modulo the primes of Δ. As a ciphertext (c_0, a), with c_0 = v modulo Δ and c_0 = 0 modulo P, it
   is one of r = -v / Δ modulo P: of slots that nobody has chosen, the asker's factors.
2. The owner's factors are slots w, uniform modulo P. It lifts their polynomial to coefficients in (-P / 2, P
   / 2), and multiplies c_0 and a by it: c_0 + c_1 s = Δ r w + noise. It adds (b u, a u + e), which hides c_1.
   c_0 it keeps: the slots of floor(c_0 / Δ) are its shares. It sends floor(c_1 / Δ) modulo P, 16 bits of what
   is above that, and for each coefficient the bit h = floor(2 c_0 / Δ) mod 2.
3. The asker's shares are the slots of c_1 s / Δ + (2 h + 1) / 4, rounded.

Why the shares add up to the products, always. c_0 / Δ is floor(c_0 / Δ) + (2 h + 1) / 4 within 1/4. Errors
are within 32, and the owner's coefficients below 2^61: the noise is at most 2^79 + 2 * 32 N, and Δ > 2^123.
What is sent of c_1 / Δ is right within 2^-17, times s within 2^-17 N <= 1/16; floating-point numbers add
2^-50 (`primes.divided`), times s 2^-37. Together that is below 1/2.

What the owner learns. Nothing: v is uniform but for Ring-LWE, and so are its residues modulo P, whatever
those modulo Δ are. N = 8192 and ternary secrets: the standard allows q up to 2^218 at 128 bits of security
[HES18]; it is below 2^186. Errors have the variance 16 (σ = 4; the standard's is 3.2).

What the asker learns. c_1 is uniform but for Ring-LWE with the owner's u. Given it, h says more than the
asker can compute only where c_1 s, uniform modulo Δ, is within an interval of |x| + 2^20 around a multiple of
Δ / 2, as in `masks`. x is a sum of the asker's errors times the owner's coefficients, E|x| <= 4 * 2^61 √N =
2^69.5. With what floating-point numbers err a coefficient's statistical distance from what says nothing of w
is at most 2 (2^69.5 + 2^20) / Δ + 2 * 2^-50, below 2^-48.

[HES18] The homomorphic-encryption standard of 2018, table 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.mpc.blind.lattice.primes import (
    ALL,
    PLAIN,
    SCALE,
    SCALE_MODULUS,
    Ring,
    centred,
    divided,
    drawn,
    minus,
    plus,
    times,
)
from mdl.mpc.blind.lattice.sizes import Sizes
from mdl.mpc.keystream import KEY_BYTES, Keystream
from mdl.schemes.bfv import ternary
from mdl.schemes.number_theoretic import Residues
from mdl.schemes.rlwe import binomial
from mdl.system import Randomness

_WORD_BYTES: Final = 4
_ABOVE_BITS: Final = 16
"""That are sent of what is above an integer."""

ASKED_BYTES: Final = len(SCALE) * _WORD_BYTES
"""A slot, from the asker."""
REPLIED_BITS: Final = 8 * len(PLAIN) * _WORD_BYTES + _ABOVE_BITS + 1
"""A slot, from the owner."""
KEY_WORDS_BYTES: Final = len(ALL) * _WORD_BYTES
"""A coefficient of a public key."""

Slots = Sequence[Residues]
"""Modulo each prime of P: shape (N, polynomials)."""


@dataclass(frozen=True, eq=False)
class SecretKey:
    """The transforms of s, shape (N, 1) for each prime."""

    values: Sequence[Residues]

    def __repr__(self) -> str:
        return "SecretKey(...)"

    @staticmethod
    def drawn(ring: Ring, *, rng: Randomness) -> "SecretKey":
        """Draw one."""
        s = ternary.draw((ring.degree, 1), rng=rng).astype(np.int64)
        return SecretKey(ring.values(s, ALL))

    def hidden_zeros(self, ring: Ring, public: Sequence[Residues], *, rng: Randomness) -> list[Residues]:
        """Give e - a s for polynomials a, as transforms."""
        errors = _errors(ring, public[0].shape, rng)
        return [
            minus(error, times(a, s, prime), prime)
            for error, a, s, prime in zip(errors, public, self.values, ALL, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class PublicKey:
    """Transforms of b and a, shape (N, 1) for each prime."""

    b: Sequence[Residues]
    a: Sequence[Residues]


def sizes(polynomials: int, degree: int) -> Sizes:
    """Say what is sent for so many polynomials."""
    slots = polynomials * degree
    return Sizes(slots * ASKED_BYTES, slots * REPLIED_BITS // 8)


def hidden(
    ring: Ring, key: SecretKey, public: Sequence[Residues], *, rng: Randomness
) -> tuple[NDArray[np.uint8], Slots]:
    """Draw the asker's factors, and hide them: step 1.

    Returns:
        What is sent, and the factors.
    """
    zeros = key.hidden_zeros(ring, public, rng=rng)
    factors = [
        times(zero, -pow(SCALE_MODULUS, -1, prime) % prime, prime)
        for zero, prime in zip(zeros, PLAIN, strict=False)
    ]
    return written(zeros[len(PLAIN) :]), factors


def replied(
    ring: Ring, key: PublicKey, public: Sequence[Residues], sent: NDArray[np.uint8], *, rng: Randomness
) -> tuple[NDArray[np.uint8], Slots, Slots]:
    """Draw the owner's factors, and multiply what is hidden: step 2.

    Returns:
        What is sent, the factors, and the owner's shares.
    """
    shape = public[0].shape
    factors = drawn(Keystream(rng.bytes(KEY_BYTES)), shape, PLAIN)
    lifted = [*factors, *ring.values(centred(ring.polynomial(factors, PLAIN)), SCALE)]
    first = [np.zeros(shape, np.uint64) for _ in PLAIN] + read(sent, shape, SCALE)
    u = ring.values(ternary.draw(shape, rng=rng).astype(np.int64), ALL)
    errors = _errors(ring, shape, rng)
    pair = [], []  # type: tuple[list[Residues], list[Residues]]
    for place, prime in enumerate(ALL):
        by_first = times(first[place], lifted[place], prime), times(key.b[place], u[place], prime)
        by_second = times(public[place], lifted[place], prime), times(key.a[place], u[place], prime)
        pair[0].append(plus(*by_first, prime))
        pair[1].append(plus(plus(*by_second, prime), errors[place], prime))
    (kept, above), (quotients, rest) = (divided(ring.polynomial(each, ALL)) for each in pair)
    data = [
        written(quotients),
        (rest * (1 << _ABOVE_BITS)).astype(np.uint16).view(np.uint8).reshape(-1),
        np.packbits(above >= 1 / 2),
    ]
    return np.concatenate(data), factors, _transformed(ring, kept)


def shared(ring: Ring, key: SecretKey, reply: NDArray[np.uint8], polynomials: int) -> Slots:
    """Give the asker's shares: step 3."""
    shape = (ring.degree, polynomials)
    count = ring.degree * polynomials
    split = np.cumsum([len(PLAIN) * _WORD_BYTES * count, _ABOVE_BITS // 8 * count])
    words, above, hints = np.split(reply, split)
    quotients = _transformed(ring, read(words, shape, PLAIN))
    # In the middle of where it may be, in units of 2^-17: times s below 2^29.998, more than
    # half the prime only if nearly all of s are nonzero and of the right signs; so one prime is enough.
    rest = 2 * above.view(np.uint16).reshape(shape).astype(np.uint64) + np.uint64(1)
    prime = PLAIN[0]
    around = ring.transforms[prime]
    product = around.inverse(times(around(rest), key.values[0], prime)).astype(np.int64)
    product -= np.where(product > prime // 2, prime, 0)
    quarters = 2 * np.unpackbits(hints, count=count).reshape(shape).astype(np.int64) + 1
    half = 2
    rounded = product + (quarters + half << _ABOVE_BITS - 1) >> _ABOVE_BITS + 1
    return [
        plus(times(quotient, s, prime), whole, prime)
        for quotient, s, whole, prime in zip(
            quotients, key.values, ring.values(rounded, PLAIN), PLAIN, strict=False
        )
    ]


def written(residues: Sequence[Residues]) -> NDArray[np.uint8]:
    """Write residues: four bytes each."""
    return np.stack(residues).astype("<u4").view(np.uint8).reshape(-1)


def read(data: NDArray[np.uint8], shape: tuple[int, ...], primes: Sequence[int]) -> list[Residues]:
    """Read what `written` wrote, or any other bytes."""
    words = data.copy().view("<u4").reshape(len(primes), *shape).astype(np.uint64)
    return [word % np.uint64(prime) for word, prime in zip(words, primes, strict=True)]


def _transformed(ring: Ring, polynomials: Sequence[Residues]) -> list[Residues]:
    pairs = zip(polynomials, PLAIN, strict=True)
    return [ring.transforms[prime](each) for each, prime in pairs]


def _errors(ring: Ring, shape: tuple[int, ...], rng: Randomness) -> list[Residues]:
    errors = np.zeros(shape, np.int32)
    binomial.add(errors, rng=rng)
    return ring.values(errors.astype(np.int64), ALL)
