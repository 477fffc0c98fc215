"""What a worker of ∝MDL contributes of its gradient: encoded, and noisy where noise is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from mdl.party import Party
from mdl.privacy.mechanisms import Mechanism
from mdl.schemes.fixed_point import FixedPoint
from mdl.system import Journal, Randomness, Task
from mdl.vectors import Blocks, Flags, Floats, Integers

_NOISED: Final = "noised"
"""The record of noisy releases; one for all of a party's life in a run's folder, so filed under epoch 0."""


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

    So the counts hold every release that somebody may have seen: also those of epochs that a resumed run
    trains again, and of a party that dies before its epoch ends. They are told as ``noised``, from the
    beginning of the run's folder: ``contributions``, and ``parameters`` that were released in them.
    """
    if released := contribution.facts.get("noised"):
        contributions, parameters = await party.to_thread("record", _count, task.journal, released)
        party.record(_NOISED, epoch, contributions=contributions, parameters=parameters)


def _count(journal: Journal, parameters: int) -> tuple[int, int]:
    """Add a release to those on record; give how many there were and their parameters, this one included."""
    kept = journal.read(_NOISED, 0)
    counts = (kept["counts"] if kept else np.zeros(2, np.int64)) + (1, parameters)
    journal.write(_NOISED, 0, {"counts": counts})
    return int(counts[0]), int(counts[1])
