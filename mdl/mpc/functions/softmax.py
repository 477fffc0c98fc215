"""Softmax, and the largest of several numbers."""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from mdl.mpc.engine import Engine
from mdl.mpc.functions.powers import SUMMAND_BITS, binary_exponents, powers_of_two_and_totals
from mdl.mpc.functions.quotients import quotients
from mdl.mpc.functions.words import conjunction
from mdl.mpc.rounds import together
from mdl.mpc.secret import Bits, Secret


async def largest(engine: Engine, rows: Secret) -> Bits:
    """Find where the largest number of each row is; the first, if there are several.

    All pairs are compared at once, and a number is the largest if it loses no comparison.

    Args:
        engine: the party's.
        rows: shape (n, c), differences below 2^15.

    Returns:
        One bit of each row, shape (n, c).
    """
    columns = rows.map(torch.t)
    first, second = _pairs(rows.shape[1])
    smaller = await engine.negative(columns[first] - columns[second])
    pair, turned = _contests(rows.shape[1])
    return (await conjunction(engine, smaller[pair] ^ turned)).map(torch.t)


async def taken(engine: Engine, where: Bits, rows: Secret) -> Secret:
    """Give of each row, shape (n, c), the number where its one bit is, shape (n,)."""
    return (await engine.select(where, rows)).sum(1)


@cache
def _pairs(count: int) -> tuple[Tensor, Tensor]:
    """Give all pairs of so many numbers: the first ones, the second ones."""
    first, second = torch.combinations(torch.arange(count)).unbind(1)
    return first, second


@cache
def _contests(count: int) -> tuple[Tensor, Tensor]:
    """Give for each of so many numbers the pairs that it is in, and whether it is the first of the two.

    Returns:
        Shapes (count - 1, count) and (count - 1, count, 1); the latter uint8.
    """
    pairs = torch.stack(_pairs(count), 1)
    of_each = [(pairs == number).any(1).nonzero().flatten() for number in range(count)]
    places = torch.stack(of_each, 1)
    return places, (pairs[places, 0] == torch.arange(count)).to(torch.uint8).unsqueeze(2)


@dataclass(frozen=True)
class Softmax:
    """Probabilities, and what was found on the way.

    Attributes:
        probabilities: shape (n, c), within 1e-4 for up to ten classes; what is 2^18 times smaller than the
            largest counts as zero.
        where: a bit where the row's largest is, same shape.
        total: the sum of e^(logit - largest logit), in [1, c], shape (n,).
    """

    probabilities: Secret
    where: Bits
    total: Secret


async def softmax(engine: Engine, logits: Secret) -> Softmax:
    """Give the probabilities of logits, shape (n, c), below 2^12 in absolute value."""
    where, exponents = await together(largest(engine, logits), binary_exponents(engine, logits))
    # Each was rounded for itself: another one may be a unit above that of the largest logit, and 2^y above 1.
    top = (await taken(engine, where, exponents)).reshape(-1, 1)
    powers, total = await powers_of_two_and_totals(engine, exponents - top.expand(*logits.shape))
    classes = logits.shape[1]
    found = await quotients(engine, powers, total, classes, above_bits=SUMMAND_BITS)
    return Softmax(found, where, total)
