"""Any number of parties compute what one would; any t of them see the same whatever the secrets are."""

import os
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor, nn

from mdl.learning.networks_a_to_d import network_a, network_c
from mdl.mpc.engine import TRUNCATED_LIMIT, Engine, multiply
from mdl.mpc.layers.window import Window
from mdl.mpc.networks import secretly
from mdl.mpc.optimisers import chosen
from mdl.mpc.plain import Plain
from mdl.mpc.rounds import Traffic, play
from mdl.mpc.secret import Bits, Secret
from mdl.mpc.shamir.masks import Maker, Mask
from mdl.mpc.shamir.setup import begun
from mdl.mpc.shamir.sharing import SHORT
from mdl.mpc.training import one_hot, right_answers, step
from mdl.mpc.wide import Wide
from tests.mpc.fair import is_fair
from tests.mpc.operations import (
    EDGES,
    OPERATIONS,
    both,
    compared,
    negative,
    product,
    scaled,
    selected,
    truncated,
)
from tests.mpc.parties import Program, T, opened, plainly, shared
from tests.mpc.test_wide import integers
from tests.mpc.trained import batches_of, convolutional, training

LONG = 2 * SHORT + 3
"""Long enough for the work to be cut, and not evenly."""

Operation = Callable[..., Any]


class System:
    """Randomness of the system, as far as keys need it."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


def everybody(
    program: Program[T], holders: int, rounding: str = "probabilistic"
) -> tuple[dict[int, T], Traffic]:
    """Run a program with so many parties."""

    async def whole(party: int) -> T:
        return await program(await begun(party, holders, rounding, System()))  # type: ignore[arg-type]

    return play({party: whole(party) for party in range(holders)})


def traffic_of(program: Program[T], holders: int) -> tuple[int, int]:
    """Bytes of all parties and rounds, without the keys'."""
    _, traffic = everybody(program, holders)
    keys = 16 * holders * (holders - 1)
    return sum(traffic.sent_bytes.values()) - keys, traffic.rounds - 1


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("holders", [3, 5])
@pytest.mark.parametrize("count", [1, 9, LONG])
def test_rounded_to_the_nearest_all_is_as_in_the_clear(
    operation: Operation, holders: int, count: int
) -> None:
    program = opened(operation, compared(count), compared(count, seed=1).flip(0))
    found, _ = everybody(program, holders, "nearest")
    expected = plainly(program)
    assert all(torch.equal(each, expected) for each in found.values())


@pytest.mark.parametrize(
    ("operation", "holders"), [*((each, 4) for each in OPERATIONS), (scaled, 10), (selected, 10)]
)
def test_so_it_is_for_an_even_number_of_parties(operation: Operation, holders: int) -> None:
    program = opened(operation, compared(12), compared(12, seed=1).flip(0))
    found, _ = everybody(program, holders, "nearest")
    assert all(torch.equal(each, plainly(program)) for each in found.values())


@pytest.mark.parametrize("holders", [3, 5, 10])
def test_long_products_and_ands_are_right_whoever_finds_them(holders: int) -> None:
    async def operation(engine: Engine, one: Secret, two: Secret) -> Secret:
        multiplied = await engine.product(multiply, one, two)
        words = await engine.bits(one)
        return multiplied + await engine.integers((await engine.conjunction(words, words ^ -1 ^ 5)).digit(2))

    program = opened(operation, compared(LONG), compared(LONG, seed=1))
    found, _ = everybody(program, holders, "nearest")
    assert all(torch.equal(each, plainly(program)) for each in found.values())


@pytest.mark.parametrize("holders", [3, 4])
def test_matrices_and_images_are_multiplied_as_in_the_clear(holders: int) -> None:
    window = Window(3, 2, 1)

    def spread(rows: Tensor, weights: Tensor) -> Tensor:
        return window.images(rows @ weights, torch.Size([2, 3, 7, 7]))

    async def operation(engine: Engine, a: Secret, b: Secret) -> Secret:
        return await engine.product(spread, a, b)

    one, two = compared(32 * 5).reshape(32, 5), compared(5 * 27, seed=2).reshape(5, 27)
    found, _ = everybody(opened(operation, one, two), holders)
    assert torch.equal(found[0], spread(one, two))


@pytest.mark.parametrize("holders", [3, 5])
def test_a_network_is_trained_as_in_the_clear(holders: int) -> None:
    torch.manual_seed(3)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))
    program = training(network, batches_of(1, 8, 8, count=1), 0.1)
    found, _ = everybody(program, holders, "nearest")
    assert all(torch.equal(each, plainly(program)) for each in found.values())


def test_so_are_convolutions_and_what_pools() -> None:
    torch.manual_seed(3)
    network, batches = convolutional()
    program = training(network, batches[:1], 0.1)
    found, _ = everybody(program, 3, "nearest")
    assert torch.equal(found[0], plainly(program))


def test_ten_parties_move_a_dense_layer_by_its_gradient() -> None:
    images, weights = compared(16 * 20).reshape(16, 20) >> 16, compared(20 * 10, seed=1).reshape(20, 10) >> 16

    async def operation(engine: Engine, x: Secret, weight: Secret) -> Secret:
        found = await engine.scaled_product(torch.matmul, x, weight, 16)
        positive = await engine.negative(-found)
        gradient = await engine.select(positive, found)
        return weight - await engine.scaled_product(torch.matmul, x.map(torch.t), gradient, 20)

    program = opened(operation, images, weights)
    found, _ = everybody(program, 10, "nearest")
    assert all(torch.equal(each, plainly(program)) for each in found.values())


@pytest.mark.parametrize("holders", [3, 4, 5])
@pytest.mark.parametrize("count", [9, LONG])
def test_one_party_alone_learns_what_is_opened_to_it(holders: int, count: int) -> None:
    async def program(engine: Engine) -> Tensor | None:
        return await engine.open_to(1, await shared(engine, compared(count), holders - 1))

    found, traffic = everybody(program, holders)
    assert found[1] is not None
    assert torch.equal(found[1], compared(count))
    assert [party for party in found if found[party] is not None] == [1]
    last = max(number for number, *_ in traffic.messages)
    assert {receiver for number, _, receiver, _ in traffic.messages if number == last} == {1}


@pytest.mark.parametrize("holders", [3, 5])
def test_coins_are_fair(holders: int) -> None:
    async def program(engine: Engine) -> Tensor:
        return await engine.open(await engine.integers(await engine.random_bits(torch.Size([20_000]))))

    found, _ = everybody(program, holders)
    assert set(found[0].tolist()) == {0, 1}
    assert is_fair(found[0])


# ------------------------------------------------------------------------------------------------
# rounding at random


@settings(deadline=None, max_examples=12)
@given(
    value=st.one_of(
        st.integers(-TRUNCATED_LIMIT + 1, TRUNCATED_LIMIT - 1),
        st.sampled_from([0, -1, 1, 2**47 - 1, -(2**47), TRUNCATED_LIMIT - 1, 1 - TRUNCATED_LIMIT]),
    ),
    drop=st.integers(1, 32),
    holders=st.sampled_from([3, 5]),
)
def test_a_quotient_is_off_by_less_than_one_at_any_magnitude(value: int, drop: int, holders: int) -> None:
    async def operation(engine: Engine, secret: Secret) -> Secret:
        return await engine.truncate(secret, drop)

    found, _ = everybody(opened(operation, torch.full((100,), value)), holders)
    low = value >> drop
    assert set(found[0].tolist()) <= {low, low + (value % (1 << drop) > 0)}


@pytest.mark.parametrize("holders", [3, 5])
def test_it_is_rounded_up_as_often_as_its_fraction_says(holders: int) -> None:
    fractions, count, drop = torch.tensor([0, 1, 2**12, 2**15, 2**16 - 1]), 10_000, 16

    async def operation(engine: Engine, secret: Secret) -> Secret:
        return await engine.truncate(secret, drop)

    given_values = ((5 << drop) + fractions).repeat(count, 1)
    found, _ = everybody(opened(operation, given_values), holders)
    for often, fraction in zip((found[0] - 5).sum(0).tolist(), fractions.tolist(), strict=True):
        assert stats.binomtest(often, count, fraction / 2**drop).pvalue > 1e-7


# ------------------------------------------------------------------------------------------------
# what is sent


@pytest.mark.parametrize(
    ("holders", "dealing", "finding"), [(3, 3 / 2, 3), (4, 6 / 2, 4), (5, 10 / 3, 6), (10, 45 / 5, 13)]
)
def test_a_product_costs_what_is_said(holders: int, dealing: float, finding: int) -> None:
    """Of 16 bytes: t (n - t - 1 for every dealer) for a mask, 2t and n - t - 1 to find and to share again."""
    threshold, count = (holders - 1) // 2, 3600
    sent, rounds = traffic_of(opened(product, compared(count), compared(count)), holders)
    beyond = holders - 1 - threshold
    opening = holders if threshold == 1 else threshold + holders - 1
    assert sent == round(16 * count * (2 * beyond + dealing + finding + opening))
    assert rounds == 2 + 2 + (1 if threshold == 1 else 2)


def test_short_products_take_one_round() -> None:
    _, rounds = traffic_of(opened(product, compared(SHORT), compared(SHORT)), 5)
    assert rounds == 2 + 1 + 1


@pytest.mark.parametrize("operation", [product, scaled, truncated, negative, both])
def test_sizes_and_order_are_the_same_for_all_data(operation: Operation) -> None:
    def schedule(seed: int) -> list[tuple[Any, ...]]:
        _, traffic = everybody(opened(operation, compared(LONG, seed), compared(LONG, seed + 1)), 3)
        return [(*message[:3], message[3].shape, message[3].dtype) for message in traffic.messages]

    assert schedule(1) == schedule(7)


@pytest.mark.parametrize("holders", [3, 7])
def test_the_bits_of_real_masks_are_fair_and_their_quotients_quotients(holders: int) -> None:
    """At full width: enumerations look at narrow ones. A sum's highest bits are not as often 0 as 1."""
    count, drop = 4000, 16

    async def program(engine: Any) -> list[Wide]:
        mask = await engine._maker.mask(count, drop, divided=True)
        return [await engine._prime.opened(share) for share in (mask.whole, mask.quotient)]

    opened_ones, _ = everybody(program, holders)
    whole, quotient = (integers(each) for each in opened_ones[0])
    dealers = (holders + 1) // 2
    assert set(((whole >> drop) - quotient).tolist()) == set(range(dealers))
    width = 125 if holders < 7 else 124
    assert max(whole.tolist()) >> width in range(1, dealers)
    bits = [torch.from_numpy((whole >> place & 1).astype(np.int64)) for place in range(width)]
    assert all(is_fair(bit) for bit in bits)
    assert all(is_fair(bit ^ bits[place - 64]) for place, bit in enumerate(bits) if place >= 64)


class Counting(Plain):
    """Counts what `Shamir` would open under masks that hide but statistically."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = 0

    async def truncate(self, secret: Secret, drop: int) -> Secret:
        self.opened += secret.shape.numel()
        return await super().truncate(secret, drop)

    async def negative(self, secret: Secret) -> Bits:
        self.opened += secret.shape.numel()
        return await super().negative(secret)

    async def bits(self, secret: Secret) -> Bits:
        self.opened += secret.shape.numel()
        return await super().bits(secret)


@pytest.mark.parametrize(
    ("network", "optimiser", "expected"),
    [
        (network_a, "momentum", 238_986),
        (network_a, "amsgrad", 1_421_806),
        (network_c, "momentum", 4_910_340),
        (network_c, "amsgrad", 9_221_140),
    ],
)
def test_a_step_opens_as_many_masked_values_as_is_said(
    network: Callable[..., nn.Module], optimiser: Any, expected: int
) -> None:
    """The distances up to which these are hidden add up."""
    torch.manual_seed(3)
    engine, batch = Counting(), 128

    async def program() -> None:
        secret = secretly(engine, network((1, 28, 28), 10))
        images = engine.public(torch.randint(1 << 16, (batch, 1, 28, 28)))
        labels = engine.public(one_hot(torch.randint(10, (batch,)), 10))
        await step(engine, secret, chosen(optimiser, rate=0.01, batch=batch, momentum=0.9), images, labels)

    play({0: program()})
    assert engine.opened == expected


@pytest.mark.parametrize(("network", "expected"), [(network_a, 72_576), (network_c, 3_928_860)])
def test_scoring_opens_as_many_masked_values_as_is_said(
    network: Callable[..., nn.Module], expected: int
) -> None:
    torch.manual_seed(3)
    engine, count = Counting(), 128

    async def program() -> None:
        secret = secretly(engine, network((1, 28, 28), 10))
        engine.opened = 0
        images = engine.public(torch.randint(1 << 16, (count, 1, 28, 28)))
        await right_answers(engine, secret, images, engine.public(one_hot(torch.randint(10, (count,)), 10)))

    play({0: program()})
    assert engine.opened == expected


@pytest.mark.parametrize("operation", OPERATIONS)
def test_so_many_are_counted_as_are_opened(operation: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
    program = opened(operation, compared(12), compared(12, seed=1))
    counting, masked, before = Counting(), 0, Maker.mask

    async def mask(self: Maker, count: int, digits: int, *, divided: bool) -> Mask:
        nonlocal masked
        masked += count * (self.circle.party == 0)
        return await before(self, count, digits, divided=divided)

    monkeypatch.setattr(Maker, "mask", mask)
    everybody(program, 3)
    play({0: program(counting)})
    assert counting.opened == masked


def bits_of(data: Tensor) -> NDArray[np.uint8]:
    """The bits of each entry of a message, in rows."""
    if data.ndim == 2 and data.shape[1] == 16:
        return np.unpackbits(data.numpy(), axis=1, bitorder="little")[:, :127]
    words = data.to(torch.int64).unsqueeze(-1) >> torch.arange(8 * data.dtype.itemsize) & 1
    return words.numpy().astype(np.uint8).transpose(1, 0, 2).reshape(words.shape[1], -1)


@pytest.mark.parametrize("operation", [product, truncated, negative])
@pytest.mark.parametrize(("holders", "rounding"), [(3, "nearest"), (5, "probabilistic")])
def test_what_any_t_parties_receive_does_not_tell_the_secrets(
    operation: Operation, holders: int, rounding: str
) -> None:
    """All bits, and whether two messages of a round have them in common, are as frequent for all secrets."""
    count, threshold = 800, (holders - 1) // 2

    def view(value: int) -> dict[tuple[int, int], list[NDArray[np.uint8]]]:
        constant = torch.full((count,), value)
        _, traffic = everybody(opened(operation, constant, constant), holders, rounding)
        last = traffic.rounds - 1 - (threshold > 1)
        found: dict[tuple[int, int], list[NDArray[np.uint8]]] = {}
        for number, _, receiver, data in traffic.messages:
            if 0 < number < last:
                found.setdefault((number, receiver), []).append(bits_of(data))
        return found

    first, second = view(0), view(-123456789)
    rounds = {number for number, _ in first}
    assert len(rounds) >= 4 - (threshold == 1)
    for number in rounds:
        for coalition in combinations(range(holders), threshold):
            seen, other = (
                [bits for party in coalition for bits in each.get((number, party), [])]
                for each in (first, second)
            )
            for k, (one, two) in enumerate(zip(seen, other, strict=True)):
                assert_alike(one, two)
                if k and one.shape == seen[k - 1].shape:
                    assert_alike(one ^ seen[k - 1], two ^ other[k - 1])


def assert_alike(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> None:
    """Bits, in columns, are ones equally often."""
    spread = np.sqrt((one.var(0) + two.var(0)) / len(one))
    assert (np.abs(one.mean(0) - two.mean(0)) <= 7 * spread).all()


@pytest.mark.parametrize("holders", [3, 4])
def test_both_ends_of_a_key_are_equally_far(holders: int) -> None:
    async def program(engine: Engine) -> Any:
        one, two = await shared(engine, compared(LONG)), await shared(engine, EDGES.repeat(120)[:LONG], 1)
        for operation in OPERATIONS:
            await operation(engine, one, two)
        return engine._maker.prime._streams  # type: ignore[attr-defined]

    found, _ = everybody(program, holders)
    for one, other in combinations(range(holders), 2):
        for giver, taker in ((one, other), (other, one)):
            assert found[giver].to[taker].drawn_bytes == found[taker].of[giver].drawn_bytes
    assert sum(stream.drawn_bytes for each in found.values() for stream in each.to.values()) > 0
