"""A party on virtual links."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from mdl.errors import PeerLeft
from mdl.ledger import Ledger
from mdl.party import Envelope, Message, PartyId
from mdl.simulator.network import Wire
from mdl.transport.codec import Codec
from mdl.transport.frames import PREFIX_BYTES
from mdl.transport.mailbox import Mailbox

M = TypeVar("M", bound=Message)
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Sent:
    """One line of the transcript.

    Attributes:
        seconds: virtual time of sending.
        size_bytes: on a real link, framing included.
    """

    seconds: float
    sender: PartyId
    receiver: PartyId
    message: Message
    size_bytes: int


class SimulatedParty:
    """A `Party` whose computing is done on the spot and charged to the virtual clock.

    Once it has left it is of no more use: a party that comes back does so as another object.

    Args:
        charge: virtual seconds for a call that took so many real ones (activity, real seconds).
        transcript: takes what is sent.
        on_record: given each fact of `record`, with the virtual second.
        ledger: goes on with that of a party that comes back; a new one by default.
    """

    def __init__(
        self,
        party: PartyId,
        codec: Codec,
        *,
        charge: Callable[[str, float], float],
        transcript: MutableSequence[Sent],
        on_record: Callable[[dict[str, Any]], None],
        ledger: Ledger | None = None,
    ) -> None:
        self._id, self._codec = party, codec
        self._charge, self._transcript, self._on_record = charge, transcript, on_record
        self._mailbox = Mailbox()
        self._wires: dict[PartyId, tuple[Wire, SimulatedParty]] = {}
        self._pool, self._thread = asyncio.Lock(), asyncio.Lock()
        self.ledger = ledger or Ledger(party)
        self.waits: list[str] = []
        self._waiting_since = 0.0

    @property
    def id(self) -> PartyId:
        """Who this is."""
        return self._id

    @property
    def peers(self) -> Sequence[PartyId]:
        """See `Party`."""
        return sorted(self._wires)

    def link(self, peer: "SimulatedParty", wire: Wire) -> None:
        """Join this party's end of a link."""
        self._wires[peer.id] = (wire, peer)
        self._mailbox.join(peer.id)

    def lose(self, peer: "SimulatedParty") -> None:
        """Find out that a peer has left, unless another has taken its place already."""
        if self._is_linked(peer):
            del self._wires[peer.id]
            self._mailbox.leave(peer.id)

    def leave(self) -> None:
        """Be gone at once: what is under way from here is lost."""
        for wire, peer in list(self._wires.values()):
            wire.cut()
            peer.lose(self)
            self.lose(peer)

    def hang_up(self) -> None:
        """Leave in good order: what was sent still arrives, and then the peers find out."""
        for wire, peer in list(self._wires.values()):
            wire.append(lambda peer=peer: peer.lose(self))  # type: ignore[misc]
            self.lose(peer)

    def _is_linked(self, peer: "SimulatedParty") -> bool:
        return peer.id in self._wires and self._wires[peer.id][1] is peer

    async def send(self, to: PartyId, message: Message) -> None:
        """See `Party`."""
        if to not in self._wires:
            raise PeerLeft("cannot send to a party that is not there", [to])
        wire, peer = self._wires[to]
        data = self._codec.encode(message)
        size_bytes = len(data) + PREFIX_BYTES
        self._transcript.append(Sent(asyncio.get_running_loop().time(), self._id, to, message, size_bytes))
        self.ledger.count_sent(type(message).__name__, size_bytes)
        await wire.carry(size_bytes, lambda: peer.deliver(self, data))

    def deliver(self, sender: "SimulatedParty", data: bytes) -> None:
        """Take what a wire brings. It is decoded, so a message that the codec would spoil is found out."""
        if not self._is_linked(sender):
            return
        message = self._codec.decode(data)
        size_bytes = len(data) + PREFIX_BYTES
        self.ledger.count_received(type(message).__name__, size_bytes)
        self._mailbox.deliver(Envelope(sender.id, message), size_bytes)

    async def receive(self, *kinds: type[M], sender: PartyId | None = None) -> Envelope[M]:
        """See `Party`."""
        loop = asyncio.get_running_loop()
        wait = f"{' or '.join(kind.__name__ for kind in kinds)} from {'anyone' if sender is None else sender}"
        if not self.waits:
            self._waiting_since = loop.time()
        self.waits.append(wait)
        try:
            return await self._mailbox.receive(kinds, sender)
        finally:
            self.waits.remove(wait)
            if not self.waits:  # time waited for several things at once counts once
                self.ledger.spend("waiting", loop.time() - self._waiting_since)

    async def departure(self, peer: PartyId) -> None:
        """See `Party`."""
        await self._mailbox.departure(peer)

    async def to_process(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """See `Party`: one at a time, on the spot."""
        async with self._pool:
            return await self._compute("cryptography", lambda: fn(*args, **kwargs))

    async def to_thread(self, activity: str, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """See `Party`."""
        async with self._thread:
            return await self._compute(activity, lambda: fn(*args, **kwargs))

    async def lanes(self, peers: Collection[PartyId], kind: type[Message], within: float) -> None:
        """See `Party`: rounds go as messages, so that a party can leave between any two."""

    async def _compute(self, activity: str, work: Callable[[], R]) -> R:
        start = time.perf_counter()
        result = work()
        seconds = self._charge(activity, time.perf_counter() - start)
        self.ledger.spend(activity, seconds)
        await asyncio.sleep(seconds)
        return result

    def record(self, kind: str, epoch: int, **values: float | int | str) -> None:
        """See `Party`."""
        now = asyncio.get_running_loop().time()
        self._on_record({"seconds": now, "party": self._id, "kind": kind, "epoch": epoch, **values})


def no_charge(activity: str, seconds: float) -> float:
    """Computing takes no virtual time."""
    del activity, seconds
    return 0.0


def as_measured(activity: str, seconds: float) -> float:
    """Computing takes the virtual time that it really took, as though each party had a machine of its own."""
    del activity
    return seconds


def from_table(costs: Mapping[str, float]) -> Callable[[str, float], float]:
    """Computing takes so many virtual seconds a call, by activity."""
    return lambda activity, _seconds: costs.get(activity, 0.0)
