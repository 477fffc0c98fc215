"""What a worker of ∝MDL contributes of its gradient: encoded, and noisy where noise is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mdl.party import Party
from mdl.privacy.mechanisms import Mechanism
from mdl.protocols.releases import count_contribution
from mdl.schemes.fixed_point import FixedPoint
from mdl.system import Randomness, Task
from mdl.vectors import Blocks, Flags, Floats, Integers


@dataclass(frozen=True)
class Contribution:
    """One epoch's.

    Attributes:
        values: encoded, shape (blocks, size); zeros in what is not contributed, if noise was added.
        facts: for the record: ``saturated``, and with noise ``clipped`` and ``noised``, how many of the
            parameters were released.
    """

    values: Integers
    facts: Mapping[str, int]


@dataclass(frozen=True)
class Encoder:
    """Makes contributions.

    Attributes:
        blocks: how parameters are divided.
        grid: the encoding.
        mechanism: adds noise, or None.
        rng: secret randomness, for the noise.
    """

    blocks: Blocks
    grid: FixedPoint
    mechanism: Mechanism | None
    rng: Randomness

    async def contribution(self, party: Party, gradient: Floats, chosen: Flags) -> Contribution:
        """Encode the gradient, shape (t,), of which the `chosen` blocks are contributed.

        Noise is drawn once for each of them, here. Whatever is sent, be it a second time, is made of what
        this gave: two draws for one value would tell more than one.

        Raises:
            OutOfRange: training has diverged.
        """
        if self.mechanism is None:
            encoded, saturated = self.grid.encode(gradient)
            return Contribution(self.blocks.split(encoded), {"saturated": saturated})
        values = np.zeros((self.blocks.count, self.blocks.size), np.int64)
        rows = self.blocks.split(np.asarray(gradient, np.float64))[chosen]
        noised = await party.to_thread("noise", self.mechanism.release, rows, rng=self.rng)
        values[chosen] = noised.values
        released = int(self.blocks.spread(chosen).sum())
        facts = {"saturated": noised.saturated, "clipped": noised.clipped, "noised": released}
        return Contribution(values, facts)


async def count_release(party: Party, task: Task, epoch: int, contribution: Contribution) -> None:
    """Put a noisy contribution on record, before anything of it is sent; nothing if there is no noise in it.

    The counts, from the beginning of the run's folder, are told as ``noised`` (`mdl.protocols.releases`).
    """
    if released := contribution.facts.get("noised"):
        counts = await party.to_thread("record", count_contribution, task.journal, released)
        party.record("noised", epoch, **counts)
