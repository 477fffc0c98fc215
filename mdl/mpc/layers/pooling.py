"""Pooling: of each window its largest number, or its mean."""

from functools import partial
from typing import Final

import torch
from torch import Tensor

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import constant
from mdl.mpc.layers.layer import Unweighted
from mdl.mpc.layers.window import Window
from mdl.mpc.secret import Bits, Secret, combined, stacked

_SHARE_BITS: Final = 22


class MaxPool(Unweighted):
    """The largest number in each window: a tree of comparisons, whose outcomes lead the gradient back.

    Of several equal ones the first counts, row by row, as in torch.
    """

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window

    async def forward(self, engine: Engine, x: Secret, *, training: bool) -> Secret:
        """See `Layer`."""
        del training
        self._shape = x.shape
        self._outcomes: list[Bits] = []
        count = self._window.size**2
        left = [x.map(partial(self._seen, index=index)) for index in range(count)]
        while len(left) > 1:
            half = len(left) // 2
            pairs = stacked(left[: 2 * half])
            one, other = pairs[0::2], pairs[1::2]
            by = one - other
            ahead = await engine.negative(by) ^ 1
            self._outcomes.append(ahead)
            won = other + await engine.select(ahead, by)
            left = [*(won[index] for index in range(half)), *left[2 * half :]]
        return left[0]

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        left = [gradient]
        for ahead in reversed(self._outcomes):
            half = ahead.shape[0]
            rest = left[half:]
            both = stacked(left[:half])
            one = await engine.select(ahead, both)
            other = both - one
            left = [part for index in range(half) for part in (one[index], other[index])] + rest
        return combined(left, lambda parts: self._window.gathered(parts, self._shape))

    def _seen(self, images: Tensor, index: int) -> Tensor:
        return self._window.seen(images)[index]


class AvgPool(Unweighted):
    """The mean of each window."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window

    async def forward(self, engine: Engine, x: Secret, *, training: bool) -> Secret:
        """See `Layer`."""
        del training
        self._shape = x.shape
        total = x.map(self._summed)
        return await self._shared(engine, total)

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        share, count = await self._shared(engine, gradient), self._window.size**2
        return share.map(lambda part: self._window.gathered([part] * count, self._shape))

    def _summed(self, images: Tensor) -> Tensor:
        return torch.stack(self._window.seen(images)).sum(0)

    async def _shared(self, engine: Engine, total: Secret) -> Secret:
        """Divide by the window's places."""
        share = constant(1 / self._window.size**2, _SHARE_BITS)
        return await engine.truncate(total * share, _SHARE_BITS)
