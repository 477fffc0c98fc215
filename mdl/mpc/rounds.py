"""Protocols as coroutines that know no network: they await exchanges, which whoever drives them carries out.

All parties run the same program on the same public sizes. So a message needs no header: both ends know what
comes, how large it is and in which order. `together` runs several protocols side by side, and puts what they
exchange at the same time into one round; as it steps them in a fixed order, all parties draw from common
keystreams in the same order too.
"""

import math
from collections.abc import Coroutine, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mdl.party import PartyId

Words: TypeAlias = NDArray[Any]
"""Integers of whatever type, where NumPy computes with them: short operations take half of torch's time."""

Received: TypeAlias = list[Tensor]

T = TypeVar("T")


@dataclass(slots=True)
class Wanted:
    """A tensor that is to come from a party; an array, if its type is one of NumPy's.

    Attributes:
        sender: the party.
        shape: of the tensor.
        dtype: of its entries.
    """

    sender: PartyId
    shape: tuple[int, ...]
    dtype: torch.dtype | np.dtype[Any]

    @property
    def size_bytes(self) -> int:
        """Its length on the wire."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(slots=True)
class Exchange:
    """What a party sends in a round, and what it then waits for; awaited, it gives what came, in that order.

    Attributes:
        sends: (to, tensor or array), in the order in which that party waits for them.
        wants: what is to come.
        phase: of the program, for who counts what it costs.
    """

    sends: Sequence[tuple[PartyId, Tensor | Words]] = ()
    wants: Sequence[Wanted] = ()
    phase: str = ""

    def __await__(self) -> Generator["Exchange", Received, Received]:
        return (yield self)


Protocol: TypeAlias = Coroutine[Exchange, Received, T]


async def swapped(sends: Sequence[tuple[PartyId, Words]], wants: Sequence[Wanted] = ()) -> list[Words]:
    """Exchange arrays."""
    return cast(list[Words], await Exchange(sends, wants))


async def together(*protocols: Protocol[Any]) -> list[Any]:
    """Run protocols side by side: the first exchanges of all in one round, then the second ones, and so on.

    Returns:
        Their results, in order.

    Raises:
        Exception: whatever a protocol raises; the others are closed.
    """
    results: list[Any] = [None] * len(protocols)
    running: list[tuple[int, Received | None]] = [(index, None) for index in range(len(protocols))]
    try:
        while True:
            asked: list[tuple[int, Exchange]] = []
            for index, received in running:
                try:
                    # What a coroutine is first sent is None.
                    asked.append((index, protocols[index].send(received)))  # type: ignore[arg-type]
                except StopIteration as end:
                    results[index] = end.value
            if not asked:
                return results
            found = await Exchange(
                [send for _, exchange in asked for send in exchange.sends],
                [want for _, exchange in asked for want in exchange.wants],
            )
            running, first = [], 0
            for index, exchange in asked:
                count = len(exchange.wants)
                running.append((index, found[first : first + count]))
                first += count
    except BaseException:  # closing, too; and on the usual way it costs nothing
        for protocol in protocols:
            protocol.close()  # some are under way, and some were never begun
        raise


async def phase(name: str, protocol: Protocol[T]) -> T:
    """Run a protocol, and say of its exchanges which phase of the program they are."""
    received: Received | None = None
    while True:
        try:
            exchange = protocol.send(received)  # type: ignore[arg-type]
        except StopIteration as end:
            result: T = end.value
            return result
        exchange.phase = name
        received = await exchange


@dataclass
class PhaseTraffic:
    """What all parties sent in a phase.

    Attributes:
        rounds: in which something was sent.
        by_sender: bytes.
    """

    rounds: int = 0
    by_sender: dict[PartyId, int] = field(default_factory=dict)

    @property
    def sent_bytes(self) -> int:
        """Over all."""
        return sum(self.by_sender.values())


@dataclass
class Traffic:
    """What an in-memory run has sent.

    Attributes:
        rounds: in which something was sent.
        sent_bytes: by sender.
        messages: (round, sender, receiver, tensor), in order; see `play`.
        phases: by name, in the order in which they began.
    """

    rounds: int
    sent_bytes: dict[PartyId, int]
    messages: list[tuple[int, PartyId, PartyId, Tensor]]
    phases: dict[str, PhaseTraffic] = field(default_factory=dict)


def play(protocols: Mapping[PartyId, Protocol[T]], *, kept: bool = True) -> tuple[dict[PartyId, T], Traffic]:
    """Run all parties of a protocol in one thread, and hand over in memory what they send.

    Over links an array can be used again once it was sent, so copies of arrays are handed over.

    Args:
        protocols: by party.
        kept: whether the traffic has the messages, or their shapes and types alone (on torch's meta device).

    Raises:
        ValueError: a party waits for something else than what was sent, or nothing waits for it.
    """
    results: dict[PartyId, T] = {}
    traffic = Traffic(0, dict.fromkeys(protocols, 0), [])
    inbox: dict[PartyId, Received | None] = dict.fromkeys(protocols)
    while inbox:
        asked = dict(_steps(protocols, inbox, results))
        waiting: dict[tuple[PartyId, PartyId], list[Tensor | Words]] = {}
        active = set()
        for sender, exchange in asked.items():
            for receiver, words in exchange.sends:
                sent = words if isinstance(words, Tensor) else words.copy()
                waiting.setdefault((sender, receiver), []).append(sent)
                size_bytes = sent.nbytes
                traffic.sent_bytes[sender] += size_bytes
                tensor = sent if isinstance(sent, Tensor) else torch.from_numpy(sent)
                seen = tensor if kept else torch.empty_like(tensor, device="meta")
                traffic.messages.append((traffic.rounds, sender, receiver, seen))
                by_sender = traffic.phases.setdefault(exchange.phase, PhaseTraffic()).by_sender
                by_sender[sender] = by_sender.get(sender, 0) + size_bytes
                active.add(exchange.phase)
        for name in active:
            traffic.phases[name].rounds += 1
        traffic.rounds += bool(waiting)
        inbox = {party: _taken(party, exchange, waiting) for party, exchange in asked.items()}
        if any(waiting.values()):
            raise ValueError(f"nobody waits for what was sent: {[key for key in waiting if waiting[key]]}")
    return results, traffic


def _steps(
    protocols: Mapping[PartyId, Protocol[T]],
    inbox: Mapping[PartyId, Received | None],
    results: dict[PartyId, T],
) -> Iterable[tuple[PartyId, Exchange]]:
    for party, received in inbox.items():
        try:
            yield party, protocols[party].send(received)  # type: ignore[arg-type]
        except StopIteration as end:
            results[party] = end.value


def _taken(
    party: PartyId, exchange: Exchange, waiting: Mapping[tuple[PartyId, PartyId], list[Tensor | Words]]
) -> Received:
    found: list[Any] = []
    for want in exchange.wants:
        queue = waiting.get((want.sender, party))
        if not queue or (queue[0].shape, queue[0].dtype) != (want.shape, want.dtype):
            raise ValueError(f"party {party} waits for {want}, and it does not come")
        found.append(queue.pop(0))
    return found
