"""Which blocks a worker contributes to: R_i of Algorithm 3, line 3 [∝MDL, §IV-B c].

Selection is experiment randomness: it follows from the experiment's seed, the epoch and (where each draws
for itself) the worker.
"""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdl.party import PartyId
from mdl.vectors import Flags

Selection: TypeAlias = Literal["balanced", "random", "magnitude"]
Share: TypeAlias = Literal["minimum"] | float

# Domain separation: what is drawn for one purpose says nothing about what is drawn for another.
_BALANCED, _RANDOM = 1, 2


def threshold_of(visibility: float, workers: int) -> int:
    """Give m = ⌈ρn⌉, taking ρn for an integer where only rounding keeps it from being one [∝MDL, §III-C]."""
    return max(1, math.ceil(visibility * workers - 1e-9))


def minimum_share(threshold: int, blocks: int, workers: int) -> int:
    """k* = ⌈m·t/n⌉: how many blocks each worker must take for every block to get m [∝MDL, §IV-C a]."""
    return -(-threshold * blocks // workers)


def contributors(share: Share, threshold: int, workers: int) -> int:
    """How many workers balanced selection gives a block: m for the minimum share, else ⌈share·n⌉."""
    return threshold if share == "minimum" else max(threshold, math.ceil(share * workers - 1e-9))


def balanced(seed: int, epoch: int, *, present: Sequence[PartyId], blocks: int, each: int) -> Flags:
    """Give every block `each` of the workers present, and every worker its fair part of the blocks.

    Everybody who knows the seed computes the same assignment: it is public. A block's set is a uniform draw
    among all sets of this size, and the numbers of blocks of two workers differ by at most one: the workers
    are shuffled and dealt round and round, `each` to a block, until the deal comes out even; then shuffled
    anew.

    Returns:
        Shape (blocks, len(present)): whether a worker takes part in a block.
    """
    count = len(present)
    each = min(each, count)
    rng = np.random.default_rng([_BALANCED, seed, epoch])
    deal = count // math.gcd(count, each)  # blocks until everybody has been dealt equally often
    shuffles = rng.permuted(np.tile(np.arange(count, dtype=np.uint8), (-(-blocks // deal), 1)), axis=1)
    dealt = shuffles[:, np.arange(deal * each) % count].reshape(-1, each)[:blocks]
    flags = np.zeros((blocks, count), np.bool_)
    flags[np.arange(blocks)[:, None], dealt] = True
    return flags


def random(seed: int, epoch: int, *, worker: PartyId, blocks: int, take: int) -> Flags:
    """Draw `take` of the blocks without replacement, for one worker alone: shape (blocks,)."""
    rng = np.random.default_rng([_RANDOM, seed, epoch, worker])
    flags = np.zeros(blocks, np.bool_)
    flags[rng.choice(blocks, take, replace=False)] = True
    return flags


def drawn(seed: int, epoch: int, *, worker: PartyId, among: Flags, take: int) -> Flags:
    """Draw `take` of the blocks that `among` allows, or all of them if they are fewer: shape (blocks,)."""
    candidates = np.flatnonzero(among)
    rng = np.random.default_rng([_RANDOM, seed, epoch, worker])
    flags = np.zeros(len(among), np.bool_)
    flags[rng.choice(candidates, min(take, len(candidates)), replace=False)] = True
    return flags


def largest(magnitudes: NDArray[np.float64], *, among: Flags, take: int) -> Flags:
    """Take the `take` allowed blocks of greatest magnitude [Shokri, Shmatikov, CCS 2015]: shape (blocks,).

    Which blocks a worker takes then tells everybody who sees its uploads where its gradient is large.
    """
    order = np.argsort(np.where(among, -magnitudes, np.inf), kind="stable")
    flags = np.zeros(len(among), np.bool_)
    flags[order[: min(take, int(among.sum()))]] = True
    return flags


def missing_probability(share: float, *, threshold: int, workers: int) -> float:
    """Chance that a block finds fewer than m workers by random selection: P[Bin(n, k/t) ≤ m−1]."""
    return sum(math.comb(workers, i) * share**i * (1 - share) ** (workers - i) for i in range(threshold))


def missing_bound(share: float, *, threshold: int, workers: int) -> float:
    """The paper's bound on it, C(n, n−m+1)·(1−k/t)^(n−m+1), clamped to 1 [∝MDL, §IV-C a]."""
    absent = workers - threshold + 1
    return min(1.0, math.comb(workers, absent) * (1 - share) ** absent)
