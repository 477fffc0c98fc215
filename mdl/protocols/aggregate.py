"""The global model of ∝MDL^d: a start and the sum of all that was opened since, in integers."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.errors import OutOfRange
from mdl.protocols.seats import BlockIds
from mdl.schemes.fixed_point import FixedPoint, outside
from mdl.system import Arrays
from mdl.vectors import Blocks, Floats, Integers

LIMIT: Final = 1 << 62
"""No total may be larger. One sum is below 2^58 (64 members of 2^52), so none reaches 2^63 unnoticed."""


class Aggregate:
    """w^g = start − λ/m · Σ over all opened versions of the sums, exact but for the last step.

    As integers add exactly, the model does not depend on the order in which versions were opened.

    Args:
        start: parameters to begin with, shape (t,).
        blocks: how they are divided.
        fixed_point: the encoding.
        members: m, the size of every active set.
        learning_rate: λ.
    """

    def __init__(
        self, start: Floats, blocks: Blocks, *, fixed_point: FixedPoint, members: int, learning_rate: float
    ) -> None:
        self._start: NDArray[np.float64] = blocks.split(start.astype(np.float64))
        self._blocks, self._fixed_point = blocks, fixed_point
        self._members, self._learning_rate = members, learning_rate
        self._sums = np.zeros((blocks.count, blocks.size), np.int64)
        self.updates = np.zeros(blocks.count, np.int64)

    @property
    def epochs(self) -> int:
        """How many times the blocks were updated on average, rounded down."""
        return int(self.updates.sum()) // self._blocks.count

    def apply(self, blocks: BlockIds, sums: Integers) -> None:
        """Take in the opened sums of one version of some blocks, shape (len(blocks), size).

        Raises:
            OutOfRange: the totals outgrow 64 bits.
        """
        totals = self._sums[blocks] + sums
        if outside(totals, LIMIT):
            raise OutOfRange("the sums of all versions exceed 2^62 steps of the grid: training has diverged")
        self._sums[blocks] = totals
        self.updates[blocks] += 1

    def values(self, blocks: BlockIds) -> NDArray[np.float32]:
        """Give the present values of some blocks, shape (len(blocks), size)."""
        means = self._fixed_point.decode_mean(self._sums[blocks], self._members)
        return (self._start[blocks] - self._learning_rate * means).astype(np.float32)

    def parameters(self) -> NDArray[np.float32]:
        """Give the model, shape (t,)."""
        return self._blocks.join(self.values(np.arange(self._blocks.count)))

    def state(self) -> Arrays:
        """Give what must be kept to go on later."""
        return {"sums": self._sums.copy(), "updates": self.updates.copy()}

    def restore(self, kept: Arrays) -> None:
        """Go on from what `state` gave."""
        self._sums, self.updates = kept["sums"].copy(), kept["updates"].copy()
