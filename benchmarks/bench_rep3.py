"""Three parties with replicated shares, in memory: `python -m benchmarks.bench_rep3 [--steps 9]`.

CPU time of one party, a third of that of all three, without sealing and links: of primitives by entry, of
steps of networks A to D with batches of 128. Then 10^8 quotients of 46-bit numbers, none of which may wrap.
Times are the smallest of several: other work on the machine only adds to them.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch

from mdl.learning import networks_a_to_d as networks
from mdl.mpc.engine import Engine, multiply
from mdl.mpc.networks import Network, secretly
from mdl.mpc.optimisers import Sgd
from mdl.mpc.rep3.engine import Rep3, dealt
from mdl.mpc.rounds import Traffic, play
from mdl.mpc.secret import Bits, Secret
from mdl.mpc.training import one_hot, step

ENTRIES: Final = 131_072
BATCH_BITS: Final = 7
IMAGE: Final = (1, 28, 28)
NETWORKS: Final = {
    "A": networks.network_a,
    "B": networks.network_b,
    "C": networks.network_c,
    "D": networks.network_d,
}
QUOTIENTS: Final = 100_000_000
CHUNK: Final = 1_000_000

Operation = Callable[[Engine, Secret, Secret, Bits], Any]

OPERATIONS: Final[dict[str, Operation]] = {
    "product": lambda engine, x, y, bit: engine.product(multiply, x, y),
    "product and rounding": lambda engine, x, y, bit: engine.scaled_product(multiply, x, y, 16),
    "rounding": lambda engine, x, y, bit: engine.truncate(x, 16),
    "sign": lambda engine, x, y, bit: engine.negative(x),
    "all bits": lambda engine, x, y, bit: engine.bits(x),
    "selection": lambda engine, x, y, bit: engine.select(bit ^ 0, x),
    "selection, again": lambda engine, x, y, bit: engine.select(bit, x),
    "a bit as an integer": lambda engine, x, y, bit: engine.integers(bit),
}


def timed(engines: Sequence[Rep3], program: Callable[[Engine], Any]) -> tuple[float, Traffic]:
    """Run a program; give a party's seconds of CPU."""
    start = time.process_time()
    _, traffic = play({engine.party: program(engine) for engine in engines})
    return (time.process_time() - start) / len(engines), traffic


def three() -> Sequence[Rep3]:
    """Give engines with fresh keys."""
    return dealt([os.urandom(16) for _ in range(3)], os.urandom(16))


def primitives(repetitions: int) -> None:
    """Print what an entry costs."""
    engines, held = three(), {}
    values = torch.randint(-(2**31), 2**31, (2, ENTRIES))

    async def share(engine: Engine) -> None:
        x, y = [
            await engine.share(owner, each if engine.party == owner else None, each.shape)
            for owner, each in enumerate(values)
        ]
        held[engine.party] = x, y, await engine.negative(x)

    timed(engines, share)
    print(f"{'':24}{'ns':>8}{'bytes in all':>14}{'rounds':>8}")
    for name, operation in OPERATIONS.items():

        async def program(engine: Engine, operation: Operation = operation) -> None:
            await operation(engine, *held[engine.party])

        found = [timed(engines, program) for _ in range(repetitions)]
        nanoseconds, traffic = min(seconds for seconds, _ in found) / ENTRIES * 1e9, found[-1][1]
        size = sum(traffic.sent_bytes.values()) / ENTRIES
        print(f"{name:24}{nanoseconds:8.1f}{size:14.1f}{traffic.rounds:8}")


def training(steps: int) -> None:
    """Print what a step costs."""
    print(f"\n{'network':24}{'ms':>8}{'MB in all':>14}{'rounds':>8}")
    images = torch.randint(0, 256, (1 << BATCH_BITS, *IMAGE)) << 8
    labels = one_hot(torch.randint(0, 10, (1 << BATCH_BITS,)), 10)
    for name, make in NETWORKS.items():
        engines, definition = three(), make(IMAGE, 10)
        states = {e.party: (secretly(e, definition), Sgd(0.01, BATCH_BITS)) for e in engines}

        async def program(engine: Engine, states: dict[int, tuple[Network, Sgd]] = states) -> None:
            x = await engine.share(0, images if engine.party == 0 else None, images.shape)
            y = await engine.share(1, labels if engine.party == 1 else None, labels.shape)
            network, optimiser = states[engine.party]
            await step(engine, network, optimiser, x, y)

        found = [timed(engines, program) for _ in range(steps)]
        milliseconds, traffic = min(seconds for seconds, _ in found) * 1e3, found[-1][1]
        size = sum(traffic.sent_bytes.values()) / 1e6
        print(f"{name:24}{milliseconds:8.1f}{size:14.1f}{traffic.rounds:8}")


def quotients() -> None:
    """Round 10^8 quotients at random, and print by how much they are off."""
    engines, drop, most, total = three(), 16, 0, 0
    for _ in range(QUOTIENTS // CHUNK):
        values = torch.randint(-(2**46), 2**46, (CHUNK,))

        async def program(engine: Engine, values: torch.Tensor = values) -> torch.Tensor:
            x = await engine.share(0, values if engine.party == 0 else None, values.shape)
            return await engine.open(await engine.truncate(x, drop))

        found = play({engine.party: program(engine) for engine in engines})[0][0]
        errors = (found << drop) - values
        most, total = max(most, int(errors.abs().max())), total + int(errors.sum())
    deviation = (QUOTIENTS / 6) ** 0.5
    print(
        f"\n{QUOTIENTS:,} quotients by 2^{drop} of numbers within ±2^46: off by at most {most / 2**drop:.5f} "
        f"units,\ntogether by {total / 2**drop:,.0f} where the standard deviation is {deviation:,.0f}"
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=9)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    primitives(3 * steps)
    training(steps)
    quotients()


if __name__ == "__main__":
    main()
