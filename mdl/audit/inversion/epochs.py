"""An epoch of ∝MDL, as far as the manager learns of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdl.audit.inversion.stage import Staged
from mdl.audit.inversion.sums import Hiding, Sums, opened_sums
from mdl.party import PartyId
from mdl.protocols import sets as active
from mdl.schemes.fixed_point import FixedPoint
from mdl.systems import coordinated, dynamic
from mdl.vectors import Blocks, Flags


@dataclass(frozen=True, eq=False)
class Epoch:
    """What is known to all roles of one epoch of ∝MDL (of `dynamic`: of the first version of each block).

    Attributes:
        staged: the run.
        system: its system.
        number: of the epoch.
        before: the global model it began with, shape (t,).
        blocks: how parameters are divided.
        sums: what the manager opened.
    """

    staged: Staged
    system: Hiding
    number: int
    before: NDArray[np.float64]
    blocks: Blocks
    sums: Sums

    @property
    def grid(self) -> FixedPoint:
        """How gradients are encoded."""
        return self.system.grid(self.staged.workers)

    @property
    def opened(self) -> Flags:
        """Where a sum was opened, shape (t,)."""
        return self.blocks.spread(self.sums.sets != 0)

    @property
    def members(self) -> NDArray[np.int64]:
        """How many gradients are in each parameter's sum, at least 1, shape (t,)."""
        return np.repeat(self._sizes, self.blocks.size)[: self.blocks.parameters]

    @property
    def _sizes(self) -> NDArray[np.int64]:
        return np.maximum(active.sizes(self.sums.sets).astype(np.int64), 1)

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean of the gradients in each parameter's sum, shape (t,)."""
        return self.blocks.join(self.grid.decode_mean(self.sums.values, self._sizes[:, None]))

    def held_by(self, workers: Sequence[PartyId]) -> NDArray[np.float64]:
        """Add up these workers' contributions to each parameter's sum, as they know them, shape (t,)."""
        total = np.zeros(self.blocks.parameters)
        for worker in workers:
            inside = self.blocks.spread(active.contains(self.sums.sets, worker))
            total += np.where(inside, self.encoded(worker), 0.0)
        return total

    def encoded(self, worker: PartyId) -> NDArray[np.float64]:
        """Give what a worker contributed, with the noise that it added, shape (t,)."""
        entries = self.staged.contributed[worker, self.number]
        return self.blocks.join(self.grid.decode_mean(entries, 1))


def epochs_of(staged: Staged, count: int) -> Iterator[Epoch]:
    """Open what the manager opens, epoch by epoch; only the first of `dynamic`, where workers drift apart."""
    system = staged.system
    assert isinstance(system, coordinated.Coordinated | dynamic.Dynamic)
    blocks = Blocks(len(staged.start), system.block)
    before = staged.start.astype(np.float64)
    for number in range(1, 2 if system.own_pace else count + 1):
        sums = opened_sums(system, staged.transcript, workers=staged.workers, blocks=blocks, epoch=number)
        epoch = Epoch(staged, system, number, before, blocks, sums)
        yield epoch
        before = before - np.where(epoch.opened, staged.learning_rate * epoch.mean, 0.0)
