"""Four parties compute what one would; who sends a wrong bit is found out before anything is opened."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn

from mdl.errors import CheatingDetected
from mdl.mpc.engine import TRUNCATED_LIMIT, Engine, Rounding, multiply
from mdl.mpc.rep4.engine import Rep4, dealt
from mdl.mpc.rep4.setup import begun
from mdl.mpc.rounds import Protocol, Traffic, play, together
from mdl.mpc.secret import Secret
from mdl.schemes.randomness import insecure_seeded
from tests.mpc.fair import is_fair
from tests.mpc.operations import (
    EDGES,
    LONG,
    OPERATIONS,
    compared,
    digits,
    negative,
    product,
    scaled,
    selected,
    truncated,
)
from tests.mpc.parties import Program, four, opened, plainly, shared
from tests.mpc.tampering import tampered
from tests.mpc.trained import (
    Batch,
    convolutional,
    dense,
    in_floats,
    padded,
    pooling_ties,
    smallest,
    training,
)
from tests.sampled import parts

T = TypeVar("T")

CHECK, OPENING = 2, 1
"""Rounds."""


def run(program: Program[T], rounding: Rounding = "probabilistic") -> tuple[dict[int, T], Traffic]:
    return play(protocols(program, rounding))


def protocols(program: Program[T], rounding: Rounding = "probabilistic") -> dict[int, Protocol[T]]:
    return {engine.party: program(engine) for engine in four(rounding)}


def agreed(found: Mapping[int, Tensor]) -> Tensor:
    """Give what all four say."""
    assert sorted(found) == [0, 1, 2, 3]
    assert all(torch.equal(each, found[0]) for each in found.values())
    return found[0]


# ------------------------------------------------------------------------------------------------
# what is computed


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("count", [1, 9, LONG])
def test_rounded_to_the_nearest_all_is_as_in_the_clear(operation: Callable[..., Any], count: int) -> None:
    inputs = compared(count), compared(count, seed=1).flip(0)
    found, _ = run(opened(operation, *inputs), "nearest")
    assert torch.equal(agreed(found), plainly(opened(operation, *inputs)))


@pytest.mark.parametrize("make", [dense, convolutional, padded, pooling_ties])
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


@pytest.mark.parametrize("owner", range(4))
def test_anybody_s_input_is_opened_to_anybody(owner: int) -> None:
    for receiver in range(4):

        async def program(engine: Engine, receiver: int = receiver) -> Tensor | None:
            return await engine.open_to(receiver, await shared(engine, EDGES, owner) + EDGES)

        found, _ = run(program)
        got = found.pop(receiver)
        assert got is not None
        assert torch.equal(got, 2 * EDGES)
        assert list(found.values()) == [None] * 3


def test_nothing_can_be_shared_and_opened() -> None:
    found, _ = run(opened(product, EDGES[:0], EDGES[:0]))
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


@pytest.mark.parametrize("drop", [1, 2, 16, 31, 32])
def test_rounded_to_the_nearest_a_quotient_is_right_at_any_magnitude(drop: int) -> None:
    """However it is shared: of what has been added up all components are random."""
    extreme = TRUNCATED_LIMIT - 1 - (torch.arange(3) << drop - 1)
    values = torch.cat((extreme, -extreme, torch.tensor([0, 1, -1, 5, -7, 2**40 + 1]))).repeat(100)
    nothing = torch.zeros_like(values)

    async def operation(engine: Engine, *secrets: Secret) -> Secret:
        one, two, three = secrets
        return await engine.truncate(one + two + three, drop)

    program = opened(operation, values, nothing, nothing)
    found, _ = run(program, "nearest")
    assert torch.equal(agreed(found), plainly(program))


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


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("fraction", [1, 2**12, 2**15, 2**16 - 1])
def test_it_is_rounded_up_as_often_as_its_fraction_says(fraction: int, known: bool) -> None:
    count, drop = 200_000, 16
    values = torch.full((count,), (5 << drop) + fraction)

    async def program(engine: Engine) -> Tensor:
        secret = engine.public(values) if known else await shared(engine, values)
        return await engine.open(await engine.truncate(secret, drop))

    found, _ = run(program)
    expected = fraction / 2**drop
    deviation = np.sqrt(expected * (1 - expected) / count)
    assert abs(float((agreed(found) - 5).double().mean()) - expected) < 4.5 * deviation


def test_products_of_public_numbers_are_rounded_without_bias() -> None:
    values = torch.full((200_000,), 3)

    async def program(engine: Engine) -> Tensor:
        one, two = engine.public(values), engine.public(values)
        return await engine.open(await engine.scaled_product(multiply, one, two, 4))

    found, _ = run(program)
    assert abs(float(agreed(found).double().mean()) - 9 / 16) < 0.006


# ------------------------------------------------------------------------------------------------
# what is sent


def is_hash(message: Tensor) -> bool:
    """With the sender's key, or of what is opened."""
    return message.dtype == torch.uint8 and message.shape in ((48,), (32,))


@pytest.mark.parametrize(
    ("operation", "each_bytes", "rounds"),
    [
        (product, 48, 1),
        (scaled, 32 + 28, 3),
        (truncated, 28 + 40, 2 + 2),
        (negative, 78 + 48, 7 + 2),
        (selected, 78 + 64 + 48 + 64, 7 + 2 + 2 + 2),
        (digits, 8 + 16 + 4 * 48 + 24 + 6 * 48, 7 + 6 * 2),
    ],
)
def test_messages_are_as_small_and_as_few_as_said(
    operation: Callable[..., Any], each_bytes: int, rounds: int
) -> None:
    count = 9_000
    _, traffic = run(opened(operation, compared(count), compared(count, 1)))
    inputs, output, confirmations = 2 * 16, 32, 12
    hashes = [tensor for *_, tensor in traffic.messages if is_hash(tensor)]
    # Between all pairs, in all rounds but the first one; and each gets one with what is opened.
    assert len(hashes) == 12 * (2 + rounds) + 4
    assert sum(traffic.sent_bytes.values()) == (
        (inputs + each_bytes + output) * count + confirmations + 48 * 12 * (2 + rounds) + 32 * 4
    )
    assert traffic.rounds == 2 + rounds + CHECK + OPENING


def test_a_step_of_training_takes_twice_what_three_semi_honest_parties_send() -> None:
    torch.manual_seed(3)
    network, batches = dense()
    _, traffic = run(training(network, batches[:1], 0.1))
    sent = list(traffic.sent_bytes.values())
    assert sum(sent) < 690_000
    assert traffic.rounds <= 105
    # All parties send alike, but for inputs: images are party 0's.
    assert max(sent) - min(sent) <= 2 * 16 * 64 * 8 + sum(sent) // 20


@pytest.mark.parametrize("operation", OPERATIONS)
def test_sizes_and_order_are_the_same_for_all_data(operation: Callable[..., Any]) -> None:
    def schedule(seed: int) -> list[tuple[Any, ...]]:
        _, traffic = run(opened(operation, compared(99, seed), compared(99, seed + 1)), "nearest")
        return [(*message[:3], message[3].shape, message[3].dtype) for message in traffic.messages]

    assert schedule(1) == schedule(7)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("value", [0, -12345])
def test_every_message_before_the_check_is_uniform(operation: Callable[..., Any], value: int) -> None:
    constant = torch.full((20_000,), value)
    _, traffic = run(opened(operation, constant, constant))
    messages = [
        tensor for number, _, _, tensor in traffic.messages if number < traffic.rounds - CHECK - OPENING
    ]
    messages = [tensor for tensor in messages if not is_hash(tensor)]
    assert len(messages) >= 2 * 2 + 6
    for tensor in messages:
        assert is_fair(tensor.to(torch.int64) & 1)
        if tensor.dtype == torch.int64:
            top = (tensor >> 60 & 15).flatten().numpy()
            assert stats.chisquare(np.bincount(top, minlength=16)).pvalue > 1e-7


def test_what_a_party_holds_and_receives_is_independent_of_the_secret() -> None:
    """Its components' sum is uniform, though it lacks but one of four."""
    constant = torch.full((60_000,), 12345)

    async def program(engine: Engine) -> Secret:
        one, two = await shared(engine, constant), await shared(engine, constant, 2)
        bit = await engine.negative(one)
        found = await engine.truncate(await engine.select(bit, await engine.product(multiply, one, two)), 16)
        return found + await engine.integers(bit)

    found, _ = run(program)
    for secret in found.values():
        for words in (secret.parts[0] + secret.parts[1] + secret.parts[2], *secret.parts):
            for shift in (0, 60):
                counts = np.bincount((words >> shift & 15).numpy(), minlength=16)
                assert stats.chisquare(counts).pvalue > 1e-7


def test_holders_of_a_key_are_equally_far() -> None:
    engines = four("nearest")

    async def program(engine: Engine) -> None:
        one, two = await shared(engine, compared(99)), await shared(engine, compared(99, 1), 1)
        for operation in OPERATIONS:
            await operation(engine, one, two)

    play({engine.party: program(engine) for engine in engines})
    for component in range(4):
        drawn = {
            engine._joint.streams[component].drawn_bytes for engine in engines if engine.party != component
        }
        assert len(drawn) == 1
        assert drawn.pop() > 0
    assert len({engine._common.drawn_bytes for engine in engines}) == 1


# ------------------------------------------------------------------------------------------------
# cheating


def expect_found_out(make: Callable[[], dict[int, Protocol[Tensor]]], part: slice = slice(None)) -> None:
    """Change a bit of each message of a run that opens what it computes, one in each run.

    The three parties that are honest never accept a wrong result, and one at least finds it out: before
    anything is opened, and in the next round or the one after; or it is a message of the check or the
    opening itself.
    """
    results, traffic = play(make())
    expected = results[0]
    check = traffic.rounds - CHECK - OPENING
    numbers = range(len(traffic.messages))[part]
    assert numbers
    for number in numbers:
        outcome = tampered(make(), number, bit=number * 7919)
        assert outcome.cheat == traffic.messages[number][1]
        assert outcome.detected
        assert all(torch.equal(found, expected) for found in outcome.results.values())
        if traffic.messages[number][0] <= check:
            assert not outcome.results
            # Its round, which is counted from 0, the next one in which whoever has it goes on (what ends side
            # by side with others goes on with them), and one in which some wait in vain.
            assert outcome.rounds <= traffic.messages[number][0] + 4


def repeated(program: Program[T], rounding: Rounding) -> dict[int, Protocol[T]]:
    """Give the protocols of a run that is the same each time."""
    insecure_keys = [bytes([number]) * 16 for number in range(5)]
    engines = dealt(insecure_keys[:4], insecure_keys[4], rounding)
    return {engine.party: program(engine) for engine in engines}


@pytest.mark.parametrize(
    ("operation", "rounding"),
    [*((operation, "probabilistic") for operation in OPERATIONS), (scaled, "nearest")],
)
@pytest.mark.parametrize("part", parts(5))
def test_a_wrong_bit_in_any_message_is_found_out(
    operation: Callable[..., Any], rounding: Rounding, part: slice
) -> None:
    program = opened(operation, compared(9), compared(9, 1))
    expect_found_out(lambda: repeated(program, rounding), part)


@pytest.mark.parametrize("part", parts(29))
def test_a_wrong_bit_in_a_step_of_training_is_found_out(part: slice) -> None:
    program = smallest()
    expect_found_out(lambda: repeated(program, "probabilistic"), part)


def test_a_wrong_bit_in_anybody_s_input_is_found_out_as_is_one_told_to_a_single_party() -> None:
    async def program(engine: Engine) -> Tensor:
        inputs = await together(*(shared(engine, EDGES * owner, owner) for owner in range(4)))
        found = await together(*(engine.open_to(owner, secret) for owner, secret in enumerate(inputs)))
        mine = found[engine.party]
        assert isinstance(mine, Tensor)
        return mine

    def make() -> dict[int, Protocol[Tensor]]:
        return repeated(program, "probabilistic")

    _, traffic = play(make())
    for number in range(len(traffic.messages)):
        outcome = tampered(make(), number, bit=number * 7919)
        assert outcome.detected
        assert all(torch.equal(found, EDGES * party) for party, found in outcome.results.items())
        assert not outcome.results or traffic.messages[number][0] > 1


def test_a_wrong_opening_is_one_of_two_parties_doing() -> None:
    program = opened(product, EDGES, EDGES)
    _, traffic = play(protocols(program))
    for number, (round_, sender, receiver, _) in enumerate(traffic.messages):
        if round_ == traffic.rounds - 1:
            outcome = tampered(protocols(program), number, bit=5)
            assert list(outcome.detected) == [receiver]
            assert sender in outcome.detected[receiver].culprits
            assert len(outcome.detected[receiver].culprits) == 2


# ------------------------------------------------------------------------------------------------
# set-up


def beginning(rounding: Rounding = "probabilistic") -> dict[int, Protocol[Rep4]]:
    return {party: begun(party, rounding, insecure_seeded(party)) for party in range(4)}


def test_parties_that_begin_have_the_keys_they_should() -> None:
    engines, traffic = play(beginning())
    assert traffic.rounds == 1 + CHECK
    program = opened(truncated, compared(99), compared(99, 1))
    found, _ = play({party: program(engine) for party, engine in engines.items()})
    assert len({tuple(each.tolist()) for each in found.values()}) == 1
    first = {
        (party, component): stream.draw(torch.Size([2]))
        for party, engine in engines.items()
        for component, stream in engine._joint.streams.items()
    }
    keys = {
        component: {tuple(words.tolist()) for (_, c), words in first.items() if c == component}
        for component in range(4)
    }
    assert all(len(each) == 1 for each in keys.values())
    assert len(set.union(*keys.values())) == 4


def test_a_wrong_bit_in_the_set_up_is_found_out() -> None:
    _, traffic = play(beginning())
    for number, (round_, sender, _, _) in enumerate(traffic.messages):
        outcome = tampered(beginning(), number, bit=number * 7919)
        assert outcome.cheat == sender
        assert outcome.detected
        if round_ < 2:
            assert not outcome.results


def test_who_finds_out_says_which_check_has_failed() -> None:
    outcome = tampered(protocols(opened(product, EDGES, EDGES)), 0)
    assert all(isinstance(found, CheatingDetected) for found in outcome.detected.values())
    assert all(str(found).startswith("transcripts: what party") for found in outcome.detected.values())
