"""Three parties compute what one would; messages are uniform, as many as counted, the same for all data."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from mdl.mpc.engine import TRUNCATED_LIMIT, Engine, Rounding, multiply
from mdl.mpc.keystream import Keystream
from mdl.mpc.rep3.seats import SHORT
from mdl.mpc.rounds import phase, play
from mdl.mpc.secret import Secret, stacked
from tests.mpc.fair import is_fair
from tests.mpc.operations import EDGES, OPERATIONS, compared, negative, product, scaled, truncated
from tests.mpc.parties import Program, opened, plainly, replicated, shared, three

LONG = SHORT + 1
"""Long enough to be cut into thirds, and not evenly."""


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("count", [1, 9, LONG])
def test_rounded_to_the_nearest_all_is_as_in_the_clear(operation: Callable[..., Any], count: int) -> None:
    inputs = compared(count), compared(count, seed=1).flip(0)
    found, _ = replicated(opened(operation, *inputs), "nearest")
    torch.testing.assert_close(found, plainly(opened(operation, *inputs)), rtol=0, atol=0)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("rounding", ["nearest", "probabilistic"])
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1, 1)])
def test_a_number_and_nothing_are_secrets_too(
    operation: Callable[..., Any], rounding: Rounding, shape: tuple[int, ...]
) -> None:
    inputs = torch.full(shape, -3 << 16), torch.full(shape, 5 << 16)
    found, _ = replicated(opened(operation, *inputs), rounding)
    expected = plainly(opened(operation, *inputs))
    assert found.shape == shape
    assert int((found - expected).abs().sum()) <= 2 * (rounding == "probabilistic")


def test_matrices_are_multiplied_as_in_the_clear() -> None:
    one, two = compared(12 * 35).reshape(12, 35), compared(35 * 7, seed=2).reshape(35, 7)

    async def operation(engine: Engine, a: Secret, b: Secret) -> Secret:
        return await engine.product(torch.matmul, a, b)

    found, traffic = replicated(opened(operation, one, two))
    # Secrets are modulo 2^63.
    torch.testing.assert_close(found << 1, one @ two << 1, rtol=0, atol=0)
    inputs, outputs = 8 * (one.numel() + two.numel()), 24 * 12 * 7
    # One word a party and entry of the result, whatever the inner length.
    assert sum(traffic.sent_bytes.values()) == inputs + outputs + 24 * 12 * 7


@settings(deadline=None, max_examples=60)
@given(
    one=st.integers(-(2**31), 2**31 - 1),
    two=st.integers(-(2**30) + 1, 2**30 - 1),
    drop=st.sampled_from([1, 15, 16, 17, 31, 32]),
    data=st.data(),
)
def test_a_product_is_rounded_once_with_what_is_added(
    one: int, two: int, drop: int, data: st.DataObject
) -> None:
    """What is added takes the sum to any value that can be rounded."""
    total = data.draw(st.integers(1 - TRUNCATED_LIMIT, TRUNCATED_LIMIT - 1))

    async def operation(engine: Engine, a: Secret, b: Secret, c: Secret) -> Secret:
        return await engine.scaled_product(multiply, a, b, drop, plus=c)

    inputs = (torch.full((40,), value) for value in (one, two, total - one * two))
    found, _ = replicated(opened(operation, *inputs))
    low = total >> drop
    assert set(found.tolist()) <= {low, low + (total % (1 << drop) > 0)}


def test_matrices_that_are_mapped_are_multiplied_and_rounded_once() -> None:
    one, two = compared(35 * 12, 1).reshape(35, 12) >> 8, compared(7 * 35, 2).reshape(7, 35) >> 8
    exact = one.t() @ two.t()

    async def operation(engine: Engine, a: Secret, b: Secret) -> Secret:
        return await engine.scaled_product(torch.matmul, a.map(torch.t), b.map(torch.t), 16)

    found, _ = replicated(opened(operation, one, two))
    assert int(((found << 16) - exact).abs().max()) < 1 << 16


def test_one_party_alone_learns_what_is_opened_to_it() -> None:
    async def program(engine: Engine) -> Tensor | None:
        return await engine.open_to(1, await shared(engine, EDGES))

    results, _ = play({engine.party: program(engine) for engine in three()})
    assert results[1] is not None
    assert torch.equal(results[1], EDGES)
    assert results[0] is None
    assert results[2] is None


def test_coins_are_fair_and_cost_nothing() -> None:
    async def program(engine: Engine) -> Tensor:
        return await engine.open(await engine.integers(await engine.random_bits(torch.Size([60_000]))))

    found, traffic = replicated(program)
    assert set(found.tolist()) == {0, 1}
    assert is_fair(found)
    assert traffic.rounds == 3


def test_all_parties_come_to_the_same() -> None:
    program = opened(truncated, compared(LONG), compared(LONG, 3))
    engines = three()

    results, _ = play({engine.party: program(engine) for engine in engines})
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[1], results[2])


# ------------------------------------------------------------------------------------------------
# rounding at random


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
    found, _ = replicated(program, "nearest")
    assert torch.equal(found, plainly(program))


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

    found, _ = replicated(opened(operation, torch.full((300,), value)))
    # Floor or ceiling, of exact integers.
    low = value >> drop
    assert set(found.tolist()) <= {low, low + (value % (1 << drop) > 0)}


def test_it_is_rounded_up_as_often_as_its_fraction_says() -> None:
    count, drop = 400_000, 16
    for fraction in (1, 2**12, 2**15, 2**16 - 1):

        async def operation(engine: Engine, secret: Secret) -> Secret:
            return await engine.truncate(secret, drop)

        found, _ = replicated(opened(operation, torch.full((count,), (5 << drop) + fraction)))
        expected = fraction / 2**drop
        deviation = np.sqrt(expected * (1 - expected) / count)
        assert abs(float((found - 5).double().mean()) - expected) < 4 * deviation + 1e-9


def test_ten_million_quotients_of_46_bits_do_not_wrap_and_are_right_on_average() -> None:
    """Where each shifts its own component alone, one in 2^17 is off by 2^48."""
    generator, drop, size, chunks = torch.Generator().manual_seed(1), 16, 1_250_000, 4

    async def operation(engine: Engine, a: Secret, b: Secret) -> Secret:
        return stacked([await engine.truncate(a, drop), await engine.scaled_product(multiply, b, b, drop)])

    total = 0
    for _ in range(chunks):
        values = torch.randint(-(2**46), 2**46, (size,), generator=generator)
        roots = torch.randint(-(2**23), 2**23, (size,), generator=generator)
        found, _ = replicated(opened(operation, values, roots))
        errors = (found << drop) - torch.stack([values, roots * roots])
        assert int(errors.abs().max()) < 1 << drop
        total += int(errors.sum())
    # Of a fraction p the error's variance is p (1 - p) units: 1/6 on average.
    count = 2 * chunks * size
    assert abs(total) / 2**drop < 5 * np.sqrt(count / 6)


def test_what_is_made_of_fresh_inputs_is_rounded_without_bias() -> None:
    """One of their components is zero, whichever of them the pair knows."""
    count = 300_000
    one, two = torch.full((count,), 3), torch.full((count,), 20_000)

    async def operation(engine: Engine, a: Secret, b: Secret) -> Secret:
        return await engine.truncate(a, 2) * 1_000_000 + await engine.scaled_product(multiply, a, b, 16)

    found, _ = replicated(opened(operation, one, two))
    up = (found // 1_000_000).double().mean(), (found % 1_000_000).double().mean()
    assert abs(up[0] - 3 / 4) < 0.005
    assert abs(up[1] - 60_000 / 65_536) < 0.005


# ------------------------------------------------------------------------------------------------
# what is sent


def sent(program: Program[Any]) -> int:
    """Bytes of all parties."""
    _, traffic = replicated(program)
    return sum(traffic.sent_bytes.values())


@pytest.mark.parametrize(
    ("operation", "words", "rounds"),
    [
        (product, 24, 1),
        (scaled, 30, 2),
        (negative, 39 + 24, 7 + 2),
    ],
)
def test_messages_are_as_small_and_as_few_as_said(
    operation: Callable[..., Any], words: int, rounds: int
) -> None:
    count = 24_000
    one, two = compared(count), compared(count, 1)
    _, traffic = replicated(opened(operation, one, two))
    inputs_and_output = 8 + 8 + 24
    assert sum(traffic.sent_bytes.values()) == (inputs_and_output + words) * count
    assert traffic.rounds == 2 + rounds + 1
    # All parties send alike.
    assert max(traffic.sent_bytes.values()) - min(traffic.sent_bytes.values()) <= 40 * 3 + 8 * count


def test_what_was_told_is_not_told_again() -> None:
    """A second selection by the same bits, and integers of them, send less."""
    values = compared(10)

    async def program(engine: Engine) -> None:
        a = await shared(engine, values)
        bit = await engine.negative(a)
        await phase("first", engine.select(bit, a))
        await phase("second", engine.select(bit, a))
        await phase("as integers", engine.integers(bit))

    _, traffic = play({engine.party: program(engine) for engine in three()})
    phases = {name: each.sent_bytes for name, each in traffic.phases.items()}
    assert phases["first"] == (2 + 2) * 8 * 10
    assert phases["second"] == (1 + 2) * 8 * 10
    assert phases["as integers"] == 2 * 8 * 10


@pytest.mark.parametrize("operation", OPERATIONS)
def test_sizes_and_order_are_the_same_for_all_data(operation: Callable[..., Any]) -> None:
    def schedule(seed: int) -> list[tuple[Any, ...]]:
        _, traffic = replicated(opened(operation, compared(LONG, seed), compared(LONG, seed + 1)))
        return [(*message[:3], message[3].shape, message[3].dtype) for message in traffic.messages]

    assert schedule(1) == schedule(7)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("value", [0, -1, 12345])
def test_every_message_but_those_of_the_opening_is_uniform(operation: Callable[..., Any], value: int) -> None:
    constant = torch.full((60_000,), value)
    _, traffic = replicated(opened(operation, constant, constant))
    last = max(number for number, *_ in traffic.messages)
    checked = 0
    for number, _, _, tensor in traffic.messages:
        if number == last:
            continue
        lows = tensor.to(torch.int64) & 1
        assert is_fair(lows)
        if tensor.dtype == torch.int64:
            top = (tensor >> 60 & 15).flatten().numpy()
            assert stats.chisquare(np.bincount(top, minlength=16)).pvalue > 1e-7
        checked += 1
    assert checked >= 5


def test_holders_of_a_key_are_equally_far_and_nothing_is_drawn_twice() -> None:
    engines = three()

    async def program(engine: Engine) -> None:
        one = await shared(engine, compared(LONG))
        two = await shared(engine, compared(LONG, 1), 1)
        for operation in OPERATIONS:
            await operation(engine, one, two)

    play({engine.party: program(engine) for engine in engines})
    for engine in engines:
        after = engines[(engine.party + 1) % 3]
        assert engine._next.drawn_bytes == after._mine.drawn_bytes > 0
        assert engine._next._used == after._mine._used


def test_a_keystream_does_not_repeat() -> None:
    stream, other = Keystream(bytes(16)), Keystream(bytes(16))
    first, second = stream.draw(torch.Size([5000])), stream.draw(torch.Size([5000]))
    assert not torch.isin(first, second).any()
    whole = other.draw(torch.Size([10_000]))
    assert torch.equal(whole, torch.cat([first, second]))


@given(
    draws=st.lists(
        st.tuples(st.sampled_from([0, 1, 3, 16, 17, 1000, 30_000]), st.sampled_from([1, 2, 4, 8])),
        max_size=30,
    ),
    data=st.data(),
)
@settings(deadline=None, max_examples=50)
def test_tensors_and_arrays_are_drawn_from_one_stream(
    draws: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Whoever draws an array is as far as who draws a tensor, and has the same words."""
    types = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    one, two = Keystream(bytes(16)), Keystream(bytes(16))
    blocks: set[bytes] = set()
    for count, width in draws:
        tensor = one.draw(torch.Size([count]), types[width])
        if data.draw(st.booleans()):
            array = two.draw_array((count,), tensor.numpy().dtype)
        else:
            array = two.draw(torch.Size([count]), types[width]).numpy()
        np.testing.assert_array_equal(array, tensor.numpy(), strict=True)
        whole = array.tobytes()
        mine = [whole[first : first + 16] for first in range(0, len(whole) - 15, 16)]
        assert blocks.isdisjoint(mine)
        blocks |= set(mine)
        assert len(set(mine)) == len(mine)
    assert one.drawn_bytes == two.drawn_bytes


@given(count=st.integers(1, 300_000))
@settings(deadline=None, max_examples=10)
def test_a_keystream_is_as_long_as_asked_for_and_uniform(count: int) -> None:
    words = Keystream(count.to_bytes(16, "big")).draw(torch.Size([count]), torch.uint8)
    assert words.shape == (count,)
    if count > 5000:
        assert stats.chisquare(np.bincount(words.numpy(), minlength=256)).pvalue > 1e-7
