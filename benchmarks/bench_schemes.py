"""Microseconds a parameter for each step of threshold ElGamal: CPU time of one core, best of some runs.

python benchmarks/bench_schemes.py --parameters 300 --members 4
"""

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from mdl.schemes.elgamal import ElGamal
from mdl.schemes.encodings import EncodingName
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.plain import Plain
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.threshold import Context, ThresholdEncryption

R = TypeVar("R")

GRID = FixedPoint(range=16, fraction_bits=12)

CASES: list[tuple[str, EncodingName]] = [
    ("schnorr2048", "lifted"),
    ("schnorr3072", "lifted"),
    ("insecure256", "exponential"),
    ("ffdhe2048", "exponential"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", type=int, default=300)
    parser.add_argument("--members", type=int, default=4, help="and openers")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"{'':26}{'encrypt':>9}{'share':>9}{'add':>9}{'combine':>9}   us a parameter")
    for group, encoding in CASES:
        scheme = ElGamal(group, encoding, 1, options.members, GRID, options.members)
        # Full-size exponents take milliseconds each.
        parameters = options.parameters // (10 if group.startswith("ffdhe") else 1)
        report(f"{encoding} {group}", scheme, parameters, options.members, options.runs)
    plain = Plain(block=1, bound=GRID.bound(options.members), members_limit=options.members)
    report("plain", plain, 140_106, options.members, options.runs)


def report(name: str, scheme: ThresholdEncryption, parameters: int, members: int, runs: int) -> None:
    """Time the steps of one exchange, check its sum, and print a line."""
    rng, parties = SystemRandomness(), tuple(range(1, members + 1))
    context = Context(b"bench", 1, range(parameters), members=parties, openers=parties)
    key, key_shares = scheme.deal(parties, rng=rng)
    entries = np.random.default_rng(0).integers(-GRID.limit, GRID.limit + 1, (members, parameters, 1))
    sent = [scheme.encrypt(key, key_shares[1], plaintext, context, rng=rng) for plaintext in entries]
    hints, bodies = [c.hint for c in sent], [c.body for c in sent]
    body = scheme.add(bodies, context)
    shares = {o: scheme.decryption_share(key_shares[o], hints, context, rng=rng) for o in parties}
    assert (scheme.combine(body, shares, context) == entries.sum(axis=0)).all()
    seconds = (
        best(runs, lambda: scheme.encrypt(key, key_shares[1], entries[0], context, rng=rng)),
        best(runs, lambda: scheme.decryption_share(key_shares[1], hints, context, rng=rng)),
        best(runs, lambda: scheme.add(bodies, context)),
        best(runs, lambda: scheme.combine(body, shares, context)),
    )
    print(f"{name:26}" + "".join(f"{1e6 * spent / parameters:9.3f}" for spent in seconds))


def best(runs: int, step: Callable[[], R]) -> float:
    """Give the least CPU seconds of a few runs. Tables are built by then."""
    spent = []
    for _ in range(runs):
        start = time.process_time()
        step()
        spent.append(time.process_time() - start)
    return min(spent)


if __name__ == "__main__":
    main()
