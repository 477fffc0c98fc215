"""Runs in which one party sends one bit wrongly, for engines that must find it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from mdl.errors import CheatingDetected, PeerLeft
from mdl.mpc.rounds import Exchange, Protocol, Received
from mdl.party import PartyId

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What became of a run.

    Attributes:
        cheat: who sent the wrong bit.
        results: of the honest parties that came to an end.
        detected: what the honest parties say that found it out.
        rounds: after how many honest parties sent nothing any more.
    """

    cheat: PartyId
    results: Mapping[PartyId, T]
    detected: Mapping[PartyId, CheatingDetected]
    rounds: int


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
        data = tensor.contiguous().reshape(-1).view(torch.uint8).clone()
        place = self._bit % (8 * data.numel())
        data[place // 8] ^= 1 << place % 8
        return data.view(tensor.dtype).reshape(tensor.shape)


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
    honest = protocols.keys() - {run.cheat}
    return Outcome(
        run.cheat,
        {party: run.results[party] for party in honest & run.results.keys()},
        {party: run.detected[party] for party in honest & run.detected.keys()},
        max(run.last_round[party] for party in honest),
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
