"""What two parties make by themselves is what a dealer would deal them, and bytes are as many as are said."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mdl.activations import Quadratic
from mdl.errors import OutOfRange
from mdl.mpc.blind.arithmetic import weighted
from mdl.mpc.blind.encrypted import Encrypted, begun
from mdl.mpc.blind.encrypted_bytes import (
    key_bytes,
    offline_bytes,
    square_bytes,
)
from mdl.mpc.blind.lattice import primes
from mdl.mpc.blind.plan import Affine, Dense, Shape, Step, steps
from mdl.mpc.blind.sources import Product, Side
from mdl.mpc.blind.squares import PrimeSquare
from mdl.mpc.blind.translation import plan_of
from mdl.mpc.rounds import Traffic, play
from mdl.schemes.randomness import SystemRandomness
from tests.mpc.blind.lattice.affines import KINDS, affines, step
from tests.mpc.blind.pairs import SHAPE, UNIT, Asking, answered, convnet, images, small

INSECURE = 128


def sources(insecure_degree: int | None = INSECURE) -> Mapping[int, Encrypted]:
    """Begin, with fresh keys."""
    made, _ = _begun(insecure_degree)
    return made


def _begun(insecure_degree: int | None) -> tuple[Mapping[int, Encrypted], Traffic]:
    rng = SystemRandomness()
    return play({party: begun(party, rng, insecure_degree=insecure_degree) for party in (0, 1)})


SMALL = sources()


def products(
    made: Mapping[int, Encrypted], of: Step, rows: int, weight: torch.Tensor, asker: int
) -> tuple[Mapping[int, Product], Traffic]:
    """Let both make a product."""
    weights = {asker: None, 1 - asker: weight}
    return play({p: made[p].product(Side(p, asker), of, rows, weights[p]) for p in (0, 1)})


@given(kind=affines(), rows=st.integers(1, 12), asker=st.integers(0, 1))
@settings(deadline=None, max_examples=40)
def test_shares_of_a_product_add_up_to_it_and_take_the_bytes_that_are_said(
    kind: tuple[Affine, Shape], rows: int, asker: int
) -> None:
    affine, shape = kind
    weight, first = torch.randint(-(1 << 14), 1 << 14, affine.weight_shape), step(affine, shape)
    found, traffic = products(SMALL, first, rows, weight, asker)
    assert torch.equal(found[0].share + found[1].share, weighted(affine, found[asker].mask, weight))
    assert found[asker].mask.shape == (rows, *shape)
    assert not found[1 - asker].mask.any()
    (sizes,) = offline_bytes([first], rows, INSECURE)
    assert traffic.sent_bytes == {asker: sizes.product.asked, 1 - asker: sizes.product.replied}
    assert traffic.rounds == 2


@pytest.mark.parametrize(("affine", "shape"), KINDS, ids=str)
def test_masks_are_uniform_where_no_window_sees_them_too(affine: Affine, shape: Shape) -> None:
    weight = torch.zeros(affine.weight_shape, dtype=torch.int64)
    found, _ = products(SMALL, step(affine, shape), 40, weight, 0)
    mask = found[0].mask.view(40, -1)
    # Of 40 words of a pixel each of the 64 bits is set in some, and not in others, but for 2^-39.
    for bits in (mask, ~mask):
        union = torch.zeros(mask.shape[1], dtype=torch.int64)
        for row in bits:
            union |= row
        assert (union == -1).float().mean() > 0.999


def test_masks_are_never_the_same_twice() -> None:
    first = step(Dense(3, 2), (3,))
    weight = torch.ones(2, 3, dtype=torch.int64)
    masks = [products(SMALL, first, 4, weight, 0)[0][0].mask for _ in range(2)]
    assert not (masks[0] == masks[1]).any()


def test_weights_that_are_too_large_are_refused_before_anything_is_answered() -> None:
    weight = torch.full((1, 2), (1 << 21) + 1)
    with pytest.raises(OutOfRange, match="2097152 in absolute value"):
        products(SMALL, step(Dense(2, 1), (2,)), 1, weight, 0)


@given(count=st.integers(1, 40 * INSECURE), asker=st.integers(0, 1))
@settings(deadline=None, max_examples=20)
def test_shares_of_squares_are_of_the_roots_that_nobody_knows(count: int, asker: int) -> None:
    shape = torch.Size([count])
    found, traffic = play({p: SMALL[p].square(Side(p, asker), shape) for p in (0, 1)})
    one, two = found[0], found[1]
    assert isinstance(one, PrimeSquare)
    assert isinstance(two, PrimeSquare)
    for place, prime in enumerate(primes.PLAIN):
        root = primes.plus(one.root[place], two.root[place], prime)
        assert root.shape == (count,)
        square = primes.plus(one.square[place], two.square[place], prime)
        np.testing.assert_array_equal(square, primes.times(root, root, prime))
    sizes = square_bytes(shape, INSECURE)
    assert traffic.sent_bytes == {asker: sizes.asked, 1 - asker: sizes.replied}


def test_both_ask_in_the_same_rounds_and_are_answered_as_in_the_clear() -> None:
    networks = [small(), nn.Sequential(nn.Flatten(), nn.Linear(72, 3), Quadratic(), nn.Linear(3, 4)).eval()]
    askings = {party: Asking(images(5), networks[1 - party]) for party in (0, 1)}
    found, traffic = answered(askings, sources())
    for asker, asking in askings.items():
        expected = asking.network(asking.images).detach()
        assert (found[asker] - expected).abs().max() < 8 * UNIT
    offline = sum(
        each.product.total + each.squares.total
        for asking in askings.values()
        for each in offline_bytes(steps(plan_of(asking.network), SHAPE), 5, INSECURE)
    )
    assert traffic.phases["offline: randomness"].sent_bytes == offline
    assert traffic.phases["offline: randomness"].rounds == 2


def test_what_was_made_before_does_not_stand_in_the_way_of_what_is_made_later() -> None:
    made = sources()
    for _ in range(2):
        asking = Asking(images(3), small())
        found, _ = answered({1: asking}, made)
        assert (found[1] - asking.network(asking.images).detach()).abs().max() < 8 * UNIT


def test_at_full_size_it_is_right_and_keys_take_the_bytes_that_are_said() -> None:
    made, traffic = _begun(None)
    assert set(traffic.sent_bytes.values()) == {key_bytes()}
    assert traffic.rounds == 1
    assert made[0].engine is None
    asking = Asking(images(20, (3, 32, 32)), convnet())
    found, traffic = answered({0: asking}, made)
    assert (found[0] - asking.network(asking.images).detach()).abs().max() < 8 * UNIT
    sizes = offline_bytes(steps(plan_of(asking.network), (3, 32, 32)), 20)
    assert traffic.phases["offline: randomness"].sent_bytes == sum(
        each.product.total + each.squares.total for each in sizes
    )
