"""Softmax, and the largest of several numbers."""

from dataclasses import dataclass
from itertools import combinations

import torch

from mdl.mpc.engine import Engine
from mdl.mpc.functions.powers import exponentials
from mdl.mpc.functions.quotients import quotients
from mdl.mpc.functions.words import conjunction
from mdl.mpc.secret import Bits, Secret, stacked_bits


async def largest(engine: Engine, rows: Secret) -> tuple[Secret, Bits]:
    """Find the largest number of each row; the first, if there are several.

    All pairs are compared at once, and a number is the largest if it loses no comparison.

    Args:
        engine: the party's.
        rows: shape (n, c), differences below 2^15.

    Returns:
        The largest, shape (n,), and where it is, one bit of each row, shape (n, c).
    """
    count = rows.shape[1]
    pairs = list(combinations(range(count), 2))
    first, second = (torch.tensor(side) for side in zip(*pairs, strict=True))
    smaller = await engine.negative(rows[:, first] - rows[:, second])
    wins: list[list[Bits]] = [[] for _ in range(count)]
    for index, (one, other) in enumerate(pairs):
        wins[one].append(smaller[:, index] ^ 1)
        wins[other].append(smaller[:, index])
    where = await conjunction(engine, [stacked_bits(row, 1) for row in zip(*wins, strict=True)])
    return (await engine.select(where, rows)).sum(1), where


@dataclass(frozen=True)
class Softmax:
    """Probabilities, and what was found on the way.

    Attributes:
        probabilities: shape (n, c), within 1e-4.
        where: a bit where the row's largest is, same shape.
        top: the largest logit, shape (n,).
        total: the sum of e^(logit - top), in [1, c], shape (n,).
    """

    probabilities: Secret
    where: Bits
    top: Secret
    total: Secret


async def softmax(engine: Engine, logits: Secret) -> Softmax:
    """Give the probabilities of logits, shape (n, c), below 2^12 in absolute value."""
    top, where = await largest(engine, logits)
    below = logits - top.reshape(-1, 1).expand(*logits.shape)
    powers = await exponentials(engine, below)
    total = powers.sum(1)
    found = await quotients(engine, powers, total, logits.shape[1])
    return Softmax(found, where, top, total)
