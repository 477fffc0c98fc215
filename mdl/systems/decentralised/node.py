"""A node of D-MHE: it trains, averages with its neighbours, and goes on from there."""

from collections.abc import Mapping

import msgspec
import numpy as np

from mdl.errors import MdlError
from mdl.party import Party
from mdl.protocols.contribution import count_release
from mdl.protocols.local import Keeper, train_from
from mdl.schemes.key_agreement import Identity
from mdl.schemes.randomness import SystemRandomness
from mdl.system import Learner, Outcome, Randomness, Task
from mdl.systems.decentralised.exchange import Exchange
from mdl.systems.decentralised.making import Encrypted, Making, Place, Plain
from mdl.systems.decentralised.neighbours import Neighbours
from mdl.systems.decentralised.opened import OpenedSets
from mdl.systems.decentralised.settings import PLAINTEXT_BITS, DecentralisedSettings
from mdl.vectors import Floats


class Node:
    """Party i. Its keys and noise come from `rng`."""

    def __init__(
        self,
        system: DecentralisedSettings,
        party: Party,
        learner: Learner,
        task: Task,
        *,
        rng: Randomness = SystemRandomness(),
    ) -> None:
        self._system, self._party, self._learner, self._task = system, party, learner, task
        self._keeper = Keeper(party, learner, task)
        self._local = learner.parameters()
        self._encoder = system.encoder(len(self._local), rng=rng)
        self._exchange = Exchange(self._place(), self._making(rng), group=system.in_group)

    def _place(self) -> Place:
        me, all_of_them = self._party.id, self._system.neighbourhoods(self._task.workers)
        own = all_of_them.get(me)
        others = {node: other for node, other in all_of_them.items() if me in other.weights}
        neighbours = Neighbours(
            self._party,
            sorted({*others, *(own.neighbours if own else ())}),
            timeout_seconds=self._system.timeout_seconds,
            longest_seconds=self._task.workers * self._system.timeout_seconds,
            needed=self._system.threshold if own else None,
        )
        return Place(neighbours, own, others)

    def _making(self, rng: Randomness) -> Making:
        if self._system.mode == "plain":
            return Plain()
        credentials = self._task.credentials
        return Encrypted(
            plaintext_bits=PLAINTEXT_BITS,
            parameters=len(self._local),
            run=self._task.run,
            threshold=self._system.threshold,
            identity=msgspec.msgpack.decode(credentials, type=Identity) if credentials else None,
            journal=self._task.journal,
            rng=rng,
        )

    async def run(self) -> Outcome:
        """Take part from the first epoch to the last; see `mdl.system.System.run`.

        Raises:
            MdlError: this node was lost to the run before, or the run must not be resumed.
        """
        await self._check_may_begin()
        self._local = await self._keeper.restored(self._local)
        async with self._exchange.under_way():
            await self._epochs()
        await self._keeper.finish(self._task.epochs, self._local)
        return Outcome(self._task.epochs, "all epochs done", self._local)

    async def _check_may_begin(self) -> None:
        """Refuse to open an epoch a second time over other nodes' parameters than the first time."""
        if self._task.rejoin:
            raise MdlError("the run goes on without whoever it has lost: its neighbours opened its secrets")
        own = self._system.neighbourhoods(self._task.workers).get(self._party.id)
        if own is not None:
            check = OpenedSets(self._task.journal, own.neighbours).check_may_resume
            await self._party.to_thread("record", check, self._task.resume, self._task.epochs)

    async def _epochs(self) -> None:
        for epoch in range(self._task.resume + 1, self._task.epochs + 1):
            trained = await train_from(self._party, self._learner, self._local, self._task, epoch)
            offered, facts = await self._noisy(epoch, trained)
            self._local = await self._averaged(epoch, offered, facts)
            await self._keeper.epoch_done(epoch, self._local)

    async def _noisy(self, epoch: int, trained: Floats) -> tuple[Floats, Mapping[str, int]]:
        """Give the parameters that are averaged, and facts for the record.

        Noise is added to the gradient of the epoch, as in ∝MDL, and the step is taken anew: what the node
        keeps is noisy too, as its next epoch's parameters go to its neighbours.
        """
        if self._encoder is None:
            return trained, {}
        start, rate = self._local.astype(np.float64), self._learner.learning_rate
        gradient = (start - trained) / rate
        contribution = await self._encoder.contribution(self._party, gradient, np.ones(1, np.bool_))
        await count_release(self._party, self._task, epoch, contribution)
        noisy = self._encoder.grid.decode_mean(self._encoder.blocks.join(contribution.values), 1)
        return (start - rate * noisy).astype(np.float32), contribution.facts

    async def _averaged(self, epoch: int, offered: Floats, facts: Mapping[str, int]) -> Floats:
        """Give Σ_j W_ij v_j, exact but for the grid."""
        values, saturated = self._system.encoding.encode(offered)
        found = await self._exchange.sum(epoch, values)
        count = len(offered)
        both = {**facts, "saturated": saturated + facts.get("saturated", 0)}
        self._party.record("updated", epoch, updated=count, missed=0, **both)
        return (found.values / (found.weight << self._system.fraction_bits)).astype(np.float32)
