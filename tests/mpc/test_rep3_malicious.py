"""Three parties compute what one would, send what is said, and nothing that tells of secrets."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn

from mdl.mpc.engine import TRUNCATED_LIMIT, Engine, multiply
from mdl.mpc.keystream import Keystream
from mdl.mpc.rep3_malicious import conjunctions
from mdl.mpc.rep3_malicious.conjunctions import prime_from
from mdl.mpc.rep3_malicious.engine import dealt
from mdl.mpc.rep3_malicious.setup import begun
from mdl.mpc.rounds import play
from mdl.mpc.secret import Secret
from mdl.schemes.randomness import insecure_seeded
from tests.mpc.fair import is_fair
from tests.mpc.operations import (
    EDGES,
    LONG,
    OPERATIONS,
    both,
    compared,
    digits,
    negative,
    product,
    scaled,
    selected,
    truncated,
)
from tests.mpc.parties import opened, plainly, shared
from tests.mpc.three_malicious import CHECK, OPENING, UNITS, agreed, engines, is_hash, run
from tests.mpc.trained import (
    Batch,
    averaging,
    convolutional,
    dense,
    in_floats,
    normalising,
    padded,
    pooling_ties,
    training,
)

# ------------------------------------------------------------------------------------------------
# what is computed


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("count", [1, 9, LONG])
def test_rounded_to_the_nearest_all_is_as_in_the_clear(operation: Callable[..., Any], count: int) -> None:
    inputs = compared(count), compared(count, seed=1).flip(0)
    found, _ = run(opened(operation, *inputs), "nearest")
    assert torch.equal(agreed(found), plainly(opened(operation, *inputs)))


@pytest.mark.parametrize(
    "make",
    [
        dense,
        convolutional,
        *(pytest.param(make, marks=pytest.mark.exhaustive) for make in (padded, pooling_ties, averaging)),
        normalising,
    ],
)
def test_rounded_to_the_nearest_a_step_is_as_in_the_clear(
    make: Callable[[], tuple[nn.Sequential, list[Batch]]],
) -> None:
    torch.manual_seed(3)
    network, batches = make()
    program = training(network, batches[:2], 0.1)
    found, _ = run(program, "nearest")
    assert torch.equal(agreed(found), plainly(program))


@pytest.mark.parametrize("make", [dense, convolutional])
def test_rounded_at_random_they_train_nearly_so(
    make: Callable[[], tuple[nn.Sequential, list[Batch]]],
) -> None:
    torch.manual_seed(3)
    network, batches = make()
    found, _ = run(training(network, batches, 0.1))
    torch.testing.assert_close(agreed(found), in_floats(network, batches, 0.1), rtol=0, atol=5e-4)


@pytest.mark.parametrize("owner", range(3))
def test_anybody_s_input_is_opened_to_anybody(owner: int) -> None:
    for receiver in range(3):

        async def program(engine: Engine, receiver: int = receiver) -> Tensor | None:
            return await engine.open_to(receiver, await shared(engine, EDGES, owner) + EDGES)

        found, traffic = run(program)
        got = found.pop(receiver)
        assert got is not None
        assert torch.equal(got, 2 * EDGES)
        assert list(found.values()) == [None] * 2
        assert traffic.rounds == 1 + OPENING, "there is nothing to verify"


def test_nothing_can_be_multiplied_and_opened() -> None:
    found, _ = run(opened(selected, EDGES[:0], EDGES[:0]))
    assert agreed(found).shape == (0,)


def test_what_is_public_is_added_once() -> None:
    async def operation(engine: Engine, secret: Secret) -> Secret:
        bit = await engine.negative(secret) ^ 1
        return engine.public(EDGES) * 3 + secret + 5 + await engine.integers(bit)

    found, _ = run(opened(operation, EDGES))
    assert torch.equal(agreed(found), 4 * EDGES + 5 + (EDGES >= 0))


def test_coins_are_fair_and_cost_nothing() -> None:
    async def program(engine: Engine) -> Tensor:
        return await engine.open(await engine.integers(await engine.random_bits(torch.Size([60_000]))))

    found, traffic = run(program)
    assert set(agreed(found).tolist()) == {0, 1}
    assert is_fair(found[0])
    assert traffic.rounds == 2 + CHECK + OPENING


@settings(deadline=None, max_examples=30)
@given(
    value=st.one_of(
        st.integers(-TRUNCATED_LIMIT + 1, TRUNCATED_LIMIT - 1),
        st.sampled_from([0, -1, 1, TRUNCATED_LIMIT - 1, 1 - TRUNCATED_LIMIT]),
    ),
    drop=st.integers(1, 32),
)
def test_a_quotient_is_off_by_less_than_one_at_any_magnitude(value: int, drop: int) -> None:
    async def operation(engine: Engine, secret: Secret) -> Secret:
        return await engine.truncate(secret, drop)

    values = torch.full((300,), value)
    low = value >> drop
    found, _ = run(opened(operation, values))
    assert set(agreed(found).tolist()) <= {low, low + (value % (1 << drop) > 0)}
    found, _ = run(opened(operation, values), "nearest")
    assert set(agreed(found).tolist()) == {value + (1 << drop - 1) >> drop}


@pytest.mark.parametrize("fraction", [1, 2**12, 2**15, 2**16 - 1])
def test_it_is_rounded_up_as_often_as_its_fraction_says(fraction: int) -> None:
    count, drop = 40_000, 16

    async def program(engine: Engine) -> Tensor:
        values = torch.full((count,), (5 << drop) + fraction)
        return await engine.open(await engine.truncate(engine.public(values), drop))

    found, _ = run(program)
    expected = fraction / 2**drop
    deviation = np.sqrt(expected * (1 - expected) / count)
    assert abs(float((agreed(found) - 5).double().mean()) - expected) < 4.5 * deviation


# ------------------------------------------------------------------------------------------------
# what is sent


@pytest.mark.parametrize(
    ("operation", "products", "integers", "conjunction_bytes", "rounds"),
    [
        (product, 1, 0, 0, 1),
        (scaled, 1, 4, 9 + 3, 1 + 8),
        (truncated, 0, 2 * 4, (9 + 3) + (17 + 3), 8 + 9),
        (negative, 0, 1, 17, 7 + 2),
        (selected, 3, 2, 17, 7 + 3 + 1 + 3),
        (digits, 0, 6, 4 + 4 + 4 * 8 + 4, 7 + 6 * 2),
        (both, 0, 1, 2 * 17 + 1, 2 * 7 + 1 + 2),
    ],
)
def test_messages_are_as_small_and_as_few_as_said(
    operation: Callable[..., Any], products: int, integers: int, conjunction_bytes: int, rounds: int
) -> None:
    """An entry of a product takes 39 bytes, and 78 to verify it; an integer 39, and 65; a byte 3, and 18."""
    count = 2_000
    _, traffic = run(opened(operation, compared(count), compared(count, 1)))
    unit = conjunction_bytes * count // UNITS
    verified = unit * prime_from(max(UNITS, unit and -(-conjunction_bytes * count // unit) + 1))
    inputs, output = 2 * 8 * count, 3 * (8 * count + 32)
    seed, hashed, zeros = 16 + 32, 32, 2 * 32
    assert sum(traffic.sent_bytes.values()) == (
        inputs
        + ((39 + 78) * products + (39 + 65) * integers + 3 * conjunction_bytes) * count
        + 18 * verified
        + 3 * (1 + (conjunction_bytes > 0)) * (seed + hashed + zeros)
        + output
    )
    assert traffic.rounds == 2 + rounds + CHECK + OPENING


def test_all_parties_send_nearly_alike() -> None:
    torch.manual_seed(3)
    network, batches = dense()
    _, traffic = run(training(network, batches[:1], 0.1))
    sent = list(traffic.sent_bytes.values())
    images, labels = 8 * 16 * 64, 8 * 16 * 10
    assert sent[0] - images == sent[2]
    assert sent[2] * 0.8 < sent[1] - labels < sent[2]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_sizes_and_order_are_the_same_for_all_data(operation: Callable[..., Any]) -> None:
    def schedule(seed: int) -> list[tuple[Any, ...]]:
        _, traffic = run(opened(operation, compared(99, seed), compared(99, seed + 1)), "nearest")
        return [(*message[:3], message[3].shape, message[3].dtype) for message in traffic.messages]

    assert schedule(1) == schedule(7)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("value", [0, -12345])
def test_every_message_before_the_opening_is_uniform(operation: Callable[..., Any], value: int) -> None:
    constant = torch.full((8_000,), value)
    _, traffic = run(opened(operation, constant, constant))
    messages = [
        tensor
        for number, _, _, tensor in traffic.messages
        if number < traffic.rounds - OPENING and not is_hash(tensor) and tensor.numel() > 16
    ]
    assert len(messages) >= 2 + 3 * 3
    for tensor in messages:
        words = tensor.contiguous().view(-1).view(torch.uint8).numpy()
        assert stats.chisquare(np.bincount(words, minlength=256)).pvalue > 1e-8
        if tensor.shape[-1] == 13:  # the highest byte, and the lowest
            for byte in (0, 12):
                counts = np.bincount(tensor.reshape(-1, 13)[:, byte].numpy(), minlength=256)
                assert stats.chisquare(counts).pvalue > 1e-8


def test_what_a_party_holds_is_independent_of_the_secret() -> None:
    constant = torch.full((60_000,), 12345)

    async def program(engine: Engine) -> Secret:
        one, two = await shared(engine, constant), await shared(engine, constant, 2)
        bit = await engine.negative(one)
        found = await engine.select(bit, await engine.product(multiply, one, two))
        return found + await engine.integers(bit)

    found, _ = run(program)
    for secret in found.values():
        for words in (secret.parts[0] + secret.parts[1], *secret.parts):
            for shift in (0, 60):
                counts = np.bincount((words >> shift & 15).numpy(), minlength=16)
                assert stats.chisquare(counts).pvalue > 1e-7


def test_holders_of_a_key_are_equally_far() -> None:
    found = engines("probabilistic")

    async def program(engine: Engine) -> None:
        one, two = await shared(engine, compared(99)), await shared(engine, compared(99, 1), 1)
        for operation in OPERATIONS:
            await operation(engine, one, two)
        await engine.check()

    play({engine.party: program(engine) for engine in found})
    for engine in found:
        before = found[(engine.party + 2) % 3]
        assert engine._member.mine.drawn_bytes == before._member.next.drawn_bytes > 0
        assert engine._common.drawn_bytes == before._common.drawn_bytes > 0


# ------------------------------------------------------------------------------------------------
# when it is verified


def test_products_are_verified_once_much_is_remembered() -> None:
    inputs = compared(999), compared(999, 1)
    keys = [bytes([number]) * 16 for number in range(4)]
    limit = 100_000
    largest = 0

    async def program(engine: Engine) -> Tensor:
        nonlocal largest
        one, two = await shared(engine, inputs[0]), await shared(engine, inputs[1], 1)
        total = one * 0
        for _ in range(3):
            total += await selected(engine, one, two)
            largest = max(largest, engine._remembered_bytes)  # type: ignore[attr-defined]
        return await engine.open(total)

    found, traffic = play(
        {
            engine.party: program(engine)
            for engine in dealt(keys[:3], keys[3], "nearest", units=UNITS, remembered_bytes=limit)
        }
    )
    assert torch.equal(agreed(found), 3 * plainly(opened(selected, *inputs)))
    zeros = [number for number, *_, tensor in traffic.messages if is_hash(tensor)]
    assert len(set(zeros)) > 3 * 2 * 3, "verified in each of the three turns, and more than once"
    assert largest < limit + 200_000


def test_what_is_verified_once_is_not_verified_again() -> None:
    async def program(engine: Engine) -> Tensor:
        secret = await product(engine, *[await shared(engine, EDGES)] * 2)
        await engine.check()
        await engine.check()
        return await engine.open(secret)

    _, traffic = run(program)
    assert traffic.rounds == 2 + CHECK + OPENING


# ------------------------------------------------------------------------------------------------
# set-up


def test_parties_that_begin_have_the_keys_they_should() -> None:
    found, traffic = play(
        {party: begun(party, "probabilistic", insecure_seeded(party)) for party in range(3)}
    )
    assert traffic.rounds == 2
    assert {engine._conjunctions._units for engine in found.values()} == {conjunctions.UNITS}, "2^-40"
    words: dict[int, set[tuple[int, ...]]] = {number: set() for number in range(4)}

    def note(number: int, stream: Keystream) -> None:
        words[number].add(tuple(stream.draw(torch.Size([2])).tolist()))

    for party, engine in found.items():
        note(party, engine._member.mine)
        note((party + 1) % 3, engine._member.next)
        note(3, engine._common)
    assert [len(each) for each in words.values()] == [1] * 4
    assert len(set.union(*words.values())) == 4
