"""What a protocol may do: send a message, await one, have something computed.

A system's coroutines see the world through `Party` alone. Two drivers implement it: real streams
(`mdl.transport`) and the virtual clock (`mdl.simulator`); a conformance suite holds both to this contract.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, ParamSpec, Protocol, TypeAlias, TypeVar

import msgspec

from mdl.errors import PeerLeft

PartyId: TypeAlias = int
"""0 is the manager; workers are 1..n. A worker's id is its point in Shamir's sharing too: never 0."""

MANAGER: Final[PartyId] = 0


class Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of all messages. The tag on the wire is the class's name."""


M = TypeVar("M", bound=Message)
M_co = TypeVar("M_co", bound=Message, covariant=True)
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Envelope(Generic[M_co]):
    """A message and the party it came from (the link's authenticated end, not a claim in the message)."""

    sender: PartyId
    message: M_co


class Rounds(Protocol):
    """Exchanges with peers by whoever computes in the party's thread: they block it, and nothing else.

    What is due, and how large it is, both ends know.
    """

    def room(self, to: PartyId, size_bytes: int) -> memoryview:
        """Give room for this round's message to a peer, to be filled before `swap`; one a peer and round."""

    def swap(self, sizes: Mapping[PartyId, int], within: float) -> Mapping[PartyId, memoryview]:
        """Send what was written, and wait for a message of each of these sizes.

        Args:
            sizes: in bytes, by sender.
            within: seconds to wait. Who sends a little now and then gains no more than as much again.

        Returns:
            The messages; their memory is used again in the next round.

        Raises:
            PeerLeft: a peer that is needed has left; with all others that have.
            PeerTimeout: one is there, and silent; or takes nothing.
            ProtocolError: a message is not of the size that was due.
        """


class Lanes(Protocol):
    """Connections to peers beside the links, for protocols that exchange many short rounds."""

    async def run(self, activity: str, fn: Callable[[Rounds], R]) -> R:
        """Run `fn` in the party's thread: where it waits for others, that counts as *waiting*.

        Cancelling ends the lanes, and with them `fn` at its next exchange; this returns when it has ended.
        """


class Party(Protocol):
    """One party's door to the world. Its methods may be called from several tasks at once."""

    @property
    def id(self) -> PartyId:
        """Who this is."""

    @property
    def peers(self) -> Sequence[PartyId]:
        """The parties with a live link to this one, in ascending order. It shrinks as parties leave."""

    async def send(self, to: PartyId, message: Message) -> None:
        """Hand a message to the link; return once the link has room for another (back-pressure).

        Messages to one peer arrive whole and in the order of the calls. Cancelling leaves the link in
        order: the message is sent wholly or not at all.

        Raises:
            PeerLeft: the link is gone. (It may also go after this returns: sending is no receipt.)
        """

    async def receive(self, *kinds: type[M], sender: PartyId | None = None) -> Envelope[M]:
        """Take the oldest message of these kinds (from `sender`, if given) not taken yet; wait for one.

        Messages of other kinds stay for other calls. Cancelling takes no message.

        Raises:
            PeerLeft: none can come any more, because `sender` (or, without one, every peer) has left. What
                it sent before leaving is handed out first.
        """

    async def departure(self, peer: PartyId) -> None:
        """Wait until the link to `peer` is gone; return at once if there is none.

        What it sent before may still wait to be received; and it may link again.
        """

    async def to_process(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a module-level function of picklable values in the crypto pool. Counts as *cryptography*."""

    async def to_thread(self, activity: str, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a method of something this party owns, one at a time, off the loop. Counts as `activity`."""

    async def lanes(self, peers: Collection[PartyId], kind: type[Message], within: float) -> Lanes | None:
        """Open lanes to peers that open theirs to this party; None if there are none here, but only messages.

        Args:
            peers: with whom this party is linked.
            kind: as what the messages on them are counted.
            within: seconds that it may take.

        Raises:
            PeerLeft: one is not there any more, or refuses.
            PeerTimeout: one has opened none.
        """

    def record(self, kind: str, epoch: int, **values: float | int | str) -> None:
        """Put a public fact into this party's metrics: never a gradient, share or secret. Returns at once."""


async def broadcast(
    party: Party, to: Collection[PartyId], message: Message, *, within: float | None = None
) -> None:
    """Send one message to several peers at once; one that has left, or takes none in time, is passed over."""

    async def one(peer: PartyId) -> None:
        with suppress(PeerLeft, TimeoutError):  # whoever awaits an answer finds out
            async with asyncio.timeout(within):
                await party.send(peer, message)

    async with asyncio.TaskGroup() as tasks:
        for peer in sorted(to):
            tasks.create_task(one(peer))
