"""What a cheat learns of secrets from hashes: much if they have no keys, nothing as they are."""

import secrets
from hashlib import sha256
from typing import Any

import pytest
import torch
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc.engine import multiply
from mdl.mpc.rep4 import joint
from mdl.mpc.rep4.joint import held as numbers_held
from mdl.mpc.transcripts import Transcripts
from tests.mpc.parties import four, shared

GUESSED_BITS = 8


def guess(keyed: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[int | None, int]:
    """Party 1 alters what it sends party 3, which computes with it and sends party 1 a wrong number back.

    Party 2 knows the right one, and tells party 1 its hash before it hears that party 3 has left. The two
    numbers differ by a multiple of a component of party 3's secret: party 1 tries which. Give the lowest
    digits that it finds, and the true ones.
    """
    if not keyed:
        monkeypatch.setattr(joint, "Transcripts", lambda party, holders, _: Transcripts(party, holders))
    engines = four()
    secret, held = secrets.randbelow(1 << 20), {}
    shift = 1 << 64 - GUESSED_BITS

    async def program(party: int) -> None:
        one = await shared(engines[party], torch.tensor([12345]), 2)
        two = held[party] = await shared(engines[party], torch.tensor([secret]), 3)
        square = await engines[party].product(multiply, one, one)
        await engines[party].product(multiply, square, two)
        await engines[party].check()

    protocols = {party: program(party) for party in range(4)}
    inbox: dict[int, Any] = dict.fromkeys(range(4))
    seen: list[tuple[int, int, Tensor]] = []
    for number in range(5):
        asked = {}
        for party in list(protocols):
            try:
                asked[party] = protocols[party].send(inbox[party])
            except CheatingDetected:
                assert party == 3
        waiting: dict[tuple[int, int], list[Tensor]] = {}
        for sender, exchange in asked.items():
            for receiver, tensor in exchange.sends:
                wrong = (number, sender, receiver, tensor.dtype) == (2, 1, 3, torch.int64)
                waiting.setdefault((sender, receiver), []).append(tensor + shift if wrong else tensor)
                if receiver == 1:
                    seen.append((number, sender, tensor))
        if len(asked) == 4:
            inbox = {
                party: [waiting[want.sender, party].pop(0) for want in exchange.wants]
                for party, exchange in asked.items()
            }
    for protocol in protocols.values():
        protocol.close()
    (wrong_number,) = (tensor for at, who, tensor in seen if (at, who, tensor.dtype) == (3, 3, torch.int64))
    (told,) = (tensor for at, who, tensor in seen if (at, who, tensor.dtype) == (4, 2, torch.uint8))
    known = sum(int(part) for part in held[1].parts)  # all components but the one it lacks
    first = int(held[1].parts[numbers_held(1).index(0)])
    for digits in range(1 << GUESSED_BITS):
        right = (int(wrong_number) - shift * (first + digits)) % (1 << 64)
        inner = sha256(right.to_bytes(8, "little")).digest()
        key = bytes(told[32:].numpy().tobytes())
        if told[:32].numpy().tobytes() in (sha256(inner).digest(), sha256(key + inner).digest()):
            return (known + digits) % (1 << GUESSED_BITS), secret % (1 << GUESSED_BITS)
    return None, secret % (1 << GUESSED_BITS)


def test_hashes_without_keys_would_tell_a_cheat_digits_of_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    found, true = guess(keyed=False, monkeypatch=monkeypatch)
    assert found == true


def test_hashes_tell_a_cheat_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = guess(keyed=True, monkeypatch=monkeypatch)
    assert found is None
