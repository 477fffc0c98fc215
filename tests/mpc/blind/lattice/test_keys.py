"""What hides is zero but for little noise, and does not show its key."""

import os

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.mpc.blind.lattice.coefficients import Coefficients
from mdl.mpc.blind.lattice.keys import PublicKey, SecretKey, errors
from mdl.mpc.keystream import Keystream
from mdl.schemes.randomness import SystemRandomness
from tests.mpc.blind.lattice.integers import MODULUS, centred, integers

RNG = SystemRandomness()


@given(log_degree=st.integers(4, 9), count=st.integers(1, 20))
@settings(deadline=None, max_examples=20)
def test_noise_of_hidden_zeros_is_within_its_bounds(log_degree: int, count: int) -> None:
    degree, seed = 1 << log_degree, os.urandom(16)
    secret = SecretKey.drawn(degree, rng=RNG)
    a = Coefficients.drawn(Keystream(seed), torch.Size([1, degree]))
    b = secret.hidden_zeros(a, rng=RNG)
    assert np.abs(centred(integers(b + secret.times(a)), MODULUS)).max() <= 32
    first, second = PublicKey.of(b, Keystream(seed)).hidden_zeros(count, rng=RNG)
    assert first.shape == second.shape == (count, degree)
    noise = centred(integers(first + secret.times(second)), MODULUS)
    assert np.abs(noise).max() <= 2 * 32 * degree
    # Of variance 16 (4 N / 3) about, of N numbers at least.
    assert float((noise.astype(float) ** 2).mean()) < 16 * 4 * degree


def test_errors_have_the_variance_that_is_said() -> None:
    found = centred(integers(errors(torch.Size([100, 256]), rng=RNG)), MODULUS).astype(float)
    assert abs(found).max() <= 32
    assert abs(found.mean()) < 6 * 4 / 160
    assert abs((found**2).mean() - 16) < 1


def test_what_hides_is_never_the_same_twice() -> None:
    seed = os.urandom(16)
    secret = SecretKey.drawn(64, rng=RNG)
    a = Coefficients.drawn(Keystream(seed), torch.Size([1, 64]))
    public = PublicKey.of(secret.hidden_zeros(a, rng=RNG), Keystream(seed))
    first, second = public.hidden_zeros(2, rng=RNG)[1].high
    assert not (first == second).any()
    one, two = (secret.hidden_zeros(a, rng=RNG).low for _ in range(2))
    assert (one != two).any()


def test_a_secret_key_is_not_shown() -> None:
    assert repr(SecretKey.drawn(16, rng=RNG)) == "SecretKey(...)"
