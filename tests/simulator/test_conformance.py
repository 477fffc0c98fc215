"""The simulated party keeps the contract of `Party`, whatever the jitter."""

import asyncio
import random
from collections.abc import Mapping

import pytest

from mdl.party import Party, PartyId
from mdl.simulator.loop import VirtualLoop
from mdl.simulator.network import Network, Wire
from mdl.simulator.party import SimulatedParty, no_charge
from mdl.transport.codec import Codec
from tests.conformance.party import KINDS, SCENARIOS, WORKERS, Scenario, title, until_peers


def _simulated(party: PartyId) -> SimulatedParty:
    return SimulatedParty(party, Codec(KINDS), charge=no_charge, transcript=[], on_record=lambda _fact: None)


class SimulatedStage:
    """A star of simulated parties."""

    def __init__(self, schedule: int) -> None:
        self._rng = random.Random(schedule)
        self._network = Network(latency_seconds=0.001, bandwidth_bytes_per_second=1e9, jitter_seconds=0.001)
        self._parties = {party: _simulated(party) for party in range(WORKERS + 1)}
        for worker in range(1, WORKERS + 1):
            self._link(worker)

    def _link(self, worker: PartyId) -> None:
        self._parties[0].link(self._parties[worker], Wire(self._network, self._rng))
        self._parties[worker].link(self._parties[0], Wire(self._network, self._rng))

    @property
    def parties(self) -> Mapping[PartyId, Party]:
        return self._parties

    async def leave(self, party: PartyId) -> None:
        self._parties[party].hang_up()

    async def return_(self, worker: PartyId) -> None:
        await until_peers(self._parties[0], [peer for peer in self._parties[0].peers if peer != worker])
        self._parties[worker] = _simulated(worker)
        self._link(worker)


@pytest.mark.parametrize("schedule", range(10))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=title)
def test_simulated_parties_keep_the_contract(scenario: Scenario, schedule: int) -> None:
    async def play() -> None:
        await scenario(SimulatedStage(schedule))

    loop = VirtualLoop(None)  # a scenario counts on the order in which it starts its tasks
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(play())
        hanging = asyncio.all_tasks(loop)
        for task in hanging:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*hanging, return_exceptions=True))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
