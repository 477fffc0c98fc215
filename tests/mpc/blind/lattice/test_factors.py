"""Shares of products of both parties' factors add up to them; what is sent looks uniform."""

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from mdl.mpc.blind.lattice import factors, primes
from mdl.mpc.blind.lattice.factors import PublicKey, SecretKey
from mdl.mpc.blind.lattice.primes import ALL, PLAIN, SCALE, Ring, drawn, plus, times
from mdl.mpc.keystream import Keystream
from mdl.schemes.number_theoretic import Residues
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.rlwe import binomial

RNG = SystemRandomness()


class Run:
    """Both parties' steps, one after the other."""

    def __init__(self, ring: Ring, polynomials: int, key: SecretKey | None = None) -> None:
        stream = Keystream(os.urandom(16))
        key = key or SecretKey.drawn(ring, rng=RNG)
        a = drawn(stream, (ring.degree, 1), ALL)
        public = PublicKey(key.hidden_zeros(ring, a, rng=RNG), a)
        self.c_1 = drawn(stream, (ring.degree, polynomials), ALL)
        self.sent, self.askers = factors.hidden(ring, key, self.c_1, rng=RNG)
        self.reply, self.owners, self.kept = factors.replied(ring, public, self.c_1, self.sent, rng=RNG)
        self.taken = factors.shared(ring, key, self.reply, polynomials)

    def check(self) -> None:
        for one, two, kept, taken, prime in zip(
            self.askers, self.owners, self.kept, self.taken, PLAIN, strict=True
        ):
            np.testing.assert_array_equal(plus(kept, taken, prime), times(one, two, prime))


@given(log_degree=st.integers(3, 8), polynomials=st.integers(1, 20))
@settings(deadline=None, max_examples=30)
def test_shares_add_up_to_the_products(log_degree: int, polynomials: int) -> None:
    Run(Ring(1 << log_degree), polynomials).check()


def test_bytes_are_as_many_as_are_said() -> None:
    run = Run(Ring(64), 3)
    assert run.sent.nbytes == 64 * 3 * factors.ASKED_BYTES
    assert run.reply.nbytes == 64 * 3 * factors.REPLIED_BITS // 8


@pytest.mark.parametrize("error", [-32, 32])
def test_the_largest_errors_keys_and_factors_leave_shares_right(
    monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    ring = Ring(8192)
    shape = (ring.degree, 1)
    ones = np.ones(shape, np.int64)
    largest = np.full(shape, primes.PLAIN_MODULUS // 2)

    def heaviest(stream: Keystream, shape: tuple[int, ...], moduli: Any) -> list[Residues]:
        assert tuple(moduli) == PLAIN
        return ring.values(largest, PLAIN)

    monkeypatch.setattr(factors, "_errors", lambda ring, shape, rng: ring.values(error * ones, ALL))
    monkeypatch.setattr(factors, "drawn", heaviest)
    run = Run(ring, 1, SecretKey(ring.values(ones, ALL)))
    assert (primes.centred(ring.polynomial(run.owners, PLAIN)) == largest).all()
    run.check()


def noise(ring: Ring, errors: NDArray[np.int64], owners: list[Residues]) -> Any:
    """Multiply errors by the owner's coefficients, in Python's integers."""
    coefficients = primes.centred(ring.polynomial(owners, PLAIN)).astype(object)
    found = np.zeros(ring.degree, dtype=object)
    for power, error in enumerate(errors.tolist()):
        turned = np.concatenate([-coefficients[ring.degree - power :], coefficients[: ring.degree - power]])
        found += error * turned
    return found


def test_noise_is_as_small_as_is_said() -> None:
    ring = Ring(256)
    errors = np.zeros(ring.degree, np.int32)
    binomial.add(errors, rng=RNG)
    owners = drawn(Keystream(os.urandom(16)), (ring.degree,), PLAIN)
    found = noise(ring, errors.astype(np.int64), owners)
    bound = 4 * 2**61 * ring.degree**0.5
    assert float(np.mean([float(each) ** 2 for each in found])) ** 0.5 < bound
    assert max(abs(each) for each in found) < 32 * ring.degree << 61


def uniform(data: NDArray[np.integer[Any]], kinds: int) -> float:
    return float(stats.chisquare(np.bincount(data.reshape(-1).astype(int), minlength=kinds)).pvalue)


def test_what_each_side_sees_and_has_looks_uniform() -> None:
    ring, polynomials = Ring(256), 16
    run = Run(ring, polynomials)
    count = ring.degree * polynomials
    words = run.sent.view("<u4").reshape(len(SCALE), -1)
    replied = run.reply[: 8 * count].view("<u4").reshape(len(PLAIN), -1)
    seen = [*zip(words, SCALE, strict=True), *zip(replied, PLAIN, strict=True)]
    held = [
        pair
        for slots in (run.askers, run.owners, run.kept, run.taken)
        for pair in zip(slots, PLAIN, strict=True)
    ]
    for values, prime in [*seen, *held]:
        assert values.max() < prime
        assert uniform(values.astype(np.uint64) * np.uint64(64) // np.uint64(prime), 64) > 1e-6
    assert uniform(run.reply[8 * count : 10 * count], 256) > 1e-6
    assert uniform(run.reply[10 * count :], 256) > 1e-6


def test_a_reply_hides_factors_that_are_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    ring, polynomials = Ring(256), 16
    shape = (ring.degree, polynomials)
    monkeypatch.setattr(factors, "drawn", lambda *_: [np.zeros(shape, np.uint64) for _ in PLAIN])
    run = Run(ring, polynomials)
    run.check()
    count = ring.degree * polynomials
    replied = run.reply[: 8 * count].view("<u4").reshape(len(PLAIN), -1).astype(np.uint64)
    for values, prime in zip(replied, PLAIN, strict=True):
        assert uniform(values * np.uint64(64) // np.uint64(prime), 64) > 1e-6


@pytest.mark.parametrize("degree", [64, 8192])
def test_bytes_that_are_no_residues_are_taken_as_some(degree: int) -> None:
    data = np.full(4 * degree * len(SCALE), 255, np.uint8)
    for values, prime in zip(factors.read(data, (degree, 1), SCALE), SCALE, strict=True):
        assert (values == (2**32 - 1) % prime).all()
