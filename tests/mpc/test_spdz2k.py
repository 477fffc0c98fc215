"""Holders that verify compute what one would in the clear; lies are found out before anything is opened."""

from collections.abc import Callable, Mapping
from functools import cache, reduce
from operator import and_, or_
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc.engine import TRUNCATED_LIMIT, Engine, Rounding, multiply
from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import RING_104
from mdl.mpc.rounds import Traffic, play, together
from mdl.mpc.secret import Secret, wide_parts
from mdl.mpc.spdz2k import AuthenticatedHolder, AuthenticatingDealer, begun
from mdl.mpc.spdz2k.checks import STEPS, Opened
from mdl.mpc.spdz2k.fingerprints import fingerprint
from mdl.mpc.spdz2k.macs import Key
from mdl.mpc.wide import Wide
from mdl.schemes.randomness import SystemRandomness, insecure_seeded
from tests.mpc.authenticated import engines, lying
from tests.mpc.dealt import dealt_bytes, online
from tests.mpc.fair import is_fair
from tests.mpc.operations import EDGES, OPERATIONS, both, compared, negative, product, scaled
from tests.mpc.parties import Program, opened, plainly, shared
from tests.mpc.tampering import deviating, tampered
from tests.mpc.trained import dense, training

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


def authenticated(program: Program[T], holders: int, rounding: Rounding = "nearest") -> tuple[T, Traffic]:
    """Run a program; give what holder 0 has, and what was sent: to the dealer, nothing."""
    found = engines(holders, rounding)
    results, traffic = play({party: program(engine) for party, engine in found.items()})
    assert all(receiver != holders for _, _, receiver, _ in traffic.messages)
    dealer = found[holders]
    assert isinstance(dealer, AuthenticatingDealer)
    for number in range(holders):
        holder = found[number]
        assert isinstance(holder, AuthenticatedHolder)
        assert holder._source.stream.drawn_bytes == dealer._hand.streams[number].drawn_bytes
    return results[0], traffic


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("count", "holders"), [(101, 2), (9, 3)])
def test_rounded_to_the_nearest_all_is_as_in_the_clear(
    operation: Callable[..., Any], count: int, holders: int
) -> None:
    inputs = compared(count), compared(count, seed=1).flip(0)
    found, _ = authenticated(opened(operation, *inputs), holders)
    assert torch.equal(found, plainly(opened(operation, *inputs)))


def test_ten_multiply_as_one_does() -> None:
    one, two = compared(60).reshape(6, 10), compared(20, 2).reshape(10, 2)

    async def operation(engine: Engine, a: Secret, b: Secret) -> Secret:
        return await engine.scaled_product(torch.matmul, a, b, 16)

    program = opened(operation, one >> 8, two)
    assert torch.equal(authenticated(program, 10)[0], plainly(program))


@pytest.mark.parametrize("drop", [1, 16, 17, 32])
def test_a_quotient_is_off_by_less_than_one_at_any_magnitude(drop: int) -> None:
    values = torch.tensor(
        [0, 1, -1, 2**47, -(2**47) + 1, TRUNCATED_LIMIT - 1, 1 - TRUNCATED_LIMIT, 2**31, -(2**32) - 7]
    )

    async def operation(engine: Engine, secret: Secret) -> Secret:
        return await engine.truncate(secret, drop)

    found, _ = authenticated(opened(operation, values.repeat(20)), 2, "probabilistic")
    up = found.reshape(20, -1) - (values >> drop)
    assert bool(((up == 0) | (up == 1) & (values % (1 << drop) > 0)).all())


def test_one_holder_alone_learns_what_is_opened_to_it() -> None:
    async def program(engine: Engine) -> Tensor | None:
        return await engine.open_to(1, await shared(engine, EDGES, 2))

    results, _ = play({party: program(engine) for party, engine in engines(3).items()})
    assert results[1] is not None
    assert torch.equal(results[1], EDGES)
    assert [results[party] for party in (0, 2, 3)] == [None] * 3


def test_coins_are_fair_and_unknown_to_the_dealer() -> None:
    async def program(engine: Engine) -> tuple[Tensor, Tensor]:
        coins = await engine.random_bits(torch.Size([20_000]))
        return coins.parts[0], await engine.open(await engine.integers(coins))

    results, _ = play({party: program(engine) for party, engine in engines(2).items()})
    found, known_to_dealer = results[0][1], results[2][0]
    assert set(found.tolist()) == {0, 1}
    assert is_fair(found)
    assert is_fair(found ^ known_to_dealer)


# ------------------------------------------------------------------------------------------------
# who lies


async def everything(engine: Engine) -> Tensor:
    """Use every kind of opening; open the result to one holder, and then to all."""
    one, two = await shared(engine, torch.tensor([3, -70_000])), await shared(engine, torch.tensor([5, 9]), 1)
    scaled_down = await engine.scaled_product(multiply, one, two, 4, plus=one)
    words, coins = await together(engine.bits(scaled_down), engine.random_bits(one.shape))
    sign = await engine.conjunction(await engine.negative(one), words.digit(31))
    chosen = await engine.select(sign, two) + await engine.integers(coins) * 0
    await engine.open_to(1, chosen)
    return await engine.open(chosen)


@cache
def messages(holders: int) -> tuple[int, ...]:
    """Give the senders of all messages of the program."""
    _, traffic = play({party: everything(engine) for party, engine in engines(holders).items()})
    return tuple(sender for _, sender, _, _ in traffic.messages)


def test_all_is_right_if_nobody_lies() -> None:
    results, _ = play({party: everything(engine) for party, engine in engines(3).items()})
    for holder in range(3):
        assert results[holder].tolist() == [0, 9]


@pytest.mark.parametrize("part", range(4))
def test_any_message_of_a_holder_that_is_changed_ends_the_run_before_the_result_is_told(part: int) -> None:
    senders = messages(2)
    for index, sender in enumerate(senders):
        if sender == 2 or index % 4 != part:
            continue
        outcome = tampered({party: everything(each) for party, each in engines(2).items()}, index, index)
        assert outcome.cheat == sender
        assert outcome.detected.keys() == {1 - sender}
        assert outcome.results.keys() <= {2}


def test_of_three_holders_somebody_always_finds_it_out() -> None:
    senders = messages(3)
    for index in range(0, len(senders), 11):
        if senders[index] == 3:
            continue
        outcome = tampered({party: everything(each) for party, each in engines(3).items()}, index)
        assert outcome.detected
        # After the last verification one may be told right and another one wrong.
        assert all(outcome.results[holder].tolist() == [0, 9] for holder in outcome.results.keys() - {3})


def test_a_message_of_the_dealer_that_is_changed_is_found_out_or_of_no_consequence() -> None:
    senders = messages(2)
    noticed = 0
    for index, sender in enumerate(senders):
        if sender != 2 or index % 2:
            continue
        outcome = tampered({party: everything(each) for party, each in engines(2).items()}, index)
        assert all(result.tolist() == [0, 9] for result in outcome.results.values())
        noticed += bool(outcome.detected)
    assert noticed > 5


def multiplied(receiver: int | None) -> Program[Tensor | None]:
    """Open a product that was rounded: to all, or to one holder."""

    async def program(engine: Engine) -> Tensor | None:
        one, two = (
            await shared(engine, torch.tensor([3, 70_000])),
            await shared(engine, torch.tensor([5, 9]), 1),
        )
        found = await engine.scaled_product(multiply, one, two, 4)
        return await (engine.open(found) if receiver is None else engine.open_to(receiver, found))

    return program


@pytest.mark.parametrize("receiver", [None, 0, 1])
@pytest.mark.parametrize("liar", [0, 1])
def test_of_what_comes_of_a_lie_no_share_is_sent(liar: int, receiver: int | None) -> None:
    """A liar that was told a false result first would not mind what the others say of it afterwards."""
    program = multiplied(receiver)
    honest = engines(2)
    openings = lying(honest[1 - liar])
    play({party: program(engine) for party, engine in honest.items()})
    *before, result = openings
    assert len(before) >= 5
    for which in before:
        parties = engines(2)
        lying(parties[liar], which)
        openings = lying(parties[1 - liar])
        with pytest.raises(CheatingDetected):
            play({party: program(engine) for party, engine in parties.items()})
        assert result not in openings


@pytest.mark.parametrize("receiver", [None, 0])
def test_nor_of_what_comes_of_a_message_that_was_changed(receiver: int | None) -> None:
    program = multiplied(receiver)
    parties = engines(2)
    openings = lying(parties[0])
    _, traffic = play({party: program(engine) for party, engine in parties.items()})
    result, told = openings[-1], traffic.rounds - STEPS - 1
    for index, (at, sender, _, _) in enumerate(traffic.messages):
        if sender == 2 or at >= told:
            continue
        parties = engines(2)
        openings = lying(parties[1 - sender])
        outcome = tampered({party: program(each) for party, each in parties.items()}, index, index)
        assert outcome.cheat == sender
        assert outcome.detected
        assert result not in openings


@pytest.mark.parametrize(
    "errors", [{0: torch.tensor([1, -1])}, {0: torch.tensor([1, 0]), 1: torch.tensor([-1, 0])}]
)
def test_errors_that_cancel_are_found_out(errors: Mapping[int, Tensor]) -> None:
    """MACs of different entries are added up: each with a factor of its own."""

    async def program(engine: Engine) -> Tensor:
        one, two = await shared(engine, torch.tensor([3, 4])), await shared(engine, torch.tensor([5, 6]), 1)
        return await engine.open(await product(engine, await product(engine, one, two), two))

    parties = engines(2)
    liar = parties[0]
    assert isinstance(liar, AuthenticatedHolder)
    summed, before = liar._summed, iter(range(10))

    async def false_sum(own: Wide, mac: Wide) -> Wide:
        return await summed(own + errors.get(next(before), torch.zeros(2, dtype=torch.int64)), mac)

    liar._summed = false_sum  # type: ignore[method-assign]
    with pytest.raises(CheatingDetected, match="what was opened is not what was shared"):
        play({party: program(engine) for party, engine in parties.items()})
    assert next(before) == 2, "the result is not opened"


@pytest.mark.parametrize(("liar", "bit"), [(0, 0), (1, 63)])
def test_who_lies_to_all_alike_is_found_out_by_the_macs(liar: int, bit: int) -> None:
    """All have seen the same then; only MACs tell that it is wrong."""
    parties = engines(2)
    openings = lying(parties[liar])
    play({party: everything(engine) for party, engine in parties.items()})
    assert len(openings) > 15
    for which in openings:
        parties = engines(2)
        lying(parties[liar], which, bit)
        with pytest.raises(CheatingDetected, match="what was opened is not what was shared"):
            play({party: everything(engine) for party, engine in parties.items()})


def test_an_error_above_what_counts_may_go_unnoticed_and_does_no_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So it does if the error, times the key, times its factor, is a multiple of 2^104; and only then."""
    made: list[bytes] = []

    def noted(key: bytes) -> Keystream:
        made.append(key)
        return Keystream(key)

    monkeypatch.setattr("mdl.mpc.spdz2k.checks.Keystream", noted)
    program = opened(product, torch.tensor([3]), torch.tensor([4]))
    unnoticed = 0
    for bit in range(64, 104):
        made.clear()
        parties, _ = play(
            {party: begun(party, 2, "nearest", insecure_seeded(3 * bit + party)) for party in range(3)}
        )
        lying(parties[0], 0, bit)
        outcome = deviating({party: program(engine) for party, engine in parties.items()}, 0)
        dealer = parties[2]
        assert isinstance(dealer, AuthenticatingDealer)
        key = int.from_bytes(bytes(dealer._hand.key.number.packed().tolist()), "little")
        factor = int(Keystream(made[0]).draw(torch.Size([1]))) & (1 << 40) - 1
        if (key * factor << bit) % (1 << 104):
            assert str(outcome.detected[1]) == "what was opened is not what was shared"
            assert 1 not in outcome.results
        else:
            assert outcome.results[1].tolist() == [12]
            unnoticed += 1
    assert 0 < unnoticed < 40


def test_who_tells_two_holders_different_inputs_is_found_out() -> None:
    async def program(engine: Engine) -> Tensor:
        return await engine.open(await shared(engine, torch.tensor([1])))

    outcome = tampered({party: program(engine) for party, engine in engines(3).items()}, 1)
    assert {found.what for found in outcome.detected.values()} == {"parties were told different things"}


def test_a_long_program_is_verified_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mdl.mpc.spdz2k.holder.CHECKED_ENTRIES", 3_000)
    monkeypatch.setattr("mdl.mpc.spdz2k.dealer.CHECKED_ENTRIES", 3_000)
    network, batches = dense()
    program = training(network, batches[:1], 0.1)
    found, _ = authenticated(program, 2)
    assert torch.equal(found, plainly(program))


# ------------------------------------------------------------------------------------------------
# keys and factors


class Constant:
    """Randomness that is a byte, again and again."""

    def __init__(self, byte: int) -> None:
        self._byte = byte

    def bytes(self, count: int, /) -> bytes:
        return bytes([self._byte]) * count

    def below(self, bound: int, /) -> int:
        return self._byte % bound


def test_factors_are_of_every_holders_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """So whoever is honest makes them unknown to all others, until all is opened."""

    def factors(*seeds: int) -> bytes:
        made = []

        def noted(key: bytes) -> Keystream:
            made.append(key)
            return Keystream(key)

        monkeypatch.setattr("mdl.mpc.spdz2k.checks.Keystream", noted)
        key = Key.drawn(Keystream(bytes(16)))
        play(
            {
                party: Opened(key).verified(party, len(seeds), Constant(seed))
                for party, seed in enumerate(seeds)
            }
        )
        (found,) = set(made)
        return found

    assert len({factors(1, 2, 3), factors(4, 2, 3), factors(1, 4, 3), factors(1, 2, 4)}) == 4
    assert factors(1, 2, 3) == factors(1, 2, 3)


def test_key_shares_are_of_forty_bits() -> None:
    shares = [Key.drawn(Keystream(bytes([number]) * 16)) for number in range(100)]
    numbers = [int.from_bytes(bytes(share.number.packed().tolist()), "little") for share in shares]
    words = [sum(int(-bit) << place for place, bit in enumerate(share.word)) for share in shares]
    for drawn in (numbers, words):
        assert reduce(or_, drawn) == (1 << 40) - 1
        assert reduce(and_, drawn) == 0
        assert len(set(drawn)) == len(shares)
    assert len(shares[0].word) == 40
    assert not set(numbers) & set(words)


GUESSED_BITS, TRIALS = 4, 300


def guessed(word: bool, stream: Keystream) -> bool:
    """Let holder 0 add one to what is opened, and to its share of the MAC what a guessed key makes of it.

    Returns:
        Whether nobody notices.
    """
    keys = [Key.drawn(stream) for _ in range(2)]
    whole, guess = Key.joined(keys), Key.drawn(stream)
    opened = [Opened(key) for key in keys]
    rng = SystemRandomness()
    if word:
        value = stream.draw(torch.Size([1]), torch.int32)
        error = torch.tensor([1], dtype=torch.int32)
        rest = stream.draw(torch.Size([GUESSED_BITS, 1]), torch.int32)
        known = Key.joined([keys[0], guess]).of_words(error)
        for each, mac in zip(opened, (rest ^ known, rest ^ whole.of_words(value)), strict=True):
            each.words(value ^ error, mac)
    else:
        number = Wide.drawn(stream, torch.Size([3]), RING_104)
        one = Wide.constants([1, 0, 0], RING_104)
        mask = Wide.drawn(stream, torch.Size([3]), RING_104)
        made_up = Key.joined([keys[0], guess]).of_number(one)
        for each, share in zip(opened, (mask + made_up, whole.of_number(number) - mask), strict=True):
            each.number(number + one, share)
    try:
        play({party: each.verified(party, 2, rng) for party, each in enumerate(opened)})
    except CheatingDetected:
        return False
    return True


@pytest.mark.parametrize(
    ("word", "expected"),
    # The other one's share is guessed; or the factor of a number is zero, of as many bits.
    [(False, 1 - (1 - 1 / 16) ** 2), (True, 1 / 16)],
)
def test_who_guesses_the_key_is_found_out_as_often_as_keys_are_many(
    word: bool, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("checks", "macs"):
        monkeypatch.setattr(f"mdl.mpc.spdz2k.{module}.MAC_BITS", GUESSED_BITS)
    stream = Keystream(SystemRandomness().bytes(16))
    accepted = sum(guessed(word, stream) for _ in range(TRIALS))
    assert stats.binomtest(accepted, TRIALS, expected).pvalue > 1e-7


# ------------------------------------------------------------------------------------------------
# what is sent and seen


@pytest.mark.parametrize(
    ("operation", "sent", "dealt", "rounds"),
    [
        (product, 13, 3 * 13, 1),
        (scaled, 13 + 13, (3 + 5) * 13, 2),
        # Two words, three of the tree, and a number; all bits with forty MACs.
        (negative, 5 + 13, (2 * 40 + 16 * 41 + 3 * 81) + 3 * 13, 5),
    ],
)
def test_messages_are_as_small_and_as_few_as_said(
    operation: Callable[..., Any], sent: int, dealt: int, rounds: int
) -> None:
    count, holders = 100, 3
    _, traffic = authenticated(
        opened(operation, compared(count), compared(count, 1)), holders, "probabilistic"
    )
    inputs = 2 * (holders - 1) * 13 * count
    # Hashes, seeds, what is left over; with commitments.
    verification = holders * (holders - 1) * ((32 + 32) + (16 + 32) + 32 + (13 + 8 + 32))
    expected = inputs + holders * (holders - 1) * (sent + 13) * count + 2 * verification
    assert online(traffic, holders) == (2 + rounds + STEPS + 1 + STEPS, expected)
    assert dealt_bytes(traffic, holders) == (2 * 13 + dealt + 2 * 13) * count


@pytest.mark.parametrize("operation", OPERATIONS)
def test_sizes_and_order_are_the_same_for_all_data(operation: Callable[..., Any]) -> None:
    def schedule(seed: int) -> list[tuple[Any, ...]]:
        _, traffic = authenticated(opened(operation, compared(50, seed), compared(50, seed + 1)), 2)
        return [(*message[:3], message[3].shape, message[3].dtype) for message in traffic.messages]

    assert schedule(1) == schedule(7)


@pytest.mark.parametrize("operation", [product, negative, both])
def test_every_message_is_uniform(operation: Callable[..., Any]) -> None:
    """Of the result too, whose mask has bits above the lowest 64 that tell nothing."""
    constant = torch.full((1_500,), -2)
    _, traffic = authenticated(opened(operation, constant, constant), 2)
    checked = 0
    for *_, tensor in traffic.messages:
        data = tensor.contiguous().view(torch.uint8).flatten()
        if len(data) < 1_500:
            continue  # of a verification
        for place in (0, 7):
            bit = data >> place & 1
            assert is_fair(bit)
        assert stats.chisquare(np.bincount(data.numpy(), minlength=256)).pvalue > 1e-8
        checked += 1
    assert checked >= 8


def test_what_is_opened_tells_nothing_above_the_lowest_64_bits() -> None:
    """A product that was not rounded has more bits than are its result's."""
    seen: list[int] = []

    async def program(engine: Engine) -> Tensor:
        one = await shared(engine, torch.full((2_000,), 2**62))
        secret = await engine.product(multiply, one, one)
        if isinstance(engine, AuthenticatedHolder):
            summed = engine._summed

            async def noted(own: Wide, mac: Wide) -> Wide:
                mask = await summed(own, mac)
                seen.extend((wide_parts(secret)[0] + mask).words()[1].tolist())
                return mask

            engine._summed = noted  # type: ignore[method-assign]
        return await engine.open(secret)

    found, _ = authenticated(program, 2)
    assert set(found.tolist()) == {0}
    for place in range(40):
        assert is_fair(torch.tensor(seen[:2_000]) >> place & 1)


def test_nor_does_what_is_opened_to_one() -> None:
    seen: list[int] = []

    async def program(engine: Engine) -> Tensor | None:
        one = await shared(engine, torch.full((2_000,), 2**62))
        secret = await engine.product(multiply, one, one)
        if isinstance(engine, AuthenticatedHolder) and engine.party == 0:
            summed, mask, own = engine._summed, engine._source.mask, []

            def kept(shape: torch.Size) -> Wide:
                own.append(mask(shape))
                return own[0]

            async def noted(own_share: Wide, mac: Wide) -> Wide:
                found = await summed(own_share, mac)
                seen.extend((wide_parts(secret)[0] + found - own[0]).words()[1].tolist())
                return found

            engine._source.mask, engine._summed = kept, noted  # type: ignore[method-assign, assignment]
        return await engine.open_to(0, secret)

    found, _ = authenticated(program, 2)
    assert found is not None
    assert set(found.tolist()) == {0}
    assert len(seen) == 2_000
    for place in range(40):
        assert is_fair(torch.tensor(seen) >> place & 1)


def test_who_opens_a_sum_to_one_does_not_tell_its_own_summand() -> None:
    """An owner's share of its input's mask is the whole mask."""
    secrets = torch.full((5_000,), 99), torch.full((5_000,), 7)

    async def program(engine: Engine) -> None:
        await engine.open_to(0, await shared(engine, secrets[0], 1) + await shared(engine, secrets[1], 2))

    _, traffic = authenticated(program, 3)
    long = [message for message in traffic.messages if message[3].numel() == 5_000 * 13]
    told = {sender: tensor for _, sender, receiver, tensor in long if receiver == 0}
    masked = next(tensor for _, sender, receiver, tensor in long if (sender, receiver) == (1, 0))
    low = (masked[:, 0] + told[1][:, 0]) & 1
    assert is_fair(low)


# ------------------------------------------------------------------------------------------------
# fingerprints


def carryless(one: int, two: int) -> int:
    """Multiply in the field of 2^64 elements."""
    product = 0
    for place in range(64):
        product ^= (one << place) * (two >> place & 1)
    for place in reversed(range(64, 128)):
        if product >> place & 1:
            product ^= (1 << 64 | 0x1B) << place - 64
    return product


@settings(deadline=None)
@given(words=st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=2))
def test_words_are_folded_in_the_field(words: list[int]) -> None:
    factor = int(Keystream(bytes(16)).draw(torch.Size([1]))) % 2**64
    signed = torch.tensor([word - (word >> 63 << 64) for word in words])
    found = int(fingerprint(signed, Keystream(bytes(16)))) % 2**64
    assert found == words[0] ^ carryless(words[1], factor)


@settings(deadline=None, max_examples=15)
@given(count=st.integers(1, 40), seed=st.integers(0, 1000))
def test_a_fingerprint_is_linear_and_no_word_is_left_out(count: int, seed: int) -> None:
    stream, key = Keystream(seed.to_bytes(16, "big")), bytes([1]) * 16
    one, two = stream.draw(torch.Size([count])), stream.draw(torch.Size([count]))
    both = fingerprint(one ^ two, Keystream(key))
    assert both == fingerprint(one, Keystream(key)) ^ fingerprint(two, Keystream(key))
    for index in range(count):
        changed = one.clone()
        changed[index] ^= 1 << index % 63
        assert fingerprint(changed, Keystream(key)) != fingerprint(one, Keystream(key))
