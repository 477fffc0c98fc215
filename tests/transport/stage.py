"""Parties on real sockets in one event loop, for the tests of this folder."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop

from mdl.ledger import Ledger
from mdl.transport.codec import Codec
from mdl.transport.frames import prefix
from mdl.transport.handshake import call
from mdl.transport.party import StreamParty
from tests.conformance.party import KINDS, WORKERS

TERMS = {"version": "1", "system": "test"}
SECRETS = {worker: bytes([worker]) * 32 for worker in range(1, 10)}

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def run(main: Coroutine[Any, Any, None], loop: str = "asyncio") -> None:
    """Run to the end in debug mode, and check that no task, transport or socket outlives it."""

    async def whole() -> None:
        async with asyncio.timeout(20):
            await main
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, f"tasks left: {others}"

    with asyncio.Runner(debug=True, loop_factory=LOOPS[loop]) as runner:
        runner.run(whole())
    # Whatever was not closed says so in a ResourceWarning, which pytest turns into an error.
    gc.collect()


def party(id: int, ledger: Ledger | None = None, pool: Executor | None = None) -> StreamParty:
    return StreamParty(id, Codec(KINDS), ledger or Ledger(id), pool, lambda _fact: None)


@dataclass
class Streams:
    """A stage of real parties; where they meet; what the manager counts."""

    path: Path
    parties: dict[int, StreamParty]
    ledgers: Mapping[int, Ledger] = field(default_factory=dict)

    @property
    def manager(self) -> StreamParty:
        return self.parties[0]

    async def leave(self, party: int) -> None:
        await self.parties[party].close()

    async def return_(self, worker: int) -> None:
        self.parties[worker] = party(worker)
        await self.parties[worker].connect(self.path, peer=0, secret=SECRETS[worker], terms=TERMS, again=True)


@asynccontextmanager
async def streams(workers: int = WORKERS) -> AsyncIterator[Streams]:
    """A manager that listens and `workers` that called it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "0.sock"
        ledgers = {id: Ledger(id) for id in range(workers + 1)}
        parties = {id: party(id, ledger) for id, ledger in ledgers.items()}
        try:
            await parties[0].listen(path, secrets=SECRETS, terms=TERMS)
            for worker in range(1, workers + 1):
                await parties[worker].connect(path, peer=0, secret=SECRETS[worker], terms=TERMS)
            await parties[0].linked(range(1, workers + 1), timeout_seconds=5)
            yield Streams(path, parties, ledgers)
        finally:
            for one in parties.values():
                await one.close()


class RawWorker:
    """A peer that proves itself and then says whatever a test wants, byte for byte."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.connection, data)

    async def ended(self) -> None:
        """Read until the other side has closed."""
        loop = asyncio.get_running_loop()
        try:
            while await loop.sock_recv(self.connection, 65536):
                pass
        except ConnectionResetError:
            pass

    async def hear(self) -> bytes:
        loop = asyncio.get_running_loop()
        size = int.from_bytes(await self._exactly(loop, 4))
        return await self._exactly(loop, size)

    async def _exactly(self, loop: asyncio.AbstractEventLoop, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = await loop.sock_recv(self.connection, size - len(data))
            assert more, "the other side closed"
            data += more
        return data

    def vanish(self) -> None:
        """Close as the kernel does for a process that was killed."""
        self.connection.close()


@asynccontextmanager
async def raw_connection(path: Path) -> AsyncIterator[RawWorker]:
    """A connection that has not said anything yet."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, str(path))
        yield RawWorker(connection)


@asynccontextmanager
async def raw_worker(stage: Streams, worker: int) -> AsyncIterator[RawWorker]:
    """A worker that the manager has accepted."""
    async with raw_connection(stage.path) as raw:
        conversation = call(worker, 0, secret=SECRETS[worker], terms=TERMS)
        heard: bytes | None = None
        while True:
            try:
                said = conversation.send(heard)
            except StopIteration:
                break
            heard = None
            if said is None:
                heard = await raw.hear()
            else:
                await raw.say(prefix(said) + said)
        await stage.manager.linked([worker], timeout_seconds=5)
        yield raw


def meeting(check: Callable[[StreamParty, StreamParty, Path], Any], loop: str = "asyncio") -> None:
    """Run `check` with a manager that listens and a worker 1 that has not called yet."""

    async def main() -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "0.sock"
            async with party(0) as manager, party(1) as worker:
                await manager.listen(path, secrets=SECRETS, terms=TERMS, timeout_seconds=0.3)
                await check(manager, worker, path)

    run(main(), loop)
