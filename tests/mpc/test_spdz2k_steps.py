"""In a step of training, whichever bit a holder sends wrongly, it is found out before anything is opened.

A bit is turned over on its way to one receiver: then holders have seen different things. Or its sender tells
it to all, and reckons with it too: then all have seen the same, and MACs alone tell. So they do if one of two
echoes the hash of what the other one has seen. An input that its owner changes for all alike is another one,
which it may choose; and so is a seed of the factors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc.engine import Engine, Rounding
from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import RING_104
from mdl.mpc.rounds import Protocol, Traffic, play
from mdl.mpc.spdz2k.checks import STEPS, Opened
from mdl.mpc.spdz2k.macs import CHECKED_ENTRIES, Key
from mdl.party import PartyId
from mdl.schemes.randomness import insecure_seeded
from tests.mpc.authenticated import lying, repeated
from tests.mpc.tampering import deviating, flipped, tampered, that_counts
from tests.mpc.trained import smallest
from tests.sampled import parts

TOLD = "parties were told different things"
COMMITTED = "a party has committed to something else"
SHARED = "what was opened is not what was shared"

COMMITMENT_BITS = 8 * 32

VERIFYING = (32 + 32, 16 + 32, 32, 13 + 8 + 32)
"""Bytes of a verification's messages: commitment and hash, seed and nonce, commitment, rests and nonce."""

COMMITTING = (VERIFYING[0], VERIFYING[2])

BEFORE = 1 + 2 * 2
"""Rounds of keys, and of two inputs, for each of which the dealer deals first: what nobody has MACs of."""


@dataclass(frozen=True)
class Case:
    """How the step is run.

    Attributes:
        holders: how many there are; the dealer comes after them.
        rounding: of quotients.
        checked: after how many opened entries what was opened is verified on the way.
    """

    holders: int
    rounding: Rounding = "probabilistic"
    checked: int = CHECKED_ENTRIES

    def protocols(self) -> dict[PartyId, Protocol[Tensor]]:
        """Give those of a run that is the same each time."""
        return repeated(smallest(), self.holders, self.rounding)

    def with_a_lie(self, liar: PartyId, which: int, bit: int) -> dict[PartyId, Protocol[Tensor]]:
        """Give those of the same run, but for a lie."""
        program = smallest()

        async def lied(engine: Engine) -> Tensor:
            if engine.party == liar:
                lying(engine, which, bit)
            return await program(engine)

        return repeated(lied, self.holders, self.rounding)

    def others(self, cheat: PartyId) -> set[PartyId]:
        """Give the holders that are honest."""
        return set(range(self.holders)) - {cheat}


TWO, THREE, NEAREST, ON_THE_WAY = Case(2), Case(3), Case(2, "nearest"), Case(2, checked=64)


def cut(cases: Mapping[Case, int]) -> list[Any]:
    """Cut each case into so many parts. The longest is left to `make test-exhaustive`."""
    return [
        pytest.param(
            case,
            *part.values,
            marks=pytest.mark.exhaustive if case == NEAREST else part.marks,
            id=f"{case.holders}-{'on-the-way' if case == ON_THE_WAY else case.rounding}-{part.id}",
        )
        for case, count in cases.items()
        for part in parts(count)
    ]


@dataclass(frozen=True)
class Honest:
    """What happens if nobody deviates.

    Attributes:
        result: the parameters.
        traffic: all messages.
        opening: in which round the parameters are opened.
    """

    result: Tensor
    traffic: Traffic
    opening: int


@cache
def _honestly(case: Case) -> Honest:
    results, traffic = play(case.protocols())
    assert all(torch.equal(results[holder], results[0]) for holder in range(case.holders))
    return Honest(results[0], traffic, traffic.rounds - STEPS - 1)


def honestly(case: Case, monkeypatch: pytest.MonkeyPatch) -> Honest:
    """Run it, once; and have it verified as often as the case says, now and then on."""
    for module in ("holder", "dealer"):
        monkeypatch.setattr(f"mdl.mpc.spdz2k.{module}.CHECKED_ENTRIES", case.checked)
    return _honestly(case)


def verifies(message: Tensor) -> bool:
    return message.dim() == 1 and len(message) in VERIFYING


def failing(message: Tensor, bit: int) -> str:
    """Say which check finds out that a bit of a message was turned over on its way."""
    if not verifies(message):
        return TOLD
    hashes = len(message) == VERIFYING[0] and bit % (8 * len(message)) >= COMMITMENT_BITS
    return TOLD if hashes else COMMITTED


@pytest.mark.parametrize(("case", "part"), cut({TWO: 23, THREE: 79, NEAREST: 43, ON_THE_WAY: 61}))
def test_a_wrong_bit_in_a_step_of_training_is_found_out(
    case: Case, part: slice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any bit: also above those that count. What one was told, and others were not, is told by a hash."""
    honest = honestly(case, monkeypatch)
    last = honest.traffic.rounds - 1
    sent = [number for number, message in enumerate(honest.traffic.messages) if message[1] != case.holders]
    assert sent[part]
    for number in sent[part]:
        at, sender, receiver, message = honest.traffic.messages[number]
        outcome = tampered(case.protocols(), number, number * 7919)
        assert outcome.cheat == sender
        found = {receiver} if verifies(message) else case.others(sender)
        assert outcome.detected.keys() == found
        what = failing(message, number * 7919)
        blamed = (sender,) if what == COMMITTED else ()
        assert {(each.what, each.culprits) for each in outcome.detected.values()} == {(what, blamed)}
        # Commitments are compared with what comes in the round after them.
        compared = at + (what == COMMITTED and len(message) in COMMITTING)
        # Of three, who was told right at the very end, when all is verified, accepts what is right.
        accepted = outcome.results.keys() - {case.holders}
        assert accepted == (case.others(sender) - found if compared == last else set())
        assert all(torch.equal(outcome.results[holder], honest.result) for holder in accepted)
        if at < honest.opening:
            # Rounds are counted from 1 there, and from 0 here. Who finds it out sends no share of what is to
            # be opened, for which all shares are needed.
            assert all(outcome.last_rounds[holder] <= honest.opening for holder in found)
            # Nor does anybody else, but for a third holder: if all that was opened is right, and the first is
            # told something wrong at the end of the verification. It misses the first a round later.
            third = case.holders == 3 and compared == honest.opening - 1
            assert outcome.rounds <= honest.opening + third
        if at == last:
            assert outcome.rounds == honest.traffic.rounds


def openings(case: Case, honest: Honest, liar: PartyId) -> list[tuple[int, Tensor]]:
    """List the round and the message of all that a holder opens together with others."""
    receiver = min(case.others(liar))
    return [
        (at, message)
        for at, *way, message in honest.traffic.messages
        if way == [liar, receiver] and at >= BEFORE and not verifies(message)
    ]


def lies(case: Case, honest: Honest) -> list[tuple[PartyId, int, int, Tensor]]:
    """List who may lie, in which opening, the round, and the message."""
    return [
        (liar, which, at, message)
        for liar in range(case.holders)
        for which, (at, message) in enumerate(openings(case, honest, liar))
    ]


@pytest.mark.parametrize(("case", "part"), cut({TWO: 17, THREE: 47, NEAREST: 29, ON_THE_WAY: 37}))
def test_a_lie_to_all_alike_in_a_step_of_training_is_found_out(
    case: Case, part: slice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bit is one that counts."""
    honest = honestly(case, monkeypatch)
    chosen = list(enumerate(lies(case, honest)))[part]
    assert chosen
    for number, (liar, which, at, message) in chosen:
        outcome = deviating(case.with_a_lie(liar, which, that_counts(number, message)), liar)
        assert outcome.detected.keys() == case.others(liar)
        assert {(each.what, each.culprits) for each in outcome.detected.values()} == {(SHARED, ())}
        assert outcome.results.keys() == {case.holders}, "the dealer, who learns nothing"
        if at < honest.opening:
            assert outcome.rounds <= honest.opening
        else:
            assert outcome.rounds == honest.traffic.rounds


@pytest.mark.parametrize(("case", "part"), cut({TWO: 31}))
def test_a_lie_above_what_counts_in_a_step_of_training_does_no_harm(
    case: Case, part: slice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it goes unnoticed, and when not, is told in `test_spdz2k`. Words have no such bits."""
    honest = honestly(case, monkeypatch)
    numbers = [lie for lie in lies(case, honest) if lie[-1].shape[-1:] == (RING_104.size_bytes,)]
    chosen = list(enumerate(numbers))[part]
    assert chosen
    for number, (liar, which, _, _) in chosen:
        outcome = deviating(case.with_a_lie(liar, which, 64 + number * 7 % 40), liar)
        noticed = {each.what for each in outcome.detected.values()}
        assert noticed <= {SHARED}
        if not noticed:
            assert torch.equal(outcome.results[1 - liar], honest.result)


@pytest.mark.parametrize(("case", "checks"), [(TWO, 8), (ON_THE_WAY, 8 + 4)])
def test_all_that_holders_send_is_an_input_or_opens_or_verifies(
    case: Case, checks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So lies about all openings, and inputs that are others, are all that can be told to all alike."""
    honest = honestly(case, monkeypatch)
    seen: list[Sequence[int]] = []
    program = smallest()

    async def counted(engine: Engine) -> Tensor:
        if engine.party < case.holders:
            seen.append(lying(engine))
        return await program(engine)

    play(repeated(counted, case.holders, case.rounding))
    for holder, made in enumerate(seen):
        sent = [message for _, sender, _, message in honest.traffic.messages if sender == holder]
        assert len(made) == len(openings(case, honest, holder))
        verifying = sum(map(verifies, sent))
        assert verifying == STEPS * checks
        keys = holder == 0
        assert len(sent) == keys + 1 + len(made) + verifying


def test_whichever_bit_is_wrong_of_what_a_holder_says_its_macs_lack_it_is_found_out() -> None:
    """It commits to that before it knows the others'."""
    stream, rng = Keystream(bytes(16)), insecure_seeded(1)
    for bit in range(8 * (13 + 8)):
        opened = [Opened(Key.drawn(stream)) for _ in range(2)]
        honest = opened[0]._rest

        def false(*noted: Any, honest: Any = honest, bit: int = bit) -> bytes:
            return bytes(
                flipped(torch.frombuffer(bytearray(honest(*noted)), dtype=torch.uint8), bit).tolist()
            )

        opened[0]._rest = false  # type: ignore[method-assign, assignment]
        with pytest.raises(CheatingDetected, match=SHARED):
            play({party: each.verified(party, 2, rng) for party, each in enumerate(opened)})
