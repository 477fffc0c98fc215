"""Whoever of three sends a wrong bit is found out before anything is opened; but only as coins come late."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product as pairs
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc.engine import Engine, Rounding
from mdl.mpc.keystream import Keystream
from mdl.mpc.rep3_malicious import conjunctions
from mdl.mpc.rep3_malicious.conjunctions import prime_from, rotated
from mdl.mpc.rep3_malicious.engine import Rep3Malicious, dealt
from mdl.mpc.rep3_malicious.setup import begun
from mdl.mpc.rep3_malicious.sharing import Summand, WidePair
from mdl.mpc.residues import RING_104
from mdl.mpc.rounds import Exchange, Protocol, play, together
from mdl.mpc.wide import Wide
from mdl.schemes.randomness import insecure_seeded
from tests.mpc.operations import EDGES, OPERATIONS, compared, product, scaled
from tests.mpc.parties import Program, opened, shared
from tests.mpc.tampering import tampered, that_counts
from tests.mpc.three_malicious import CHECK, OPENING, is_hash, repeated
from tests.mpc.trained import smallest
from tests.sampled import parts

T = TypeVar("T")

# ------------------------------------------------------------------------------------------------
# a wrong bit


INPUTS = 2
"""Rounds, in each of which an owner sends one message."""


def expect_found_out(make: Callable[[], dict[int, Protocol[Tensor]]], part: slice = slice(None)) -> None:
    """Change a bit of each message after the inputs of a run that opens what it computes, one in each run.

    One of the two honest parties at least finds it out, and none accepts a wrong result. If it is one of the
    messages before the last of the check, no honest party sends anything of what is to be opened.
    """
    results, traffic = play(make())
    zeros = traffic.rounds - OPENING - 1
    numbers = [number for number, message in enumerate(traffic.messages) if message[0] >= INPUTS][part]
    assert numbers
    for number in numbers:
        at, sender, receiver, message = traffic.messages[number]
        outcome = tampered(make(), number, that_counts(number, message))
        assert outcome.cheat == sender
        assert outcome.detected
        assert all(torch.equal(found, results[0]) for found in outcome.results.values())
        if at <= zeros:
            assert not outcome.results
        if at < zeros:
            # Counted from 1 there, and from 0 here.
            assert outcome.rounds <= zeros + 1
        if at >= zeros - CHECK + 2:  # from where coins are opened
            assert list(outcome.detected) == [receiver]


@pytest.mark.parametrize(
    ("operation", "rounding"),
    [
        *((operation, "probabilistic") for operation in OPERATIONS if operation is not scaled),
        (scaled, "nearest"),
    ],
)
@pytest.mark.parametrize("part", parts(5))
def test_a_wrong_bit_in_any_message_is_found_out(
    operation: Callable[..., Any], rounding: Rounding, part: slice
) -> None:
    program = opened(operation, compared(9), compared(9, 1))
    expect_found_out(lambda: repeated(program, rounding), part)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("part", parts(3))
def test_a_wrong_bit_in_an_input_is_found_out_or_is_another_input(
    operation: Callable[..., Any], part: slice
) -> None:
    """An owner may share what it likes. Who accepts a result accepts that of what the honest two hold."""
    values = [compared(9), compared(9, 1)]
    _, traffic = play(repeated(opened(operation, *values)))
    found_out = 0
    for number, bit in list(pairs(range(INPUTS), range(0, 9 * 64, 37)))[part]:
        outcome = tampered(repeated(opened(operation, *values)), number, bit)
        changed = [each.clone() for each in values]
        sent = traffic.messages[number][3]
        flipped = sent[bit // 64] ^ torch.tensor(1) << bit % 64
        changed[number][bit // 64] += flipped - sent[bit // 64]
        results, _ = play(repeated(opened(operation, *changed)))
        found_out += bool(outcome.detected)
        assert all(torch.equal(found, results[0]) for found in outcome.results.values())
        assert outcome.detected or outcome.results.keys() == {0, 1, 2} - {number}
    assert found_out


@pytest.mark.slow
@pytest.mark.parametrize("part", parts(127))
def test_a_wrong_bit_in_a_step_of_training_is_found_out(part: slice) -> None:
    program = smallest()
    expect_found_out(lambda: repeated(program), part)


def test_a_wrong_bit_in_the_set_up_is_found_out() -> None:
    def beginning() -> dict[int, Protocol[Rep3Malicious]]:
        return {party: begun(party, "probabilistic", insecure_seeded(party)) for party in range(3)}

    _, traffic = play(beginning())
    assert len(traffic.messages) == 3 + 6
    for number, (_, sender, _, _) in enumerate(traffic.messages):
        outcome = tampered(beginning(), number, bit=number * 7919)
        assert outcome.cheat == sender
        assert outcome.detected


def test_a_wrong_bit_in_what_a_single_party_is_told_is_found_out() -> None:
    async def program(engine: Engine) -> Tensor:
        inputs = await together(*(shared(engine, EDGES * owner, owner) for owner in range(3)))
        found = await together(*(engine.open_to(owner, secret) for owner, secret in enumerate(inputs)))
        mine = found[engine.party]
        assert isinstance(mine, Tensor)
        return mine

    _, traffic = play(repeated(program))
    for number, (at, _, receiver, _) in enumerate(traffic.messages):
        outcome = tampered(repeated(program), number, bit=number * 7919)
        if at == 1:
            assert list(outcome.detected) == [receiver]
            assert len(outcome.detected[receiver].culprits) == 2
        assert all(torch.equal(found, EDGES * party) for party, found in outcome.results.items())


def test_a_product_that_is_opened_to_one_party_is_verified_before() -> None:
    async def program(engine: Engine) -> Tensor:
        one, two = await shared(engine, EDGES), await shared(engine, EDGES, 1)
        found = await engine.open_to(2, await product(engine, one, two))
        return EDGES * EDGES if found is None else found

    results, traffic = play(repeated(program))
    assert torch.equal(results[2], EDGES * EDGES)
    assert traffic.rounds == INPUTS + 1 + CHECK + OPENING
    zeros = traffic.rounds - OPENING - 1
    for number, (at, _, receiver, message) in enumerate(traffic.messages):
        if at < INPUTS:
            continue
        outcome = tampered(repeated(program), number, that_counts(number, message))
        assert outcome.detected
        assert outcome.cheat == 2 or 2 not in outcome.results
        if at < zeros:
            assert not outcome.results
            assert outcome.rounds <= zeros + 1, "no honest party has sent anything of the result"
        elif at > zeros:
            assert list(outcome.detected) == [receiver] == [2]


def test_what_is_opened_side_by_side_waits_for_the_verification_of_all() -> None:
    """The second opening has nothing to verify, when the first has begun to: it must not go ahead."""

    async def program(engine: Engine) -> Tensor:
        one, two = await shared(engine, EDGES), await shared(engine, EDGES, 1)
        found = await product(engine, one, two)
        both_found = await together(engine.open(found), engine.open(found * 2))
        return torch.stack(both_found)

    _, traffic = play(repeated(program))
    assert traffic.rounds == INPUTS + 1 + CHECK + OPENING
    expect_found_out(lambda: repeated(program))


def test_what_is_computed_while_others_are_verified_is_verified_later() -> None:
    async def twice(engine: Engine, one: Any) -> Tensor:
        await engine.open(one)
        return await engine.open(await product(engine, one, one))

    async def late(engine: Engine, one: Any) -> Tensor:
        first = await product(engine, one, one)
        return await engine.open(await product(engine, first, one))

    async def program(engine: Engine) -> Tensor:
        one = await shared(engine, EDGES)
        await product(engine, one, one)
        return torch.stack(await together(twice(engine, one), late(engine, one)))

    _, traffic = play(repeated(program))
    messages = [message for *_, message in traffic.messages]
    numbers = [number for number, message in enumerate(messages) if message.shape == (9, 13)]
    assert len(numbers) >= 3 * 3 * 2
    for number in numbers:
        assert not tampered(repeated(program), number, that_counts(number, messages[number])).results


# ------------------------------------------------------------------------------------------------
# a cheat that prepares for the verification


Places = Sequence[tuple[int, ...]]
"""Bytes of a message."""


class Cheat:
    """Falsifies what a party passes on, and goes on with that itself.

    Args:
        engine: the party's.
        numbers: by how often it has shared products, of which what is sacrificed is one: what it adds to the
            first entry.
        words: by the number of what it passes on: the bytes whose lowest bit it turns over.
    """

    def __init__(
        self,
        engine: Rep3Malicious,
        numbers: Mapping[int, int],
        words: Mapping[int, Places],
    ) -> None:
        self._shared, self._passed = engine._products._sharing.shared, engine._member.passed
        self._numbers, self._words = numbers, words
        self._shared_before = self._passed_before = 0

    async def shared(self, summands: Sequence[Summand]) -> list[WidePair]:
        """See `Sharing`."""
        error = self._numbers.get(self._shared_before, 0)
        self._shared_before += 1
        first, *others = summands
        if error:
            assert first.own is not None
            added = Wide.constants([error, *[0] * (first.shape.numel() - 1)], RING_104)
            first = replace(first, own=first.own + added.reshape(*first.shape))
        return await self._shared([first, *others])

    async def passed(self, own: Tensor, due: torch.Size) -> Tensor:
        """See `Member`."""
        for place in self._words.get(self._passed_before, ()):
            own[place] ^= 1
        self._passed_before += 1
        return await self._passed(own, due)


class Still(Keystream):
    """Tosses zeros."""

    def draw(self, shape: torch.Size, dtype: torch.dtype = torch.int64) -> Tensor:
        return torch.zeros(shape, dtype=dtype)


def accepted(
    program: Program[Tensor],
    numbers: Mapping[int, int],
    words: Mapping[int, Places],
    coins: Callable[[], Keystream] | None = None,
    units: int = 1 << 12,
) -> list[int] | None:
    """Let party 0 falsify what it passes on; give what party 2 accepts in the end, if anything.

    Args:
        program: what they compute.
        numbers: see `Cheat`.
        words: see `Cheat`.
        coins: what all parties toss at a verification, and party 0 knows before; else what nobody knows.
        units: see `Conjunctions`.
    """
    keys = [bytes([number]) * 16 for number in range(4)]
    found = dealt(keys[:3], keys[3], units=units)

    async def known() -> Keystream:
        assert coins is not None
        await Exchange()
        return coins()

    with pytest.MonkeyPatch.context() as patch:
        cheat = Cheat(found[0], numbers, words)
        patch.setattr(found[0]._products._sharing, "shared", cheat.shared)
        patch.setattr(found[0]._member, "passed", cheat.passed)
        if coins:
            for engine in found:
                patch.setattr(engine._member, "coins", known)
        try:
            results, _ = play({engine.party: program(engine) for engine in found})
        except CheatingDetected:
            return None
    assert torch.equal(results[1], results[2])
    return list(results[2].tolist())


PRODUCT = opened(product, torch.tensor([3, 4]), torch.tensor([5, 6]))
RIGHT, WRONG = [15, 24], [16, 24]


def insecure_coins() -> Keystream:
    return Keystream(b"known in advance")


def test_an_error_of_a_product_is_found_out_even_if_it_meets_one_of_what_is_sacrificed() -> None:
    assert accepted(PRODUCT, {}, {}) == RIGHT
    assert accepted(PRODUCT, {0: 1}, {}) is None
    for guessed in (0, 1, -1, 2**39 - 1, -(2**39), 123456789):
        assert accepted(PRODUCT, {0: 1, 1: -guessed}, {}) is None


def test_who_knows_the_factor_before_is_not_found_out() -> None:
    """So it must be tossed after all products have been made."""
    factor = int(insecure_coins().draw(torch.Size([1])) >> 24)
    assert accepted(PRODUCT, {0: 1, 1: -factor}, {}, insecure_coins) == WRONG
    assert accepted(PRODUCT, {0: 1, 1: 1 - factor}, {}, insecure_coins) is None


def test_a_factor_of_zero_would_miss_it() -> None:
    assert accepted(PRODUCT, {0: 1}, {}, lambda: Still(bytes(16))) == WRONG


def test_the_highest_bit_of_a_product_is_verified_too() -> None:
    """Modulo 2^64 an error of 2^63 would vanish for every second factor; forty bits above it remain."""
    for lost in (0, 2**63, 2**103):
        assert accepted(PRODUCT, {0: 2**63, 1: lost}, {}) is None


def test_an_error_above_the_lowest_64_bits_changes_nothing() -> None:
    assert accepted(PRODUCT, {0: 2**64}, {}, lambda: Still(bytes(16))) == RIGHT


async def conjunction(engine: Engine) -> Tensor:
    one, two = [await engine.random_bits(torch.Size([3])) for _ in range(2)]
    return await engine.open(await engine.integers(await engine.conjunction(one, two)))


TRIPLES = 4
"""Before them come the conjunction, two products of the integers, and what is sacrificed for these."""


def test_a_wrong_conjunction_is_found_out_unless_triples_of_both_arrays_are_wrong_at_its_place() -> None:
    right = accepted(conjunction, {}, {})
    bad: Places = [(0,)]
    assert right is not None
    wrong = [1 - right[0], *right[1:]]
    assert accepted(conjunction, {}, {0: bad}) is None
    assert accepted(conjunction, {}, {0: bad, TRIPLES: [(0, 0), (1, 0)]}) is None
    one, two = conjunctions.tossed_rotations(insecure_coins(), prime_from(1 << 12))
    assert one != two
    cases: list[tuple[Places, list[int] | None]] = [
        ([(0, one), (1, two)], wrong),
        ([(0, one)], None),
        ([(1, two)], None),
        ([(0, two), (1, one)], None),
        ([(0, one), (1, two), (1, one)], None),
    ]
    for places, found in cases:
        assert accepted(conjunction, {}, {0: bad, TRIPLES: places}, insecure_coins) == found


def test_if_nothing_were_rotated_a_wrong_conjunction_would_be_missed() -> None:
    right = accepted(conjunction, {}, {})
    assert right is not None
    found = accepted(conjunction, {}, {0: [(0,)], TRIPLES: [(0, 0), (1, 0)]}, lambda: Still(bytes(16)))
    assert found == [1 - right[0], *right[1:]]


@pytest.mark.parametrize("wrong", [[0], [1, 2], [0, 1, 2]])
def test_of_all_rotations_of_both_arrays_one_hides_errors(
    wrong: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    units = prime_from(5)
    errors: dict[int, Places] = {0: [(place,) for place in wrong], TRIPLES: list(pairs((0, 1), wrong))}
    passed = []
    for rotations in pairs(range(units), repeat=2):
        monkeypatch.setattr(conjunctions, "tossed_rotations", lambda *_, found=rotations: list(found))
        if accepted(conjunction, {}, errors, units=units) is not None:
            passed.append(rotations)
    assert passed == [(0, 0)]


@pytest.mark.parametrize("count", [2, 3, 5, 7, 11])
def test_no_two_rotations_of_a_prime_number_of_units_are_alike(count: int) -> None:
    for mask in range(1, 2**count - 1):
        row = torch.tensor([[mask >> place & 1 for place in range(count)]])
        found = {tuple(rotated((row, row), [by])[0][0].tolist()) for by in range(count)}
        assert len(found) == count


def test_numbers_of_units_are_prime() -> None:
    assert [prime_from(first) for first in (1, 4, 8, 62, 90)] == [2, 5, 11, 67, 97]
    assert prime_from(conjunctions.UNITS) ** 2 > 2**40


# ------------------------------------------------------------------------------------------------
# who is ahead


def test_coins_are_not_told_to_who_has_not_passed_on_all_products() -> None:
    """Party 0 sends nothing that is sacrificed. Party 1, which does not wait for it, tells it hashes only."""
    protocols = repeated(PRODUCT)
    queues: dict[tuple[int, int], list[Any]] = {
        (sender, receiver): [] for sender, receiver in pairs(range(3), repeat=2)
    }
    asked = {party: protocol.send(None) for party, protocol in protocols.items()}  # type: ignore[arg-type]
    rounds = dict.fromkeys(protocols, 0)
    seen: list[list[Any]] = []
    withheld = 3  # inputs of two, the product, what is sacrificed

    def begin(party: int) -> None:
        for receiver, tensor in asked[party].sends:
            if (party, rounds[party]) < (0, withheld) or party:
                queues[party, receiver].append(tensor)
                if receiver == 0 and rounds[party] > withheld:
                    seen.append([tensor])

    for party in protocols:
        begin(party)
    moved = True
    while moved:
        moved = False
        for party, protocol in protocols.items():
            wants = asked[party].wants
            senders = [want.sender for want in wants]
            ready = all(len(queues[s, party]) >= senders.count(s) for s in senders)
            if ready and (party or rounds[0] < withheld):
                received = [queues[want.sender, party].pop(0) for want in wants]
                asked[party] = protocol.send(received)
                rounds[party] += 1
                begin(party)
                moved = True
    assert rounds == {0: withheld, 1: withheld + 1, 2: withheld}
    assert [is_hash(tensor) for (tensor,) in seen] == [True]
    for protocol in protocols.values():
        protocol.close()
