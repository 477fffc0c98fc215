"""What a real link costs: a manager and worker processes on Unix-domain sockets, under uvloop.

    python benchmarks/bench_transport.py [workers]

Prints the time of a round (the manager tells every worker something tiny and gathers the answers), while the
workers are idle and while each trains in its own thread; then how fast full-sized chunks travel over one
link.
"""

import asyncio
import multiprocessing
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import uvloop

from mdl.errors import PeerLeft
from mdl.ledger import Ledger
from mdl.party import Message, broadcast
from mdl.transport.codec import Codec
from mdl.transport.party import StreamParty

ROUNDS = 500
WARM_UP = 20
CHUNK_BYTES = 1024 * 1024
CHUNKS = 500
TERMS = {"version": "benchmark"}


class Ask(Message, frozen=True):
    number: int


class Answer(Message, frozen=True):
    number: int


class Chunk(Message, frozen=True):
    body: bytes


class Train(Message, frozen=True):
    """Begin to train, until the link closes."""


class Training(Message, frozen=True):
    """Training has begun."""


KINDS = (Ask, Answer, Chunk, Train, Training)


def secret(worker: int) -> bytes:
    return worker.to_bytes(32)


def party(id: int) -> StreamParty:
    return StreamParty(id, Codec(KINDS), Ledger(id), None, lambda _fact: None)


def steps(seconds: float = 0.5) -> None:
    """Train a small network by SGD for a while, one thread, batches of 32."""
    torch.set_num_threads(1)
    model = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    images, labels = torch.randn(32, 784), torch.randint(0, 10, (32,))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()


async def train(me: StreamParty) -> None:
    while 0 in me.peers:
        await me.to_thread("training", steps)


async def worker(id: int, path: Path) -> None:
    async with party(id) as me:
        await me.connect(path, peer=0, secret=secret(id), terms=TERMS, patience_seconds=60)
        training: list[asyncio.Task[None]] = []
        try:
            while True:
                message = (await me.receive(Ask, Train, Chunk)).message
                if isinstance(message, Ask):
                    await me.send(0, Answer(message.number))
                elif isinstance(message, Train):
                    training.append(asyncio.create_task(train(me)))
                    await me.send(0, Training())
        except PeerLeft:
            await asyncio.gather(*training)


def run_worker(id: int, path: Path) -> None:
    uvloop.run(worker(id, path))


async def round_trip(manager: StreamParty, number: int) -> float:
    """Seconds of one round."""
    start = time.perf_counter()
    await broadcast(manager, manager.peers, Ask(number))
    for _ in manager.peers:
        await manager.receive(Answer)
    return time.perf_counter() - start


async def rounds(manager: StreamParty, title: str) -> None:
    for number in range(WARM_UP):
        await round_trip(manager, number)
    milliseconds = [1e3 * await round_trip(manager, number) for number in range(ROUNDS)]
    p95 = statistics.quantiles(milliseconds, n=20)[-1]
    print(f"{title}: median {statistics.median(milliseconds):.2f} ms, 95 % within {p95:.2f} ms")


async def chunks(manager: StreamParty) -> None:
    body = bytes(CHUNK_BYTES)
    start = time.perf_counter()
    for _ in range(CHUNKS):
        await manager.send(1, Chunk(body))
    # The answer comes after the worker has taken every chunk.
    await manager.send(1, Ask(0))
    await manager.receive(Answer, sender=1)
    rate = CHUNKS * CHUNK_BYTES / 1e6 / (time.perf_counter() - start)
    print(f"1 MiB chunks over one link: {rate:.0f} MB/s")


async def measure(workers: int, path: Path) -> None:
    ids = range(1, workers + 1)
    async with party(0) as manager:
        await manager.listen(path, secrets={id: secret(id) for id in ids}, terms=TERMS)
        await manager.linked(ids, timeout_seconds=60)
        await rounds(manager, f"round with {workers} idle workers")
        await chunks(manager)
        await broadcast(manager, manager.peers, Train())
        for _ in ids:
            await manager.receive(Training)
        await rounds(manager, f"round with {workers} workers in training")


def main() -> None:
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, uvloop")
    print(f"{ROUNDS} rounds each; load average at the start {os.getloadavg()[0]:.1f}")
    # Forked, so that the workers share torch; nothing here has started a thread or a loop yet.
    context = multiprocessing.get_context("fork")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "0.sock"
        processes = [context.Process(target=run_worker, args=(id, path)) for id in range(1, workers + 1)]
        for process in processes:
            process.start()
        uvloop.run(measure(workers, path))
        for process in processes:
            process.join()


if __name__ == "__main__":
    main()
