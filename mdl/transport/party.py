"""A party on real links: implements `mdl.party.Party` over Unix-domain sockets."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeAlias, TypeVar

from mdl.errors import (
    HandshakeRefused,
    LinkedAlready,
    PeerLeft,
    PeerTimeout,
    TransportError,
    WorkerDied,
    party_name,
)
from mdl.ledger import Ledger
from mdl.party import Envelope, Message, PartyId
from mdl.transport.codec import Codec, kind_of
from mdl.transport.door import Door
from mdl.transport.frames import PREFIX_BYTES
from mdl.transport.handshake import Conversation, Terms, call
from mdl.transport.lane_desk import LaneCall, LaneDesk
from mdl.transport.lanes import Lane, StreamLanes
from mdl.transport.links import HANDSHAKE_SECONDS, Link, dial, shake_hands
from mdl.transport.mailbox import Mailbox
from mdl.transport.peers import Peers
from mdl.transport.pool import timed
from mdl.transport.work import OwnThread, WaitingClock

logger = logging.getLogger(__name__)

LINGER_SECONDS: Final = 5.0
"""How long a closing party waits for its peers to have read its last words."""

PATIENCE_SECONDS: Final = 10.0
"""How long a caller waits for its listener to appear."""

_RECALL_SECONDS: Final = 0.25

RELINK_SECONDS: Final = 10.0
"""How long a party that comes back gives its listener to see that its earlier link is gone."""

M = TypeVar("M", bound=Message)
P = ParamSpec("P")
R = TypeVar("R")

OnRecord: TypeAlias = Callable[[dict[str, Any]], None]


class StreamParty:
    """One party's end of all its links.

    Make it, link it (`listen`, `connect`, then `linked`), run a protocol, close it. What a peer does wrong
    costs it its link and nothing else: the error is logged and kept in `faults`, the peer counts as left,
    and every other link goes on.

    Args:
        id: who this is.
        codec: of the messages this party may receive.
        ledger: where messages, bytes and seconds are counted. Not closed here.
        pool: the party's crypto pool (`crypto_pool`), shut down by whoever made it; None to compute in the
            party's own thread, where there is no cryptography to speak of.
        on_record: given each fact of `record`; must not block.
        relink: whether a peer that had been linked and left may link again.
        beside: what party 0 is called.

    Attributes:
        id: as given.
        faults: by peer, why its link was closed here, where that was its fault.
    """

    def __init__(
        self,
        id: PartyId,
        codec: Codec,
        ledger: Ledger,
        pool: Executor | None,
        on_record: OnRecord,
        *,
        relink: bool = True,
        beside: str = "manager",
    ) -> None:
        self.id: Final = id
        self._beside: Final = beside
        self.faults: dict[PartyId, TransportError] = {}
        self._codec, self._ledger, self._on_record = codec, ledger, on_record
        self._mailbox = Mailbox()
        self._clock = WaitingClock(ledger)
        self._thread = OwnThread(party_name(id, beside), ledger)
        self._desk = LaneDesk(self._thread, ledger)
        self._pool = pool
        self._peers = Peers(id, self._mailbox, self._desk, self._read, relink=relink, beside=beside)
        self._door = Door(id, ledger, self._peers, beside)

    @property
    def refusals(self) -> Sequence[TransportError]:
        """The latest failed handshakes of callers; who they were is not proved."""
        return self._door.refusals

    @property
    def peers(self) -> Sequence[PartyId]:
        """The parties with a live link to this one, in ascending order."""
        return sorted(self._peers.links)

    async def listen(
        self,
        path: Path,
        *,
        secrets: Mapping[PartyId, bytes],
        terms: Terms,
        timeout_seconds: float = HANDSHAKE_SECONDS,
    ) -> None:
        """Let the parties in `secrets` call at the socket `path`, whose directory has mode 0700.

        Raises:
            TransportError: it does not have.
        """
        await self._door.open(path, secrets=secrets, terms=terms, timeout_seconds=timeout_seconds)

    async def connect(
        self,
        path: Path,
        *,
        peer: PartyId,
        secret: bytes,
        terms: Terms,
        patience_seconds: float = PATIENCE_SECONDS,
        timeout_seconds: float = HANDSHAKE_SECONDS,
        again: bool = False,
    ) -> None:
        """Call `peer` at its socket and prove by `secret` who this is.

        Args:
            path: the socket.
            peer: who should listen there.
            secret: the link's, known to both of its ends.
            terms: what to run.
            patience_seconds: how long the listener may take to appear.
            timeout_seconds: how long the handshake may take.
            again: whether this party was linked with `peer` before, and comes back.

        Raises:
            HandshakeRefused: either side refused the other.
            LinkedAlready: an earlier link of this party stands, and if it comes back, for `RELINK_SECONDS`.
            TransportError: nobody listens there, or the directory is not private.
        """
        said = partial(call, self.id, peer, secret=secret, terms=terms, beside=self._beside)
        call_for_lane = partial(self._call_for_lane, path, peer, partial(said, lane=True), timeout_seconds)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (RELINK_SECONDS if again else 0.0)
        while True:
            try:
                await self._call(
                    path,
                    said(again=again),
                    call_for_lane,
                    peer=peer,
                    patience_seconds=patience_seconds,
                    timeout_seconds=timeout_seconds,
                )
            except LinkedAlready:
                if loop.time() >= deadline:
                    raise
            else:
                return
            await asyncio.sleep(_RECALL_SECONDS)

    async def _call(
        self,
        path: Path,
        conversation: Conversation[None],
        call_for_lane: LaneCall,
        *,
        peer: PartyId,
        patience_seconds: float,
        timeout_seconds: float,
    ) -> None:
        link = await dial(path, patience_seconds=patience_seconds)
        try:
            if why := self._peers.keep_place(link, peer):
                raise HandshakeRefused(f"{party_name(peer, self._beside)} was not called: {why}")
            await shake_hands(link, conversation, self._ledger, timeout_seconds)
            self._peers.attach(peer, link, call_for_lane)
        finally:
            await self._peers.give_up(link)

    async def _call_for_lane(
        self,
        path: Path,
        peer: PartyId,
        conversation: Callable[[], Conversation[None]],
        timeout_seconds: float,
    ) -> Lane:
        try:
            link = await dial(path, patience_seconds=0.0)
            try:
                await shake_hands(link, conversation(), self._ledger, timeout_seconds)
                return Lane(peer, *await link.detach())
            finally:
                await link.close()
        except TransportError as error:
            raise PeerLeft(f"no lane: {error}", [peer]) from error

    async def linked(self, peers: Collection[PartyId], timeout_seconds: float) -> None:
        """Wait until each of `peers` has been linked.

        Raises:
            PeerTimeout: some have not, within the time; says which, and what refused callers were told.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._peers.linked(peers)
        except TimeoutError:
            refused = "".join(f"; refused: {refusal}" for refusal in self.refusals)
            missing = self._peers.missing(peers)
            raise PeerTimeout(f"no link within {timeout_seconds:g} s{refused}", missing) from None

    async def send(self, to: PartyId, message: Message) -> None:
        """Hand a message to the link; see `Party.send`.

        Cancelled while the link makes room, the message is sent; while it waits behind others, it is not.

        Raises:
            PeerLeft: the link is gone.
            FrameTooLarge: the message does not fit into a frame.
        """
        link = self._peers.links.get(to)
        if link is None:
            raise PeerLeft("no link to send over", [to])
        body = self._codec.encode(message)
        try:
            async with link.turn:
                self._ledger.count_sent(kind_of(message), link.put(body))
                await link.drain()
        except OSError as error:
            raise PeerLeft("the link broke while sending", [to]) from error

    async def receive(self, *kinds: type[M], sender: PartyId | None = None) -> Envelope[M]:
        """Take the oldest message of these kinds; see `Party.receive`. Counts as *waiting*."""
        with self._clock.running():
            return await self._mailbox.receive(kinds, sender)

    async def departure(self, peer: PartyId) -> None:
        """Wait until the link to `peer` is gone; see `Party.departure`."""
        await self._mailbox.departure(peer)

    async def to_process(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a module-level function in the crypto pool; see `Party.to_process`.

        Raises:
            WorkerDied: a process of the pool has ended, and the pool with it.
        """
        if self._pool is None:
            return await self._thread.run("cryptography", partial(fn, *args, **kwargs))
        work = partial(timed, fn, *args, **kwargs)
        try:
            result, seconds = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except BrokenExecutor as error:
            how = "lost its crypto pool: one of its processes has ended"
            raise WorkerDied(self.id, how, beside=self._beside) from error
        self._ledger.spend("cryptography", seconds)
        return result

    async def to_thread(self, activity: str, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a method in the party's one thread; see `Party.to_thread`.

        Cancelling does not stop a method that has begun; the next one waits for its end all the same.
        """
        return await self._thread.run(activity, partial(fn, *args, **kwargs))

    async def lanes(self, peers: Collection[PartyId], kind: type[Message], within: float) -> StreamLanes:
        """Open lanes; see `Party.lanes`.

        Raises:
            PeerLeft: a peer is not there any more, or refuses.
            PeerTimeout: one has opened none.
        """
        return await self._desk.open(peers, kind.__name__, within)

    def record(self, kind: str, epoch: int, **values: float | int | str) -> None:
        """Put a public fact into this party's metrics."""
        self._on_record({"party": self.id, "kind": kind, "epoch": epoch, **values})

    async def close(self) -> None:
        """Leave: send what was handed in, then close every link, socket, task and thread.

        Returns within about `LINGER_SECONDS`, or when a method that runs in the party's thread has ended.
        Whoever still waits for a message is told that its sender has left.
        """
        self._door.shut()
        self._peers.leave()
        await self._door.stop()
        await self._peers.close(LINGER_SECONDS)
        await self._door.clear()
        await self._thread.close()
        self._desk.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _read(self, peer: PartyId, link: Link) -> None:
        """Put what comes over a link into the mailbox until the link ends."""
        try:
            async for body in link.bodies():
                if not self._peers.closed:
                    self._take_in(peer, body)
                    await self._mailbox.room(peer)
        except TransportError as fault:
            self.faults[peer] = fault
            names = (party_name(party, self._beside) for party in (self.id, peer))
            logger.warning("%s closed its link to %s: %s", *names, fault)
            link.abort()
        finally:
            self._peers.lose(peer, link)
            await link.close()

    def _take_in(self, peer: PartyId, body: bytes) -> None:
        message = self._codec.decode(body)
        size_bytes = PREFIX_BYTES + len(body)
        self._ledger.count_received(kind_of(message), size_bytes)
        self._mailbox.deliver(Envelope(peer, message), size_bytes)
