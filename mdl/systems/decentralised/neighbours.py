"""With whom a node talks, and who of them is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from mdl.errors import PeerLeft, PeerTimeout, TooFewWorkers
from mdl.party import Message, Party, PartyId
from mdl.protocols.pieces import ENTRY_BYTES, Piece, receive_whole, send_whole

M = TypeVar("M", bound=Message)
R = TypeVar("R")


class Neighbours:
    """A node's neighbours. Who leaves, or is silent for too long, is lost, and stays lost.

    Args:
        party: the node.
        ids: its neighbours.
        timeout_seconds: how long it waits for one of them.
        needed: how many must remain, the node included, for it to go on without the others; None if all must.
    """

    def __init__(
        self,
        party: Party,
        ids: Sequence[PartyId],
        *,
        timeout_seconds: float,
        needed: int | None = None,
    ) -> None:
        self._party, self._timeout_seconds, self._needed = party, timeout_seconds, needed
        self._ids = tuple(ids)
        self._lost: set[PartyId] = set()

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
                f"node {self._party.id} cannot go on: of the {1 + len(self._ids)} in its neighbourhood "
                f"{remain} remain, and threshold = {self._needed} are needed",
                self.lost,
            )

    async def send(self, neighbour: PartyId, kind: type[Piece], epoch: int, data: bytes) -> None:
        """Send a vector."""
        await send_whole(self._party, neighbour, kind, epoch, data)

    async def receive(self, neighbour: PartyId, kind: type[Piece], epoch: int, size_bytes: int) -> bytes:
        """Receive a vector.

        Raises:
            PeerLeft: the neighbour is lost.
            PeerTimeout: it is there, and silent.
        """
        entries = size_bytes // ENTRY_BYTES
        async with self._patience(neighbour, f"epoch {epoch}: no {kind.__name__}"):
            found = await receive_whole(self._party, kind, sender=neighbour, epoch=epoch, entries=entries)
        assert isinstance(found, bytes)  # it waits for no other kind
        return found

    async def hear(self, neighbour: PartyId, kind: type[M]) -> M:
        """Receive a message.

        Raises:
            PeerLeft: the neighbour is lost.
            PeerTimeout: it is there, and silent.
        """
        async with self._patience(neighbour, f"no {kind.__name__}"):
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

    @asynccontextmanager
    async def _patience(self, neighbour: PartyId, what: str) -> AsyncIterator[None]:
        if neighbour in self._lost:
            raise PeerLeft("no waiting for a neighbour that was too late", [neighbour])
        try:
            async with asyncio.timeout(self._timeout_seconds):
                yield
        except TimeoutError:
            within = f"timeout_seconds = {self._timeout_seconds:g}"
            raise PeerTimeout(f"{what} within {within}", [neighbour]) from None
