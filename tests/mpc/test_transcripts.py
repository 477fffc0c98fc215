"""Transcripts: what differs is found in the next round; nobody goes on before all have confirmed."""

import os
from collections.abc import Sequence
from hashlib import sha256

import pytest
import torch
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc.keystream import Keystream
from mdl.mpc.rounds import Wanted, play
from mdl.mpc.transcripts import Transcripts
from tests.mpc.tampering import tampered

WORDS = torch.arange(6).reshape(2, 3)
CONFIRMATIONS = 6


async def relayed(party: int, seen: Tensor, transcripts: Transcripts, *, rounds: int = 1) -> list[int]:
    """Party 0 sends to party 2 what party 1 has `seen` too; give how many words came each time."""
    counts = []
    for _ in range(rounds):
        found = await transcripts.exchange(
            [(2, WORDS)] if party == 0 else [], [Wanted(0, WORDS.shape, WORDS.dtype)] if party == 2 else []
        )
        counts.append(len(found))
        transcripts.enter(1, 2, found[0] if party == 2 else seen)
    return counts


async def checked(party: int, seen: Tensor) -> list[int]:
    transcripts = Transcripts(party, 3)
    counts = await relayed(party, seen, transcripts, rounds=2)
    await transcripts.compare()
    return counts


def test_what_is_as_its_witness_says_passes_and_gives_what_came() -> None:
    found, traffic = play({party: checked(party, WORDS) for party in range(3)})
    assert found == {0: [0, 0], 1: [0, 0], 2: [1, 1]}
    # Hashes between all pairs, in the second round and in the check.
    assert sum(traffic.sent_bytes.values()) == 2 * WORDS.numel() * 8 + 2 * 6 * 32 + CONFIRMATIONS
    assert traffic.rounds == 4


def test_what_is_not_as_its_witness_says_is_found() -> None:
    with pytest.raises(CheatingDetected, match="what party 2 has received"):
        play({party: checked(party, WORDS + 1) for party in range(3)})


def test_a_wrong_bit_in_any_message_is_found_before_anybody_goes_on() -> None:
    async def program(party: int) -> bool:
        await checked(party, WORDS)
        return True

    _, traffic = play({party: program(party) for party in range(3)})
    for number, (round_, sender, receiver, _) in enumerate(traffic.messages):
        outcome = tampered({party: program(party) for party in range(3)}, number, bit=number)
        assert outcome.cheat == sender
        assert receiver in outcome.detected
        assert not outcome.results or round_ == traffic.rounds - 1


def test_what_one_has_handed_to_several_is_compared_by_all_of_them() -> None:
    async def program(party: int, handed: Tensor) -> None:
        transcripts = Transcripts(party, 4)
        if party:
            transcripts.enter_handed((1, 2, 3), handed)
        await transcripts.compare()

    play({party: program(party, WORDS) for party in range(4)})
    with pytest.raises(CheatingDetected):
        play({party: program(party, WORDS + (party == 3)) for party in range(4)})
    with pytest.raises(CheatingDetected):
        play({party: program(party, WORDS[: 1 + (party == 2)]) for party in range(4)})


async def keyed(party: int, seen: Tensor, streams: Sequence[Keystream]) -> list[int]:
    mine = {other: streams[other] for other in range(3) if other != party}
    transcripts = Transcripts(party, 3, mine)
    counts = await relayed(party, seen, transcripts, rounds=2)
    await transcripts.compare()
    return counts


def of_each() -> list[list[Keystream]]:
    """Streams of three parties, each with its own copy."""
    keys = [os.urandom(16) for _ in range(3)]
    return [[Keystream(key) for key in keys] for _ in range(3)]


def test_keyed_hashes_pass_and_fail_like_others() -> None:
    streams = of_each()
    found, traffic = play({party: keyed(party, WORDS, streams[party]) for party in range(3)})
    assert found[2] == [1, 1]
    assert sum(traffic.sent_bytes.values()) == 2 * WORDS.numel() * 8 + 2 * 6 * 48 + CONFIRMATIONS
    streams = of_each()
    with pytest.raises(CheatingDetected, match="what party 2 has received"):
        play({party: keyed(party, WORDS + 1, streams[party]) for party in range(3)})


def test_a_hash_tells_nothing_without_the_key_of_each_sender() -> None:
    """The key comes from the sender, which keeps it to itself if it was misled; not from the witness."""
    hashes = set()
    for _ in range(2):
        streams = of_each()
        _, traffic = play({party: keyed(party, WORDS, streams[party]) for party in range(3)})
        witnessed = [m for number, a, b, m in traffic.messages if (number, a, b) == (1, 1, 2)]
        told = bytes(witnessed[0].numpy().tobytes())
        plain = sha256(WORDS.numpy().tobytes()).digest()
        assert plain not in told
        assert sha256(plain).digest() not in told
        hashes.add(told[:32])
        # The witness's message holds its own key, with which the hash must not have been made.
        assert sha256(told[32:] + plain).digest() != told[:32]
        sender = next(m for number, a, b, m in traffic.messages if (number, a, b) == (1, 0, 2))
        assert sha256(sender.numpy().tobytes()[32:48] + plain).digest() == told[:32]
    assert len(hashes) == 2, "the same message has another hash in every run"
