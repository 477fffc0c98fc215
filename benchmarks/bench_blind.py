"""What blind predictions cost, and how often they are those of the network in the clear.

    python benchmarks/bench_blind.py configs/smule.toml [--questions 4000] [--epochs 5]

Worker 2 trains its network alone for some epochs, in the clear. Then worker 1 asks it about its images, in
this process: with a dealer, and with randomness of the two themselves. Seconds are of CPU, of the two
parties, sealing and sending left out; the dealer's are told apart. `MDL_DATA` names the folder of the data.
"""

import argparse
import os
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mdl.config import load
from mdl.mpc.blind import encrypted
from mdl.mpc.blind.both_ways import Own, Question, asked, brought
from mdl.mpc.blind.plan import steps
from mdl.mpc.blind.setup import dealt
from mdl.mpc.blind.translation import plan_of
from mdl.mpc.rounds import play
from mdl.rehearsal import cast
from mdl.schemes.randomness import SystemRandomness

AGREEING = 1000
"""Images whose best classes are compared."""


class Timed:
    """A protocol whose steps are timed."""

    def __init__(self, protocol: Coroutine[Any, Any, Any]) -> None:
        self._protocol = protocol
        self.seconds = 0.0

    def send(self, value: Any) -> Any:
        begin = time.process_time()
        try:
            return self._protocol.send(value)
        finally:
            self.seconds += time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--questions", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    experiment, _ = load(options.file, options.changes)
    place = os.environ.get("MDL_DATA")
    learners: Any = cast(experiment, Path(place) if place else None)
    for epoch in range(1, options.epochs + 1):
        learners[2].train(epoch)
    network = learners[2].network.eval()
    print(f"{experiment.name}: a network that is right on {learners[2].evaluate().accuracy:.3f}\n")
    images, _ = learners[1].numbered(np.arange(options.questions))
    with torch.inference_mode():
        clear = network(torch.from_numpy(images)).numpy()
    print(
        "| randomness | questions | CPU s, the two | dealer | bytes each, offline | online | off by | same |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for randomness in ("dealer", "encryption"):
        print(f"| {randomness} | {' | '.join(measured(randomness, network, images, clear))} |", flush=True)


def measured(randomness: str, network: Any, images: Any, clear: Any) -> list[str]:
    """Ask about all images at once."""
    rng, parties = SystemRandomness(), range(3 if randomness == "dealer" else 2)
    begun = dealt if randomness == "dealer" else encrypted.begun
    sources, _ = play({party: begun(party, rng) for party in parties})
    shape = images.shape[1:]
    question = Question(0, len(images), shape, steps(plan_of(network), shape), "scores")
    own = brought(network, images, None)
    owns = [Own(images=own.images), Own(weights=own.weights), Own()]
    timed = {party: Timed(asked(party, sources[party], [question], owns[party])) for party in parties}
    programs: Any = timed
    found, traffic = play(programs)
    scores = found[0][0].numpy()
    same = (scores.argmax(1) == clear.argmax(1))[:AGREEING].mean()
    sizes = [phase.sent_bytes / len(images) for phase in traffic.phases.values()]
    return [
        str(len(images)),
        f"{timed[0].seconds + timed[1].seconds:.1f}",
        f"{timed[2].seconds:.1f}" if 2 in timed else "–",
        *(f"{size:,.0f}" for size in sizes),
        f"{np.abs(scores - clear).max() * 4096:.1f} · 2^-12",
        f"{same:.4f}",
    ]


if __name__ == "__main__":
    main()
