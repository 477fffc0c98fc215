"""Safe primes p = 2p' + 1, p' prime too: the factors of a modulus whose squares have no small order.

A sieve strikes out what a small prime divides, in p' or in 2p' + 1, before anything is tested. For 1024 bits
one window in six holds a safe prime, and one candidate in 150 reaches a test.

A window begins at random and its first safe prime is taken. Primes after long gaps are so a little likelier:
this costs less than a bit of entropy or so [Brandt, Damgård, On generation of probable primes by incremental
search, CRYPTO '92].
"""

from functools import cache
from typing import Final

import numpy as np
from gmpy2 import is_prime, mpz
from numpy.typing import NDArray

from mdl.system import Randomness

SIEVE_LIMIT: Final = 1 << 16
WINDOW: Final = 1 << 15
"""Odd numbers in a window."""

ROUNDS: Final = 40
"""Rounds of Miller and Rabin: a composite number passes all with probability 4^-40 at most."""


def safe_prime(bits: int, *, rng: Randomness) -> mpz:
    """Draw a safe prime of exactly so many bits, the two highest set; at least 32 bits.

    Two of them have a product of exactly 2 * bits bits.
    """
    assert bits >= 32
    while True:
        # p' has one bit less, its two highest set as well; 2p' + 1 does not reach 2^bits.
        start = mpz((3 << (bits - 3)) + rng.below(1 << (bits - 3)) | 1)
        for place in np.flatnonzero(_candidates(start)).tolist():
            half = start + 2 * place
            fits = half.bit_length() == bits - 1
            if fits and is_prime(half, ROUNDS) and is_prime(2 * half + 1, ROUNDS):
                return 2 * half + 1


def _candidates(start: mpz) -> NDArray[np.bool_]:
    """Tell of each odd x = start + 2i in the window whether no small prime divides x or 2x + 1."""
    left = np.ones(WINDOW, np.bool_)
    for prime in _small_primes():
        # x = 0 where i = -start / 2, and 2x + 1 = 0 where i = (-start - 1/2) / 2, modulo the prime.
        half = (prime + 1) // 2
        rest = int(start % prime)
        left[-rest * half % prime :: prime] = False
        left[(-rest - half) * half % prime :: prime] = False
    return left


@cache
def _small_primes() -> tuple[int, ...]:
    """The odd primes below SIEVE_LIMIT."""
    prime = np.ones(SIEVE_LIMIT, np.bool_)
    prime[:2] = False
    for divisor in range(2, int(SIEVE_LIMIT**0.5) + 1):
        if prime[divisor]:
            prime[divisor * divisor :: divisor] = False
    return tuple(np.flatnonzero(prime)[1:].tolist())
