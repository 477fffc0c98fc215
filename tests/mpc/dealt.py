"""Programs run by holders and their dealer in one thread."""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor

from mdl.mpc.dealer import Dealer, Holder
from mdl.mpc.dealer.setup import begun
from mdl.mpc.engine import Engine, Rounding
from mdl.mpc.rounds import Traffic, play
from mdl.schemes.randomness import SystemRandomness
from tests.mpc.parties import Program

T = TypeVar("T")


def engines(holders: int, rounding: Rounding = "probabilistic") -> dict[int, Engine]:
    """Begin: holders from 0 on, and the dealer."""
    parties = range(holders + 1)
    found, traffic = play({party: begun(party, holders, rounding, SystemRandomness()) for party in parties})
    assert {receiver for _, _, receiver, _ in traffic.messages} == set(range(holders))
    return found


def with_dealer(program: Program[T], holders: int, rounding: Rounding = "probabilistic") -> tuple[T, Traffic]:
    """Run a program; give what holder 0 has, and what was sent: to the dealer, nothing ever."""
    found = engines(holders, rounding)
    results, traffic = play({party: program(engine) for party, engine in found.items()})
    assert all(receiver != holders for _, _, receiver, _ in traffic.messages)
    assert_equally_far(found)
    return results[0], traffic


def assert_equally_far(engines: Mapping[int, Engine]) -> None:
    """All who have a key in common have drawn as much from it."""
    *holders, dealer = (engine for _, engine in sorted(engines.items()))
    assert isinstance(dealer, Dealer)
    for number, holder in enumerate(holders):
        assert isinstance(holder, Holder)
        assert holder._source.stream.drawn_bytes == dealer._streams[number].drawn_bytes  # type: ignore[attr-defined]
        assert holder._public.drawn_bytes == dealer._public.drawn_bytes
        for other, stream in holder._pairs.items():
            assert stream.drawn_bytes == holders[other]._pairs[number].drawn_bytes  # type: ignore[attr-defined]


def online(traffic: Traffic, holders: int) -> tuple[int, int]:
    """Give the rounds and bytes between holders."""
    sent = [message for message in traffic.messages if message[1] < holders]
    return len({number for number, *_ in sent}), sum(_size(tensor) for *_, tensor in sent)


def dealt_bytes(traffic: Traffic, holders: int) -> int:
    """Give the bytes that the dealer has sent."""
    return traffic.sent_bytes[holders]


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.dtype.itemsize


class Tape:
    """Takes a keystream's place: words that are all the same.

    Args:
        word: at 64 bits; narrower ones are its lowest.
    """

    drawn_bytes = 0

    def __init__(self, word: int) -> None:
        self._word = torch.tensor([word])

    def draw(self, shape: torch.Size, dtype: torch.dtype = torch.int64) -> Tensor:
        """See `mdl.mpc.keystream.Keystream`."""
        return self._word.to(dtype).expand(shape).clone()
