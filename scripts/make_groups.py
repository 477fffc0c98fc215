"""Generate the groups of `mdl.schemes.group_constants` from a published seed, and print that file.

The seed rule. For a group NAME and a PART the seed string is ``mdl group NAME PART COUNTER``, in ASCII;
SHAKE-256 of it, cut to the bits wanted, big-endian, with the two highest bits and the lowest bit set, is a
candidate. So nobody chose a number:

- Schnorr groups, p = 2qr + 1: q is the first prime among the candidates of part ``q`` for counters 0, 1, 2
  ...; r is the first prime at or after the candidate of part ``r`` and counter 0, in steps of 2, for which p
  is prime too. The generator is 2^(2r): it is not 1, so its order is the prime q.
- Safe-prime groups, p = 2q + 1: q is the first prime at or after the candidate of part ``q`` and counter 0,
  in steps of 2, for which p is prime too. The generator is 2.

Two high bits in q and in r leave no doubt about the size of p: 2 * 1.5 * 1.5 * 2^(bits(q) + bits(r) - 2) is
above 2^(bits(q) + bits(r)), so p has bits(q) + bits(r) + 1 bits.

    python scripts/make_groups.py > mdl/schemes/group_constants.py
"""

import hashlib
from collections.abc import Iterator
from itertools import count

import numpy as np
from gmpy2 import is_prime, mpz

SIEVE_PRIMES_BELOW = 1 << 20
WINDOW = 1 << 20
ROUNDS = 40

SCHNORR_BITS = {"schnorr2048": (256, 1791), "schnorr3072": (256, 2815), "insecure_schnorr96": (48, 47)}
"""The bits of q and of r."""

SAFE_PRIME_BITS = {"insecure256": 255, "insecure64": 63}
"""The bits of q."""


def candidate(name: str, part: str, counter: int, bits: int) -> int:
    """Give the odd number of exactly `bits` bits (at least 2) that the seed rule names."""
    digest = hashlib.shake_256(f"mdl group {name} {part} {counter}".encode()).digest(-(-bits // 8))
    value = int.from_bytes(digest, "big") >> (-bits % 8)
    return value | 3 << (bits - 2) | 1


def schnorr(name: str) -> tuple[int, int]:
    """Generate q and r of a Schnorr group."""
    q_bits, r_bits = SCHNORR_BITS[name]
    q = next(value for i in count() if is_prime(value := candidate(name, "q", i, q_bits), ROUNDS))
    return q, _first_pair(candidate(name, "r", 0, r_bits), 2 * q)


def safe_prime(name: str) -> int:
    """Generate q of a safe-prime group."""
    return _first_pair(candidate(name, "q", 0, SAFE_PRIME_BITS[name]), 2)


def _first_pair(start: int, factor: int) -> int:
    """Find the first prime x in start, start + 2 ... for which factor * x + 1 is prime too."""
    for value in _survivors(start, factor):
        x = mpz(value)
        # One round rejects nearly all; the rest are asked again in earnest.
        if (
            is_prime(x, 1)
            and is_prime(factor * x + 1, 1)
            and is_prime(x, ROUNDS)
            and is_prime(factor * x + 1, ROUNDS)
        ):
            return value
    raise AssertionError("an endless search has ended")


def _survivors(start: int, factor: int) -> Iterator[int]:
    """Yield the x in start, start + 2 ... for which neither x nor factor * x + 1 has a small factor.

    A number that *is* a small prime is dropped as well; all candidates here are far above the sieve.
    """
    primes = _small_odd_primes()
    for base in count(start, 2 * WINDOW):
        alive = np.ones(WINDOW, np.bool_)
        for prime in primes:
            half = (prime + 1) // 2
            # Modulo the prime, the two numbers at offset 2j vanish for one j each.
            alive[-base * half % prime :: prime] = False
            if factor % prime:
                alive[(-pow(factor, -1, prime) - base) * half % prime :: prime] = False
        for offset in np.flatnonzero(alive).tolist():
            yield base + 2 * offset


def _small_odd_primes() -> list[int]:
    """Sieve of Eratosthenes; 2 is left out, as everything here is odd."""
    alive = np.ones(SIEVE_PRIMES_BELOW, np.bool_)
    alive[:3] = False
    alive[4::2] = False
    for n in range(3, int(SIEVE_PRIMES_BELOW**0.5) + 1, 2):
        if alive[n]:
            alive[n * n :: n] = False
    return [int(prime) for prime in np.flatnonzero(alive)]


def source() -> Iterator[str]:
    """Write the file of constants, line by line."""
    yield '"""The constants of the groups, in hexadecimal: what `scripts/make_groups.py` prints."""'
    yield ""
    yield "CONSTANTS = {"
    for name in SCHNORR_BITS:
        q, r = schnorr(name)
        yield from _entry(f"{name} q", q)
        yield from _entry(f"{name} r", r)
    for name in SAFE_PRIME_BITS:
        yield from _entry(f"{name} q", safe_prime(name))
    yield "}"


def _entry(key: str, value: int) -> Iterator[str]:
    digits = f"{value:x}"
    rows = [f'"{digits[i : i + 80]}"' for i in range(0, len(digits), 80)]
    if len(rows) == 1:
        yield f'    "{key}": {rows[0]},'
        return
    yield f'    "{key}": ('
    yield from (f"        {row}" for row in rows)
    yield "    ),"


if __name__ == "__main__":
    print("\n".join(source()))
