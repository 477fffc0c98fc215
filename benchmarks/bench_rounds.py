"""What a round of a computation on secrets costs on real links: three processes, sealed messages.

    python benchmarks/bench_rounds.py [--networks network_a,network_c] [--repetitions 3]

Rounds go over lanes, and as messages through the event loop, in turn: first tiny ones in a ring, then of 1
MB, then training steps on batches of 128 (replicated sharing, momentum SGD). Prints medians of the wall and
CPU time that one takes a party.
"""

import argparse
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
import uvloop

from mdl.learning import networks_a_to_d
from mdl.ledger import Ledger
from mdl.mpc.engine import Engine
from mdl.mpc.engines import begun
from mdl.mpc.links import Links
from mdl.mpc.messages import Sealed
from mdl.mpc.networks import Network, secretly
from mdl.mpc.optimisers import Sgd
from mdl.mpc.rounds import Exchange, Protocol, Wanted, together
from mdl.mpc.seals import Seal
from mdl.mpc.training import one_hot, step
from mdl.party import PartyId
from mdl.schemes.randomness import SystemRandomness
from mdl.transport.codec import Codec
from mdl.transport.party import StreamParty

PARTIES = (1, 2, 3)
CARRIERS = ("messages", "lanes")
BATCH = 128
SHAPE = (1, 28, 28)
WEIGHTS = {"network_a": 1, "network_b": 8, "network_c": 16, "network_d": 1}
"""How many times as long a step takes, roughly."""

TERMS = {"version": "bench"}

Figures = dict[str, tuple[float, float]]
"""What, to the seconds of wall and of CPU that one takes."""


async def ring(number: int, rounds: int, size_bytes: int) -> None:
    """Send to the next, and wait for the one before."""
    data = torch.zeros(size_bytes, dtype=torch.uint8)
    for _ in range(rounds):
        await Exchange([((number + 1) % 3, data)], [Wanted((number + 2) % 3, data.shape, data.dtype)])


async def train(engine: Engine, network: Network, optimiser: Sgd, shape: Sequence[int]) -> None:
    """Take a step on random images of party 0."""
    own = engine.party == 0
    images = torch.randint(0, 1 << 16, (BATCH, *shape))
    labels = one_hot(torch.randint(0, 10, (BATCH,)), 10)
    shares = (engine.share(0, each if own else None, each.shape) for each in (images, labels))
    await step(engine, network, optimiser, *await together(*shares))


async def prepared(links: Links, number: int, name: str) -> Callable[[], Protocol[None]]:
    """Give steps of a network's training, one after the other."""
    engine = await links.drive(begun("rep3", number, 3, "probabilistic", SystemRandomness()))
    torch.manual_seed(0)
    network = secretly(engine, getattr(networks_a_to_d, name)(SHAPE, 10))
    optimiser = Sgd(0.01, BATCH.bit_length() - 1, 0.9)
    return partial(train, engine, network, optimiser, SHAPE)


async def measure(links: Links, number: int, networks: Sequence[str], steps: int) -> Figures:
    found = {}

    async def timed(name: str, make: Callable[[], Protocol[None]], times: int, inner: int = 1) -> None:
        await links.drive(make())
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(times):
            await links.drive(make())
        found[name] = (
            (time.perf_counter() - wall) / (times * inner),
            (time.process_time() - cpu) / (times * inner),
        )

    await timed("round of 16 bytes", lambda: ring(number, 500, 16), 1, 500)
    await timed("round of 1 MB", lambda: ring(number, 30, 1 << 20), 1, 30)
    for name in networks:
        take_step = await prepared(links, number, name)
        await links.drive(take_step())
        await timed(f"batch of {name}", take_step, max(1, steps // WEIGHTS[name]))
    return found


async def take_part(
    own: PartyId, folder: Path, networks: Sequence[str], repetitions: int, steps: int
) -> dict[str, list[Figures]]:
    torch.set_num_threads(1)
    party = StreamParty(own, Codec([Sealed]), Ledger(own), None, lambda _fact: None)
    secrets = {peer: bytes([min(own, peer), max(own, peer)]) * 16 for peer in PARTIES if peer != own}
    async with party:
        callers = {peer: secret for peer, secret in secrets.items() if peer > own}
        await party.listen(folder / str(own), secrets=callers, terms=TERMS)
        for peer in range(1, own):
            await party.connect(
                folder / str(peer), peer=peer, secret=secrets[peer], terms=TERMS, patience_seconds=60
            )
        await party.linked(secrets.keys(), 60)
        found: dict[str, list[Figures]] = {carrier: [] for carrier in CARRIERS}
        for repetition, carrier in product(range(repetitions), CARRIERS):
            # Each has secrets of its own: no key is used from its beginning twice.
            salt = bytes([repetition, CARRIERS.index(carrier)])
            seals = {peer: Seal((secret + salt)[-32:], own, peer) for peer, secret in secrets.items()}
            lanes = await party.lanes(secrets.keys(), Sealed, 60) if carrier == "lanes" else None
            links = Links(party, PARTIES, seals, 60, lanes)
            found[carrier].append(await measure(links, own - 1, networks, steps))
        return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", default="network_a,network_c")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--steps", type=int, default=24)
    options = parser.parse_args()
    networks = options.networks.split(",") if options.networks else []
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    with TemporaryDirectory() as folder:
        arguments = (Path(folder), networks, options.repetitions, options.steps, queue)
        processes = [context.Process(target=_play, args=(own, *arguments)) for own in PARTIES]
        for process in processes:
            process.start()
        found = [queue.get() for _ in processes]
        for process in processes:
            process.join()
    _print(found)


def _play(
    own: PartyId, folder: Path, networks: Sequence[str], repetitions: int, steps: int, queue: Any
) -> None:
    queue.put(uvloop.run(take_part(own, folder, networks, repetitions, steps)))


def _print(found: Sequence[dict[str, list[Figures]]]) -> None:
    load = f"load {os.getloadavg()[0]:.1f}"
    print(f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {load}\n")
    print("| a party, milliseconds | messages: wall | CPU | lanes: wall | CPU |")
    print("|---|---|---|---|---|")
    for name in found[0][CARRIERS[0]][0]:
        cells = [
            median(figures[name][which] for party in found for figures in party[carrier]) * 1000
            for carrier in CARRIERS
            for which in (0, 1)
        ]
        print(f"| {name} | " + " | ".join(f"{cell:.3g}" for cell in cells) + " |")


if __name__ == "__main__":
    main()
