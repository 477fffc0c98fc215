"""Runs in which one party deviates, by one bit that it sends wrongly, for engines that must find it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from mdl.errors import CheatingDetected, PeerLeft
from mdl.mpc.residues import RING_104
from mdl.mpc.rounds import Exchange, Protocol, Received
from mdl.party import PartyId

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What became of a run.

    Attributes:
        cheat: who has deviated.
        results: of the honest parties that came to an end.
        detected: what the honest parties say that found it out.
        last_rounds: after how many each honest party sent nothing any more.
    """

    cheat: PartyId
    results: Mapping[PartyId, T]
    detected: Mapping[PartyId, CheatingDetected]
    last_rounds: Mapping[PartyId, int]

    @property
    def rounds(self) -> int:
        """After how many rounds no honest party sent anything any more."""
        return max(self.last_rounds.values())


class _Cheated(Generic[T]):
    """All parties in one thread. Who finds cheating leaves, and who waits for one that left leaves too."""

    def __init__(self, protocols: Mapping[PartyId, Protocol[T]], index: int, bit: int) -> None:
        self._protocols, self._left_before, self._bit = protocols, index, bit
        self.cheat: PartyId | None = None
        self.results: dict[PartyId, T] = {}
        self.detected: dict[PartyId, CheatingDetected] = {}
        self.last_round: dict[PartyId, int] = dict.fromkeys(protocols, 0)

    def run(self) -> None:
        inbox: dict[PartyId, Received | PeerLeft | None] = dict.fromkeys(self._protocols)
        number = 0
        while inbox:
            number += 1
            asked = {
                party: exchange
                for party, received in inbox.items()
                if (exchange := self._advanced(party, received)) is not None
            }
            sent: dict[tuple[PartyId, PartyId], list[Tensor]] = {}
            for sender, exchange in asked.items():
                for receiver, tensor in exchange.sends:
                    assert isinstance(tensor, Tensor)
                    sent.setdefault((sender, receiver), []).append(self._passed(sender, tensor))
                    self.last_round[sender] = number
            inbox = {party: _received(party, exchange, sent) for party, exchange in asked.items()}

    def _advanced(self, party: PartyId, received: Received | PeerLeft | None) -> Exchange | None:
        protocol = self._protocols[party]
        try:
            if isinstance(received, PeerLeft):
                return protocol.throw(received)
            return protocol.send(received)  # type: ignore[arg-type]
        except StopIteration as end:
            self.results[party] = end.value
        except CheatingDetected as found:
            self.detected[party] = found
        except PeerLeft:
            pass
        return None

    def _passed(self, sender: PartyId, tensor: Tensor) -> Tensor:
        """Give what arrives of a message."""
        self._left_before -= 1
        if self._left_before != -1:
            return tensor
        self.cheat = sender
        return flipped(tensor, self._bit)


def tampered(protocols: Mapping[PartyId, Protocol[T]], index: int, bit: int = 0) -> Outcome[T]:
    """Run all parties of a protocol, and change one bit of one message on its way.

    Args:
        protocols: by party.
        index: which message, in the order of `Traffic.messages`.
        bit: which bit of it, modulo their number.

    Raises:
        ValueError: there are not so many messages.
    """
    run = _Cheated(protocols, index, bit)
    run.run()
    if run.cheat is None:
        raise ValueError(f"no message {index}")
    return _outcome(run, run.cheat)


def deviating(protocols: Mapping[PartyId, Protocol[T]], cheat: PartyId) -> Outcome[T]:
    """Run all parties of a protocol, of whom one is known to deviate by what it does itself."""
    run = _Cheated(protocols, -1, 0)
    run.run()
    return _outcome(run, cheat)


def flipped(message: Tensor, bit: int) -> Tensor:
    """Turn one bit of a message over: of that number, modulo how many there are."""
    data = message.contiguous().reshape(-1).view(torch.uint8).clone()
    place = bit % (8 * data.numel())
    data[place // 8] ^= 1 << place % 8
    return data.view(message.dtype).reshape(message.shape)


def that_counts(number: int, message: Tensor) -> int:
    """Choose a bit of a message, by its number; of a word modulo 2^104 one below 2^64.

    What is a multiple of 2^64 changes no result; and one of 2^103, say, is noticed only if the random factor
    with which it is verified is odd.
    """
    bit = number * 7919 % (message.nbytes * 8)
    if message.shape[-1:] != (RING_104.size_bytes,):
        return bit
    word, place = divmod(bit, RING_104.size_bytes * 8)
    return word * RING_104.size_bytes * 8 + place % 64


def _outcome(run: _Cheated[T], cheat: PartyId) -> Outcome[T]:
    honest = run.last_round.keys() - {cheat}
    return Outcome(
        cheat,
        {party: run.results[party] for party in honest & run.results.keys()},
        {party: run.detected[party] for party in honest & run.detected.keys()},
        {party: run.last_round[party] for party in honest},
    )


def _received(
    party: PartyId, exchange: Exchange, sent: Mapping[tuple[PartyId, PartyId], list[Tensor]]
) -> Received | PeerLeft:
    found = []
    for want in exchange.wants:
        queue = sent.get((want.sender, party))
        if not queue:
            return PeerLeft("the link is closed", [want.sender])
        found.append(queue.pop(0))
        assert (found[-1].shape, found[-1].dtype) == (want.shape, want.dtype)
    return found
