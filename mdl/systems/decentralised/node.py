"""A node of D-MHE: it trains, averages with its neighbours, and goes on from there."""

import numpy as np

from mdl.party import Party
from mdl.protocols.local import Keeper, train_from
from mdl.schemes.randomness import SystemRandomness
from mdl.system import Learner, Outcome, Randomness, Task
from mdl.systems.decentralised.exchange import EncryptedExchange, Exchange, Neighbourhood, PlainExchange
from mdl.systems.decentralised.settings import DecentralisedSettings
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
        graph = system.topology(task.workers)
        neighbours = graph.neighbours(party.id)
        hood = Neighbourhood(party, neighbours, graph.weights(system.weight_bits), system.timeout_seconds)
        degrees = graph.degrees
        schemes = {each: system.scheme(degrees[each]) for each in (party.id, *neighbours)}
        self._exchange: Exchange = (
            PlainExchange(hood)
            if system.mode == "plain"
            else EncryptedExchange(hood, schemes, parameters=len(self._local), run=task.run, rng=rng)
        )

    async def run(self) -> Outcome:
        """Take part from the first epoch to the last; see `mdl.system.System.run`."""
        self._local = await self._keeper.restored(self._local)
        await self._exchange.prepare()
        for epoch in range(self._task.resume + 1, self._task.epochs + 1):
            trained = await train_from(self._party, self._learner, self._local, self._task, epoch)
            self._local = await self._averaged(epoch, trained)
            await self._keeper.epoch_done(epoch, self._local)
        await self._keeper.finish(self._task.epochs, self._local)
        return Outcome(self._task.epochs, "all epochs done", self._local)

    async def _averaged(self, epoch: int, trained: Floats) -> Floats:
        """Give Σ_j W_ij v_j, exact but for the grid."""
        values, saturated = self._system.encoding.encode(trained)
        total = await self._exchange.sum(epoch, values)
        count = len(trained)
        self._party.record("updated", epoch, updated=count, missed=0, saturated=saturated)
        scale = 2.0 ** -(self._system.fraction_bits + self._system.weight_bits)
        return (total * scale).astype(np.float32)
