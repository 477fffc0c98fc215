"""Squares modulo primes are those of integers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mdl.mpc.blind.lattice.primes import PLAIN, drawn, minus, plus, times
from mdl.mpc.blind.sources import Side
from mdl.mpc.blind.squares import PrimeSquare
from mdl.mpc.keystream import Keystream
from mdl.mpc.rounds import play


def dealt(shape: tuple[int, ...], seed: int) -> dict[int, PrimeSquare]:
    """Make what two parties would have made."""
    stream = Keystream(seed.to_bytes(16, "big"))
    count = int(np.prod(shape))
    one, two, share = (drawn(stream, (count,), PLAIN) for _ in range(3))
    products = [times(*pair) for pair in zip(one, two, PLAIN, strict=True)]
    rest = [minus(*pair) for pair in zip(products, share, PLAIN, strict=True)]
    return {0: PrimeSquare.of(one, share), 1: PrimeSquare.of(two, rest)}


def squares(values: torch.Tensor, share: torch.Tensor, seed: int) -> torch.Tensor:
    made = dealt(tuple(values.shape), seed)
    shares = {0: share, 1: values - share}
    found, traffic = play({party: made[party].squared(Side(party, 0), shares[party]) for party in (0, 1)})
    assert traffic.rounds == 1
    assert set(traffic.sent_bytes.values()) == {8 * values.numel()}
    return found[0] + found[1]


@given(
    values=st.lists(st.integers(-(1 << 20), 1 << 20), min_size=1, max_size=8),
    seed=st.integers(0, 1 << 64),
    bits=st.integers(1, 62),
)
def test_squares_of_shared_integers_are_shared(values: list[int], seed: int, bits: int) -> None:
    x = torch.tensor(values)
    share = torch.randint(-(1 << bits), 1 << bits, x.shape)
    # It fails with probability 2^-22 for each of the largest ones.
    assert torch.equal(squares(x, share, seed), x * x)


def test_shapes_are_kept_and_a_root_is_its_shares_sum() -> None:
    shape = (2, 3, 4)
    made = dealt(shape, 5)
    for place, prime in enumerate(PLAIN):
        root = plus(made[0].root[place], made[1].root[place], prime)
        square = plus(made[0].square[place], made[1].square[place], prime)
        np.testing.assert_array_equal(square, times(root, root, prime))
    assert (
        squares(torch.ones(shape, dtype=torch.int64), torch.zeros(shape, dtype=torch.int64), 5).shape == shape
    )


@pytest.mark.parametrize("bits", [26, 29])
def test_a_square_fails_as_often_as_is_said(bits: int) -> None:
    count = 1 << 16
    x = torch.full((count,), 1 << bits)
    failed = int((squares(x, torch.randint(-(1 << 40), 1 << 40, x.shape), bits) != x * x).sum())
    expected = count * 2.0 ** (2 * bits - 62)
    assert abs(failed - expected) < 6 * max(1, expected) ** 0.5
