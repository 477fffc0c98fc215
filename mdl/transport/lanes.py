"""Lanes: connections beside the links, over which a party's own thread exchanges rounds of messages.

A round over a link passes the event loop: a hop to it and back, a task and a time-out for each message, a
frame, a mailbox. Where a protocol exchanges hundreds of short rounds, that costs more than what it computes.
Over lanes the thread that computes sends and receives itself, and the loop is free. Both ends know what
comes, so a message is its length (`LENGTH_BYTES`, big-endian) and that many bytes; the length is there to be
checked.
"""

import asyncio
import select
import socket
import struct
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from mdl.errors import PeerLeft, PeerTimeout, ProtocolError
from mdl.ledger import Ledger
from mdl.party import PartyId, Rounds
from mdl.transport.work import OwnThread

LENGTH_BYTES: Final = 8

R = TypeVar("R")


class Lane:
    """One end of a connection to a peer; all but `cut` is called by one thread.

    Its buffers grow to the longest message and are used again.

    Args:
        peer: at the other end.
        connection: a stream socket, blocking. It is the lane's to close.
        early: what has been read from it already.
    """

    def __init__(self, peer: PartyId, connection: socket.socket, early: bytes = b"") -> None:
        self.peer: Final = peer
        self._socket, self._early = connection, early
        self._outgoing, self._incoming = bytearray(), bytearray()
        self._unsent, self._unfilled = memoryview(b""), memoryview(b"")
        self._due = 0
        self._patience = 0.0

    def fileno(self) -> int:
        """Give the socket's descriptor."""
        return self._socket.fileno()

    def room(self, size_bytes: int) -> memoryview:
        """Give room for the next message; `push` sends it."""
        end = LENGTH_BYTES + size_bytes
        if len(self._outgoing) < end:
            self._outgoing = bytearray(end)
        self._unsent = memoryview(self._outgoing)[:end]
        self._unsent[:LENGTH_BYTES] = size_bytes.to_bytes(LENGTH_BYTES)
        return self._unsent[LENGTH_BYTES:]

    def push(self) -> bool:
        """Send as much as the socket takes now; say whether that was all.

        Raises:
            OSError: the connection is gone.
        """
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            self._unsent = self._unsent[sent:]
        return True

    def expect(self, size_bytes: int) -> None:
        """Prepare for a message of this size: `pull` it until it is there, then `take` it."""
        self._due, end = size_bytes, LENGTH_BYTES + size_bytes
        if len(self._incoming) < end:
            self._incoming = bytearray(end)
        self._unfilled = memoryview(self._incoming)[:end]
        if self._early:
            here, self._early = self._early[:end], self._early[end:]
            self._unfilled[: len(here)] = here
            self._filled(len(here))

    def pull(self, flags: int) -> bool:
        """Receive what has come, or wait for it, as `flags` say; say whether the message is complete.

        Raises:
            BlockingIOError: nothing has come; or not in the time that `be_patient` set.
            EOFError, OSError: the connection is gone.
            ProtocolError: the message is not of the size that is due.
        """
        if self._unfilled:
            received = self._socket.recv_into(self._unfilled, 0, flags)
            if not received:
                raise EOFError
            self._filled(received)
        return not self._unfilled

    def take(self) -> memoryview:
        """Give the message, until the next one is expected."""
        return memoryview(self._incoming)[LENGTH_BYTES : LENGTH_BYTES + self._due]

    def be_patient(self, seconds: float) -> None:
        """Let a `pull` that waits give up after so long."""
        if seconds != self._patience:
            # A value of zero would mean for ever.
            micros = max(1, int(seconds * 1e6))
            limit = struct.pack("ll", *divmod(micros, 1_000_000))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self._patience = seconds

    def cut(self) -> None:
        """End the connection, from whatever thread: whoever waits for it, at either end, is told at once."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back. No thread may still be waiting for it."""
        self._socket.close()

    def _filled(self, count: int) -> None:
        before = LENGTH_BYTES + self._due - len(self._unfilled)
        self._unfilled = self._unfilled[count:]
        if before < LENGTH_BYTES <= before + count:
            size = int.from_bytes(self._incoming[:LENGTH_BYTES])
            if size != self._due:
                raise ProtocolError(f"a message of {size} bytes where {self._due} were due", [self.peer])


class LaneRounds:
    """A party's rounds over its lanes; see `mdl.party.Rounds`.

    Attributes:
        waited_seconds: in all.
        sent: the bytes of each message on the way, since the computation began.
        received: likewise.
    """

    def __init__(self, lanes: Collection[Lane]) -> None:
        self._lanes = {lane.peer: lane for lane in lanes}
        self._written: list[Lane] = []
        self.waited_seconds = 0.0
        self.sent: list[int] = []
        self.received: list[int] = []

    def room(self, to: PartyId, size_bytes: int) -> memoryview:
        """See `Rounds`."""
        lane = self._lanes[to]
        self._written.append(lane)
        self.sent.append(LENGTH_BYTES + size_bytes)
        return lane.room(size_bytes)

    def swap(self, sizes: Mapping[PartyId, int], within: float) -> Mapping[PartyId, memoryview]:
        """See `Rounds`."""
        began = time.perf_counter()
        due = [self._lanes[peer] for peer in sizes]
        try:
            for lane in due:
                lane.expect(sizes[lane.peer])
            unsent = [lane for lane in self._written if not self._push(lane)]
            # What cannot be sent at once is taken by a peer that may be sending itself, and waits for us.
            while unsent:
                self._wait(unsent, due, began + within, within)
                due = [lane for lane in due if not self._pull(lane, socket.MSG_DONTWAIT)]
                unsent = [lane for lane in unsent if not self._push(lane)]
            for lane in due:
                self._fill(lane, began + within, within)
        finally:
            self._written.clear()
            self.waited_seconds += time.perf_counter() - began
        self.received += [LENGTH_BYTES + size for size in sizes.values()]
        return {peer: self._lanes[peer].take() for peer in sizes}

    def _push(self, lane: Lane) -> bool:
        try:
            return lane.push()
        except OSError:
            raise self._left(lane) from None

    def _pull(self, lane: Lane, flags: int) -> bool:
        try:
            return lane.pull(flags)
        except BlockingIOError:
            return False
        except (EOFError, OSError):
            raise self._left(lane) from None

    def _fill(self, lane: Lane, deadline: float, within: float) -> None:
        """Wait until a message is complete."""
        lane.be_patient(within)
        # The length comes first, and is checked before anything more is waited for.
        flags = 0
        while not self._pull(lane, flags):
            if time.perf_counter() >= deadline:
                raise _silent([lane], within)
            flags = socket.MSG_WAITALL

    def _wait(self, unsent: Collection[Lane], due: Collection[Lane], deadline: float, within: float) -> None:
        """Wait until something can be sent or received."""
        events: dict[int, int] = {}
        for lanes, event in ((unsent, select.POLLOUT), (due, select.POLLIN)):
            for lane in lanes:
                events[lane.fileno()] = events.get(lane.fileno(), 0) | event
        poll = select.poll()
        for descriptor, wanted in events.items():
            poll.register(descriptor, wanted)
        if not poll.poll(max(0.0, deadline - time.perf_counter()) * 1000):
            raise _silent(unsent, within)

    def _left(self, found: Lane) -> PeerLeft:
        """Name all who are gone: the one that was waited for may have left because of another."""
        poll = select.poll()
        by_descriptor = {lane.fileno(): lane.peer for lane in self._lanes.values()}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLRDHUP)
        gone = {by_descriptor[descriptor] for descriptor, _ in poll.poll(0)} | {found.peer}
        return PeerLeft("left in the middle of a computation", sorted(gone))


class StreamLanes:
    """A party's lanes; see `mdl.party.Lanes`.

    Args:
        lanes: to the peers.
        kind: as what messages are counted.
        thread: the party's.
        ledger: where messages, bytes and seconds are counted.
    """

    def __init__(self, lanes: Collection[Lane], kind: str, thread: OwnThread, ledger: Ledger) -> None:
        self._lanes, self._kind, self._thread, self._ledger = list(lanes), kind, thread, ledger

    async def run(self, activity: str, fn: Callable[[Rounds], R]) -> R:
        """See `Lanes`."""
        rounds = LaneRounds(self._lanes)
        job = asyncio.ensure_future(
            self._thread.run(activity, partial(fn, rounds), waited=lambda: rounds.waited_seconds)
        )
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            # It ends at its next exchange. Until then it owns what it computes with.
            self.cut()
            while not job.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([job])
            job.cancelled() or job.exception()
            raise
        finally:
            self._ledger.count_sent(self._kind, sum(rounds.sent), len(rounds.sent))
            self._ledger.count_received(self._kind, sum(rounds.received), len(rounds.received))

    def cut(self, peer: PartyId | None = None) -> None:
        """End the lane with a peer, or all of them. What has come can still be received."""
        for lane in self._lanes:
            if peer in (None, lane.peer):
                lane.cut()

    def close(self) -> None:
        """Give all sockets back. Nothing may be running any more."""
        for lane in self._lanes:
            lane.close()


def _silent(lanes: Collection[Lane], within: float) -> PeerTimeout:
    return PeerTimeout(f"no message within timeout_seconds = {within:g}", sorted(lane.peer for lane in lanes))
