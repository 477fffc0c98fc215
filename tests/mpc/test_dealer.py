"""Holders with a dealer compute what one would in the clear; whoever lacks one share sees only noise."""

from collections.abc import Callable
from itertools import combinations
from itertools import product as pairs_of
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mdl.learning.networks_a_to_d import network_a
from mdl.mpc.dealer import Dealer, Holder
from mdl.mpc.engine import TRUNCATED_LIMIT, Engine, multiply
from mdl.mpc.networks import secretly
from mdl.mpc.optimisers import Sgd
from mdl.mpc.rounds import play
from mdl.mpc.secret import Secret
from mdl.mpc.training import step
from tests.mpc.dealt import Tape, assert_equally_far, dealt_bytes, engines, online, with_dealer
from tests.mpc.fair import is_fair
from tests.mpc.operations import EDGES, OPERATIONS, compared, digits, negative, product, scaled, truncated
from tests.mpc.parties import opened, plainly, shared
from tests.mpc.trained import (
    Batch,
    batches_of,
    convolutional,
    dense,
    in_floats,
    padded,
    pooling_ties,
    training,
)

Make = Callable[[], tuple[nn.Sequential, list[Batch]]]
NETWORKS: list[Make] = [dense, convolutional, padded, pooling_ties]
MANY = 2_005
"""Entries that five holders open in parts, and not evenly."""


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("count", "holders"), [(1, 2), (9, 3), (MANY, 2), (MANY, 5)])
def test_rounded_to_the_nearest_all_is_as_in_the_clear(
    operation: Callable[..., Any], count: int, holders: int
) -> None:
    inputs = compared(count), compared(count, seed=1).flip(0)
    found, _ = with_dealer(opened(operation, *inputs), holders, "nearest")
    assert torch.equal(found, plainly(opened(operation, *inputs)))


@pytest.mark.parametrize(("make", "holders"), [*((make, 2) for make in NETWORKS), (dense, 5)])
def test_rounded_to_the_nearest_holders_train_as_one_does(make: Make, holders: int) -> None:
    program = training(*make(), 0.1)
    found, _ = with_dealer(program, holders, "nearest")
    assert torch.equal(found, plainly(program))


def test_ten_train_as_one_does() -> None:
    network, batches = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.ReLU()), batches_of(1, 8, 8, count=1)
    program = training(network, batches, 0.1)
    found, _ = with_dealer(program, 10, "nearest")
    assert torch.equal(found, plainly(program))


def test_rounded_at_random_they_train_nearly_so() -> None:
    network, batches = dense()
    found, _ = with_dealer(training(network, batches, 0.1), 2)
    torch.testing.assert_close(found, in_floats(network, batches, 0.1), rtol=0, atol=5e-4)


def test_one_holder_alone_learns_what_is_opened_to_it_and_the_dealer_never() -> None:
    async def program(engine: Engine) -> Tensor | None:
        secret = await shared(engine, EDGES, 2)
        assert await engine.open_to(1, secret) is None or engine.party == 1
        everybodys = await engine.open(secret)
        assert torch.equal(everybodys, EDGES) == (engine.party != 3)
        return await engine.open_to(1, secret)

    results, _ = play({party: program(engine) for party, engine in engines(3).items()})
    assert results[1] is not None
    assert torch.equal(results[1], EDGES)
    assert {0: results[0], 2: results[2], 3: results[3]} == {0: None, 2: None, 3: None}


def test_coins_are_fair_and_unknown_to_the_dealer() -> None:
    async def program(engine: Engine) -> tuple[Tensor, Tensor]:
        coins = await engine.random_bits(torch.Size([60_000]))
        return coins.parts[-1], await engine.open(await engine.integers(coins))

    results, _ = play({party: program(engine) for party, engine in engines(2).items()})
    found, known_to_dealer = results[0][1], results[2][0]
    assert set(found.tolist()) == {0, 1}
    assert is_fair(found)
    assert is_fair(found ^ known_to_dealer)


# ------------------------------------------------------------------------------------------------
# quotients

CORNERS = [0, 1, -1, 2**63 - 1, -(2**63), 2**62, -(2**62), 2**15, 2**31, -(2**31), 0x0123456789ABCDEF]
LARGE = [0, 1, -1, 2**15, -(2**15), 2**31, 2**47 - 1, -(2**47), TRUNCATED_LIMIT - 1, 1 - TRUNCATED_LIMIT]


@pytest.mark.parametrize("rounding", ["nearest", "probabilistic"])
@pytest.mark.parametrize(("mask", "moved"), [*pairs_of(CORNERS, [0]), *pairs_of([0, 5], CORNERS)])
def test_no_mask_makes_a_quotient_fail(mask: int, moved: int, rounding: Any) -> None:
    """The owner's mask, the one that wraps are opened with, and what rounding is moved by are all extreme."""
    values = torch.tensor([value + near for value in LARGE for near in (-1, 0, 1)])
    values = values[values.abs() < TRUNCATED_LIMIT]

    async def program(engine: Engine) -> Tensor:
        secret = await shared(engine, values)
        return torch.stack([await engine.open(await engine.truncate(secret, m)) for m in (1, 15, 16, 17, 32)])

    parties = engines(2, rounding)
    for engine in parties.values():
        assert isinstance(engine, Holder | Dealer)
        engine._public = Tape(moved)  # type: ignore[assignment]
    for number in (0, 1):
        tape = Tape(mask if number == 0 else 0)
        parties[number]._source.stream = tape  # type: ignore[attr-defined]
        parties[2]._streams[number] = tape  # type: ignore[attr-defined]
    results, _ = play({party: program(engine) for party, engine in parties.items()})
    for drop, found in zip((1, 15, 16, 17, 32), results[0], strict=True):
        if rounding == "nearest":
            assert torch.equal(found, values + (1 << drop - 1) >> drop)
        else:
            up = found - (values >> drop)
            assert bool(((up == 0) | (up == 1) & (values % (1 << drop) > 0)).all())


@settings(deadline=None, max_examples=10)
@given(value=st.integers(-TRUNCATED_LIMIT + 1, TRUNCATED_LIMIT - 1), drop=st.integers(1, 32))
def test_a_quotient_is_off_by_less_than_one_at_any_magnitude(value: int, drop: int) -> None:
    async def operation(engine: Engine, secret: Secret) -> Secret:
        return await engine.truncate(secret, drop)

    found, _ = with_dealer(opened(operation, torch.full((300,), value)), 2)
    assert set(found.tolist()) <= {value >> drop, (value >> drop) + (value % (1 << drop) > 0)}


def test_it_is_rounded_up_as_often_as_its_fraction_says() -> None:
    count, drop = 100_000, 16

    async def operation(engine: Engine, secret: Secret) -> Secret:
        return await engine.truncate(secret, drop)

    for fraction in (1, 2**12, 2**15, 2**16 - 1):
        found, _ = with_dealer(opened(operation, torch.full((count,), (5 << drop) + fraction)), 2)
        expected = fraction / 2**drop
        deviation = np.sqrt(expected * (1 - expected) / count)
        assert abs(float((found - 5).double().mean()) - expected) < 4 * deviation + 1e-9


def test_what_has_a_mask_of_few_low_bits_is_rounded_without_bias() -> None:
    """Of public numbers the mask is zero; that of an even multiple is even."""

    async def operation(engine: Engine, secret: Secret) -> Secret:
        public = engine.public(torch.full(secret.shape, 3))
        return await engine.truncate(secret * 2 + 1, 1) * 1000 + await engine.truncate(public, 2)

    found, _ = with_dealer(opened(operation, torch.full((100_000,), 7)), 2)
    up = (found // 1000 - 7).double().mean(), (found % 1000).double().mean()
    assert abs(up[0] - 1 / 2) < 0.008
    assert abs(up[1] - 3 / 4) < 0.008


# ------------------------------------------------------------------------------------------------
# what is sent


@pytest.mark.parametrize(
    ("operation", "sent", "dealt", "rounds"),
    [
        (product, 8, 8, 1),
        (scaled, 8 + 2, 8 + 8 + 2, 2),
        (truncated, 2 + 4, 8 + 2 + 8 + 4, 2),
        # The comparison takes four rounds and five bytes of each to each; making an integer, one and eight.
        (negative, 5 + 8, 16 + 3 + 8, 4 + 1),
        (digits, 4 + 4 * 8 + 4 + 6 * 8, 4 + 4 * 8 + 4 + 6 * 8, 1 + 5 + 6),
    ],
)
def test_messages_are_as_small_and_as_few_as_said(
    operation: Callable[..., Any], sent: int, dealt: int, rounds: int
) -> None:
    count = 500
    program = opened(operation, compared(count), compared(count, 1))
    for holders in (2, 3):
        _, traffic = with_dealer(program, holders)
        shared_and_opened = 2 * (holders - 1) * 8 + holders * (holders - 1) * 8
        expected = (shared_and_opened + holders * (holders - 1) * sent) * count
        assert online(traffic, holders) == (2 + rounds + 1, expected)
        # However many there are, the dealer sends only to the last.
        assert dealt_bytes(traffic, holders) == dealt * count
        assert {receiver for _, sender, receiver, _ in traffic.messages if sender == holders} == {holders - 1}


def test_matrices_cost_no_more_than_their_product() -> None:
    one, two = compared(12 * 35).reshape(12, 35), compared(35 * 7, seed=2).reshape(35, 7)

    async def operation(engine: Engine, a: Secret, b: Secret) -> Secret:
        return await engine.product(torch.matmul, a, b)

    found, traffic = with_dealer(opened(operation, one, two), 2)
    assert torch.equal(found, one @ two)
    assert dealt_bytes(traffic, 2) == 8 * 12 * 7
    assert online(traffic, 2)[1] == 8 * (one.numel() + two.numel()) + 16 * 12 * 7 + 16 * 12 * 7


def test_many_holders_open_in_parts() -> None:
    count, holders = 2_000, 5
    _, traffic = with_dealer(opened(product, compared(count), compared(count, 1)), holders)
    rounds, sent = online(traffic, holders)
    assert rounds == 2 + 2 + 2
    # Two fifths of the entries to and from each of the others; twice, as the result is opened too.
    assert sent == 2 * (holders - 1) * 8 * count + 2 * (2 * 8 * count * (holders - 1))


def test_a_batch_of_network_a_costs_no_more_than_said() -> None:
    """The first one has no momenta yet, which cost nothing."""
    network = network_a((1, 28, 28), 10)

    async def program(engine: Engine) -> None:
        images, labels = (
            torch.zeros(128, 1, 28, 28, dtype=torch.int64),
            torch.zeros(128, 10, dtype=torch.int64),
        )
        values, targets = await shared(engine, images), await shared(engine, labels, 1)
        await step(engine, secretly(engine, network), Sgd(0.01, 7), values, targets)

    _, traffic = with_dealer(program, 2)
    rounds, sent = online(traffic, 2)
    assert rounds <= 77
    assert sent <= 7.5e6
    assert dealt_bytes(traffic, 2) <= 6.7e6


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("holders", [2, 5])
def test_sizes_and_order_are_the_same_for_all_data(operation: Callable[..., Any], holders: int) -> None:
    def schedule(seed: int) -> list[tuple[Any, ...]]:
        program = opened(operation, compared(MANY, seed), compared(MANY, seed + 1))
        _, traffic = with_dealer(program, holders)
        return [(*message[:3], message[3].shape, message[3].dtype) for message in traffic.messages]

    assert schedule(1) == schedule(7)


# ------------------------------------------------------------------------------------------------
# what is seen


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("value", "holders"), [(0, 2), (-1, 3), (12345, 4)])
def test_every_message_is_uniform(operation: Callable[..., Any], value: int, holders: int) -> None:
    """Of an opening too, but for the sum."""
    constant = torch.full((10_000,), value)
    _, traffic = with_dealer(opened(operation, constant, constant), holders)
    last = max(number for number, *_ in traffic.messages)
    checked = 0
    for number, _, _, tensor in traffic.messages:
        if number == last and holders > 3:
            continue  # the result itself
        for place in (0, 8 * tensor.dtype.itemsize - 1):
            bit = tensor >> place & 1
            assert is_fair(bit)
        checked += 1
    assert checked >= 5


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("honest", [0, 1])
def test_no_two_messages_that_the_others_see_have_a_mask_in_common(
    operation: Callable[..., Any], honest: int
) -> None:
    """Any two of the honest holder's messages and the dealer's differ uniformly, whatever the secrets are."""
    constant = torch.full((6_000,), 3)
    _, traffic = with_dealer(opened(operation, constant, constant), 3)
    last = max(number for number, *_ in traffic.messages)
    told_to = 2  # which one gets all that the dealer sends
    seen = [
        words
        for number, sender, receiver, tensor in traffic.messages
        if number < last and sender in (honest, 3) and receiver == told_to
        for words in tensor.reshape(-1, 6_000).to(torch.int64)
    ]
    assert len(seen) >= 2
    for one, two in combinations(seen, 2):
        low = (one - two) & 1
        assert is_fair(low)


def test_holders_of_a_key_are_equally_far() -> None:
    parties = engines(3, "nearest")

    async def program(engine: Engine) -> None:
        one, two = await shared(engine, compared(MANY)), await shared(engine, compared(MANY, 1), 1)
        for operation in OPERATIONS:
            await operation(engine, one, two)
        await engine.open_to(2, await engine.product(multiply, one, two))

    play({party: program(engine) for party, engine in parties.items()})
    assert_equally_far(parties)


def test_who_opens_a_sum_does_not_tell_its_own_summand() -> None:
    """Shares of inputs are the owners' alone; what is sent of them must be masked all the same."""
    secrets = torch.full((20_000,), 99), torch.full((20_000,), 7)

    async def program(engine: Engine) -> Tensor:
        one, two = await shared(engine, secrets[0], 1), await shared(engine, secrets[1], 2)
        return await engine.open(one + two)

    found, traffic = with_dealer(program, 3)
    assert torch.equal(found, secrets[0] + secrets[1])
    masked = {sender: tensor for number, sender, _, tensor in traffic.messages if number < 2}
    last = max(number for number, *_ in traffic.messages)
    told = {sender: tensor for number, sender, _, tensor in traffic.messages if number == last}
    # The public part and the owner's message together would give the input.
    low = (masked[1] + told[1]) & 1
    assert is_fair(low)
