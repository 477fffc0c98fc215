"""Operations that every engine must do as one would in the clear, and what to try them on."""

import torch
from torch import Tensor

from mdl.mpc.engine import Engine, multiply
from mdl.mpc.secret import Secret

EDGES = torch.tensor([0, 1, -1, 2**31 - 1, -(2**31), 2**16, -(2**16), 65535, -65537])
LONG = 10_001
"""Of no size that anything is cut into evenly."""


def compared(count: int, seed: int = 0) -> Tensor:
    """Values that can be compared, the extreme ones first.

    If there is a seed they are below 2^29, so that products with any others are below 2^61.
    """
    generator = torch.Generator().manual_seed(seed)
    values = torch.cat([EDGES, torch.randint(-(2**31), 2**31, (count,), generator=generator)])[:count]
    return values >> 2 if seed else values


async def product(engine: Engine, one: Secret, two: Secret) -> Secret:
    return await engine.product(multiply, one, two)


async def scaled(engine: Engine, one: Secret, two: Secret) -> Secret:
    return await engine.scaled_product(multiply, one, two, 16, plus=one)


async def truncated(engine: Engine, one: Secret, two: Secret) -> Secret:
    return await engine.truncate(one, 16) + await engine.truncate(two, 29)


async def negative(engine: Engine, one: Secret, two: Secret) -> Secret:
    del two
    return await engine.integers(await engine.negative(one))


async def selected(engine: Engine, one: Secret, two: Secret) -> Secret:
    bit = await engine.negative(one)
    return (
        await engine.select(bit, two) * 3 + await engine.select(bit, one) + await engine.select(bit ^ 1, two)
    )


async def digits(engine: Engine, one: Secret, two: Secret) -> Secret:
    words = await engine.bits(one + two * 0)
    total = one * 0
    for place in (0, 1, 15, 16, 30, 31):
        total += await engine.integers(words.digit(place)) << place
    return total


async def both(engine: Engine, one: Secret, two: Secret) -> Secret:
    return await engine.integers(
        await engine.conjunction(await engine.negative(one), await engine.negative(two))
    )


OPERATIONS = [product, scaled, truncated, negative, selected, digits, both]
