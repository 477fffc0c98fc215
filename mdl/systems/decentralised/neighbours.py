"""With whom a node talks, and who of them is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, TypeVar

from mdl.errors import PeerLeft, PeerTimeout, TooFewWorkers, party_name
from mdl.party import Message, Party, PartyId, broadcast
from mdl.protocols.pieces import ENTRY_BYTES, Piece, receive_whole, send_whole
from mdl.systems.decentralised.messages import GivenUp, Waiting

_SIGNS: Final = 3
"""How often within its time-out a node that waits says so."""

M = TypeVar("M", bound=Message)
R = TypeVar("R")


class Neighbours:
    """A node's neighbours. Who leaves, or is silent for too long, is lost, and stays lost.

    Args:
        party: the node.
        ids: its neighbours.
        timeout_seconds: how long it waits for one of them that does not wait itself.
        longest_seconds: how long it waits for one in any case, that time left out.
        needed: how many must remain, the node included, for it to go on without the others; None if all must.
    """

    def __init__(
        self,
        party: Party,
        ids: Sequence[PartyId],
        *,
        timeout_seconds: float,
        longest_seconds: float,
        needed: int | None = None,
    ) -> None:
        self._party, self._timeout_seconds, self._needed = party, timeout_seconds, needed
        self._ids, self._longest_seconds = tuple(ids), longest_seconds
        self._lost: set[PartyId] = set()
        self._waits: dict[PartyId, dict[asyncio.Timeout, float]] = {neighbour: {} for neighbour in ids}

    @property
    def party(self) -> Party:
        """The node."""
        return self._party

    @property
    def present(self) -> list[PartyId]:
        """Those that are not lost, ascending."""
        return [neighbour for neighbour in self._ids if neighbour not in self._lost]

    @property
    def lost(self) -> list[PartyId]:
        """Those that are, ascending."""
        return sorted(self._lost)

    def check_enough(self) -> None:
        """Make sure that the node can go on.

        Raises:
            TooFewWorkers: too few remain.
        """
        remain = 1 + len(self.present)
        if self._needed is not None and remain < self._needed:
            raise TooFewWorkers(
                f"{party_name(self._party.id)} cannot go on: of the {1 + len(self._ids)} in its "
                f"neighbourhood {remain} remain, and threshold = {self._needed} are needed",
                self.lost,
            )

    async def send(self, neighbour: PartyId, kind: type[Piece], epoch: int, data: bytes) -> None:
        """Send a vector.

        Raises:
            PeerLeft: the neighbour is lost.
            PeerTimeout: it is there, and takes nothing.
        """
        async with self._patience(neighbour, f"epoch {epoch}: {kind.__name__} was not taken"):
            await send_whole(self._party, neighbour, kind, epoch, data)

    async def receive(
        self, neighbour: PartyId, kind: type[Piece], epoch: int, size_bytes: int, *, due: bool = False
    ) -> bytes:
        """Receive a vector.

        Args:
            neighbour: from whom.
            kind: of its pieces.
            epoch: to which it belongs.
            size_bytes: how long it is.
            due: whether the neighbour has all that it takes: that it waits for others is then no excuse.

        Raises:
            PeerLeft: the neighbour is lost.
            PeerTimeout: it is there, and silent.
        """
        entries = size_bytes // ENTRY_BYTES
        async with self._patience(neighbour, f"epoch {epoch}: no {kind.__name__}", due=due):
            found = await receive_whole(self._party, kind, sender=neighbour, epoch=epoch, entries=entries)
        assert isinstance(found, bytes)  # it waits for no other kind
        return found

    async def tell(self, neighbour: PartyId, message: Message) -> None:
        """Send a message.

        Raises:
            PeerLeft: the neighbour is lost.
            PeerTimeout: it is there, and takes nothing.
        """
        async with self._patience(neighbour, f"{type(message).__name__} was not taken"):
            await self._party.send(neighbour, message)

    async def hear(self, neighbour: PartyId, kind: type[M], *, due: bool = False) -> M:
        """Receive a message; `due` as in `receive`.

        Raises:
            PeerLeft: the neighbour is lost.
            PeerTimeout: it is there, and silent.
        """
        async with self._patience(neighbour, f"no {kind.__name__}", due=due):
            return (await self._party.receive(kind, sender=neighbour)).message

    async def each(self, errand: Callable[[PartyId], Awaitable[R]]) -> dict[PartyId, R]:
        """Run an errand with each neighbour that is present, at once.

        Args:
            errand: what to do with one.

        Returns:
            By neighbour. Who is lost meanwhile is absent.

        Raises:
            PeerLeft: a neighbour is gone, and all must remain.
            PeerTimeout: one is silent, and all must remain.
            TooFewWorkers: too few remain.
        """
        results: dict[PartyId, R] = {}

        async def run(neighbour: PartyId) -> None:
            with self.losing(neighbour):
                results[neighbour] = await errand(neighbour)

        async with asyncio.TaskGroup() as tasks:
            for neighbour in self.present:
                tasks.create_task(run(neighbour))
        self.check_enough()
        return results

    @contextmanager
    def losing(self, neighbour: PartyId) -> Iterator[None]:
        """Pass over the loss of a neighbour, and what was to be done with it.

        Raises:
            PeerLeft: it is gone, and all must remain.
            PeerTimeout: it is silent, and all must remain.
        """
        try:
            yield
        except (PeerLeft, PeerTimeout):
            if self._needed is None:
                raise
            self._lost.add(neighbour)

    async def heed_the_end(self) -> None:
        """Listen for a neighbour that knows of another who has lost this node, until none is left.

        Raises:
            PeerLeft: one does.
        """
        async with asyncio.TaskGroup() as tasks:
            for neighbour in self._ids:
                tasks.create_task(self._hear_the_end(neighbour))

    async def _hear_the_end(self, neighbour: PartyId) -> None:
        try:
            by = (await self._party.receive(GivenUp, sender=neighbour)).message.by
        except PeerLeft:
            return
        raise PeerLeft(
            f"{party_name(by)} has lost {party_name(self._party.id)}, whose part ends so for all", [by]
        )

    # -------------------------------------------------------------------------------------- patience

    async def stay_in_touch(self) -> None:
        """Let neighbours know, as long as this node waits itself, that it is not the one who is silent.

        Without this, one silent node would have its neighbours given up as well, and then theirs.
        """
        async with asyncio.TaskGroup() as tasks:
            for neighbour in self._ids:
                tasks.create_task(self._heed(neighbour))
            while True:
                await asyncio.sleep(self._timeout_seconds / _SIGNS)
                if any(self._waits.values()):
                    await broadcast(
                        self._party, self.present, Waiting(), within=self._timeout_seconds / _SIGNS
                    )

    async def _heed(self, neighbour: PartyId) -> None:
        """Be patient with a neighbour that waits itself."""
        with suppress(PeerLeft):
            while True:
                await self._party.receive(Waiting, sender=neighbour)
                now = asyncio.get_running_loop().time()
                for wait, latest in self._waits[neighbour].items():
                    if not wait.expired():
                        wait.reschedule(min(now, latest) + self._timeout_seconds)

    @asynccontextmanager
    async def _patience(self, neighbour: PartyId, what: str, *, due: bool = False) -> AsyncIterator[None]:
        if neighbour in self._lost:
            raise PeerLeft("nothing is said any more to a neighbour that was too late", [neighbour])
        waits = self._waits[neighbour]
        try:
            async with asyncio.timeout(self._timeout_seconds) as wait:
                waits[wait] = asyncio.get_running_loop().time() + (0 if due else self._longest_seconds)
                try:
                    yield
                finally:
                    del waits[wait]
        except TimeoutError:
            within = f"timeout_seconds = {self._timeout_seconds:g}"
            raise PeerTimeout(f"{what} within {within}", [neighbour]) from None
