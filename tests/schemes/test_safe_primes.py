from math import gcd, prod

import pytest
from gmpy2 import is_prime, mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.schemes import safe_primes
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.safe_primes import safe_prime


@given(bits=st.integers(40, 160), seed=st.integers(0, 1 << 32))
@settings(max_examples=25, deadline=None)
def test_a_safe_prime_has_exactly_the_bits_wanted(bits: int, seed: int) -> None:
    p = safe_prime(bits, rng=insecure_seeded(seed))
    assert is_prime(p)
    assert is_prime(p // 2)
    assert p % 2 == 1
    assert p >> (bits - 2) == 3


def test_it_is_drawn_at_random() -> None:
    assert len({safe_prime(48, rng=insecure_seeded(seed)) for seed in range(8)}) == 8


@pytest.mark.parametrize("bits", [64, 512])
def test_the_sieve_strikes_out_exactly_what_a_small_prime_divides(bits: int) -> None:
    start = mpz(3 << (bits - 3)) + insecure_seeded(bits).below(1 << (bits - 4)) | 1
    left = safe_primes._candidates(start)
    small = prod(safe_primes._small_primes())
    for place in range(0, safe_primes.WINDOW, 41):
        x = int(start) + 2 * place
        assert left[place] == (gcd(x * (2 * x + 1), small) == 1)


def test_the_small_primes_are_all_odd_ones_below_the_limit() -> None:
    expected = [number for number in range(3, safe_primes.SIEVE_LIMIT) if is_prime(number)]
    assert list(safe_primes._small_primes()) == expected
