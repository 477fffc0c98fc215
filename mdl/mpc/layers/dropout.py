"""Dropout."""

import torch

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import FRACTION_BITS, constant
from mdl.mpc.functions import conjunction
from mdl.mpc.layers.layer import Unweighted
from mdl.mpc.secret import Secret


class Dropout(Unweighted):
    """In training each number is dropped with probability 2^-j, and kept ones grow by 1 / (1 - 2^-j).

    A number is dropped, that is zero, where j coins that nobody knows all are one.

    Args:
        coins: j.
    """

    def __init__(self, coins: int) -> None:
        super().__init__()
        self._coins = coins

    async def forward(self, engine: Engine, x: Secret, *, training: bool) -> Secret:
        """See `Layer`."""
        if not training:
            return x
        coins = await engine.random_bits(torch.Size([self._coins, *x.shape]))
        self._kept = await conjunction(engine, coins) ^ 1
        return await self._selected(engine, x)

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        return await self._selected(engine, gradient)

    async def _selected(self, engine: Engine, secret: Secret) -> Secret:
        kept = await engine.select(self._kept, secret)
        if self._coins == 1:
            return kept * 2
        return await engine.truncate(kept * constant(1 / (1 - 2.0**-self._coins)), FRACTION_BITS)
