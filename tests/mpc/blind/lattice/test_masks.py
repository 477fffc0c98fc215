"""Shares of hidden masks' products add up to them; noise is within what is proved, and tells nothing."""

import os
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from mdl.errors import OutOfRange
from mdl.mpc.blind.arithmetic import weighted
from mdl.mpc.blind.lattice import keys, masks
from mdl.mpc.blind.lattice.coefficients import Coefficients
from mdl.mpc.blind.lattice.keys import PublicKey, SecretKey
from mdl.mpc.blind.lattice.layout import Layout, layout, most_rows
from mdl.mpc.blind.lattice.masks import ROW_LIMIT, WEIGHT_LIMIT
from mdl.mpc.blind.lattice.ternary import spectra
from mdl.mpc.blind.plan import Affine, Dense, Shape
from mdl.mpc.keystream import Keystream
from mdl.schemes.randomness import SystemRandomness
from tests.mpc.blind.lattice.affines import affines
from tests.mpc.blind.lattice.integers import SCALE, centred, integers

DEGREE = 128
RNG = SystemRandomness()


class Run:
    """Both parties' steps, one after the other, for one layout."""

    def __init__(self, layout: Layout, weight: Tensor, key: SecretKey | None = None) -> None:
        seed = os.urandom(16)
        self.layout, self.key = layout, key or SecretKey.drawn(layout.degree, rng=RNG)
        a = Coefficients.drawn(Keystream(seed), torch.Size([1, layout.degree]))
        stream = Keystream(seed)
        public = PublicKey.of(self.key.hidden_zeros(a, rng=RNG), stream)
        c_1 = Coefficients.drawn(stream, torch.Size([layout.polynomials, layout.degree]))
        self.mask = torch.zeros(layout.rows * int(np.prod(layout.image)), dtype=torch.int64)
        self.sent = masks.hidden(layout, self.key, c_1, self.mask, rng=RNG)
        pair = masks.ciphertexts(layout, c_1, self.sent)
        self.combined = masks.combined(layout, pair, weight)
        self.reply, self.owners = masks.replied(layout, self.combined, public, rng=RNG)
        self.askers = masks.shared(layout, self.key, self.reply)

    @property
    def opened(self) -> Tensor:
        return self.owners + self.askers

    @property
    def noise(self) -> Any:
        """What the weights make of the errors, where outputs are."""
        whole = self.combined[0] + self.key.times(self.combined[1])
        needed = whole.map(lambda limb: masks._outputs(self.layout, limb))
        return centred(integers(needed) % SCALE, SCALE)


def made(affine: Affine, shape: Shape, rows: int, degree: int = DEGREE) -> Layout:
    return layout(affine, shape, rows, degree, masks.COSTS)


def expected(run: Run, affine: Affine, shape: Shape, weight: Tensor) -> Tensor:
    return weighted(affine, run.mask.view(-1, *shape), weight).reshape(run.opened.shape)


@given(kind=affines(), rows=st.integers(1, 5), bits=st.integers(1, 20))
@settings(deadline=None, max_examples=50)
def test_shares_add_up_to_the_product(kind: tuple[Affine, Shape], rows: int, bits: int) -> None:
    affine, shape = kind
    found = made(affine, shape, min(rows, most_rows(affine, shape, DEGREE)))
    weight = torch.randint(-(1 << bits), 1 << bits, affine.weight_shape)
    run = Run(found, weight)
    assert torch.equal(run.opened, expected(run, affine, shape, weight))


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_weights_errors_and_keys_leave_shares_right(
    monkeypatch: pytest.MonkeyPatch, sign: int
) -> None:
    degree, affine = 8192, Dense(32, 3)
    weight = torch.full(affine.weight_shape, WEIGHT_LIMIT) * sign
    assert int(weight.abs().sum(1).max()) == ROW_LIMIT
    masks.check(weight)
    largest = torch.tensor(32)
    monkeypatch.setattr(keys, "errors", lambda shape, rng: Coefficients.of(largest.expand(shape)))
    key = SecretKey(spectra(np.ones(degree, np.int8)))
    run = Run(made(affine, (32,), 200, degree), weight, key)
    assert torch.equal(run.opened, expected(run, affine, (32,), weight))
    assert np.abs(run.noise).max() == 32 * ROW_LIMIT


@pytest.mark.parametrize("sign", [-1, 1])
def test_outputs_that_share_a_polynomial_may_all_have_the_largest_weights(sign: int) -> None:
    affine = Dense(32, 40)
    found = layout(affine, (32,), 1, 2048, (0, 1))
    assert found.merged == 40
    weight = torch.full(affine.weight_shape, WEIGHT_LIMIT) * sign
    run = Run(found, weight)
    assert torch.equal(run.opened, expected(run, affine, (32,), weight))
    assert np.abs(run.noise).max() <= 40 * 32 * ROW_LIMIT


def test_noise_is_as_small_as_is_said() -> None:
    affine = Dense(200, 8)
    weight = torch.randint(-WEIGHT_LIMIT // 8, WEIGHT_LIMIT // 8, affine.weight_shape)
    noise = Run(made(affine, (200,), 100), weight).noise
    scaled = noise.transpose(1, 0, 2, 3).reshape(8, -1) / (4 * weight.double().norm(dim=1).numpy()[:, None])
    assert np.abs(noise).max() <= 32 * int(weight.abs().sum(1).max())
    # 800 values of variance 1.
    assert 0.8 < float((scaled.astype(float) ** 2).mean()) < 1.2


@pytest.mark.parametrize(
    "weight",
    [
        torch.full((1, 2), WEIGHT_LIMIT + 1),
        torch.tensor([[0, -WEIGHT_LIMIT - 1]]),
        torch.full((1, 33), WEIGHT_LIMIT),
        torch.cat([torch.full((1, 32), WEIGHT_LIMIT), torch.tensor([[1]])], 1),
    ],
    ids=["large", "negative", "many", "one too many"],
)
def test_weights_that_are_too_large_are_refused(weight: Tensor) -> None:
    with pytest.raises(OutOfRange, match="add up to more than 67108864"):
        masks.check(weight)


def uniform(data: Tensor) -> float:
    """Give the probability that uniform bytes are as uneven."""
    return float(stats.chisquare(np.bincount(data.reshape(-1).numpy(), minlength=256)).pvalue)


@pytest.mark.parametrize("largest", [0, 1 << 16], ids=["zeros", "weights"])
def test_what_each_side_sees_looks_uniform_whatever_the_weights_are(largest: int) -> None:
    affine = Dense(30, 20)
    weight = torch.randint(-largest, largest + 1, affine.weight_shape)
    run = Run(made(affine, (30,), 100), weight)
    hints = -(-run.owners.numel() // 8)
    for seen in (run.sent, run.reply, run.reply[-hints:], _bytes(run.mask), _bytes(run.askers)):
        assert uniform(seen) > 1e-6
    assert uniform(_bytes(run.owners)) > 1e-6


def _bytes(words: Tensor) -> Tensor:
    return words.reshape(-1).contiguous().view(torch.uint8)


def test_hints_are_those_that_the_asker_can_compute_without_noise() -> None:
    affine = Dense(20, 16)
    weight = torch.randint(-1000, 1000, affine.weight_shape)
    run = Run(made(affine, (20,), 100), weight)
    again = Run(made(affine, (20,), 100), weight)
    assert not torch.equal(run.reply, again.reply)
    # c_0 is -c_1 s modulo Δ but for noise, and c_1 is in the reply but for its 56 lowest bits.
    count = run.layout.replies * DEGREE
    high = run.reply[: 8 * count].clone().view(torch.int64).view(-1, DEGREE)
    middle = run.reply[8 * count : 9 * count].long() | run.reply[9 * count : 10 * count].long() << 8
    c_1 = Coefficients(torch.zeros_like(high), middle.view(-1, DEGREE) << 20, high)
    minus = -run.key.times(c_1)
    guess = masks._outputs(run.layout, minus.middle >> 35).reshape(-1).numpy()
    told = np.unpackbits(run.reply[10 * count :].numpy(), count=guess.size)
    # Rounding to 80 bits blurs what is within 2^-10 of a multiple of Δ / 2; noise would not be seen.
    assert (guess != told).mean() < 0.02
