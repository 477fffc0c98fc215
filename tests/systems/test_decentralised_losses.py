"""D-MHE with a threshold: neighbourhoods go on without those they lose, and sums stay right to the bit."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, combinations
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import MdlError, PeerLeft, TooFewWorkers
from mdl.party import PartyId
from mdl.simulator import Network, Simulation, simulate
from mdl.systems.decentralised import Decentralised
from mdl.systems.decentralised import messages as say
from mdl.systems.decentralised.topology import AnyGraph, CompleteSettings, EdgesSettings, GroupSettings
from mdl.vectors import Floats
from tests.systems.comings import Trainings, Watched, seconds_each

Mode = Literal["bfv", "plain"]

EPOCHS = 4
SET_UP_SECONDS = 1.0
"""When all keys are made: seven messages one after the other, with the latency below."""
NETWORK = Network(latency_seconds=0.05, jitter_seconds=0.05)

WHEEL = [*([1, other] for other in range(2, 7)), [2, 3], [3, 4], [4, 5], [5, 6], [2, 6]]
"""A hub and a ring around it: neighbourhoods of six and of four."""


@dataclass
class Played:
    """A run with losses, and what its nodes trained."""

    system: Decentralised
    workers: int
    found: Simulation
    trainings: Trainings = field(repr=False)

    def included(self, node: PartyId, epoch: int) -> list[set[PartyId]]:
        """Those of whom a node's parameters after an epoch can be the sum."""
        after = self.after(node, epoch)
        neighbours = self.system.neighbourhoods(self.workers)[self.sums_for(node)].neighbours
        there = [other for other in neighbours if (other, epoch) in self.trainings]
        return [set(some) for some in subsets(there) if np.array_equal(self.summed(node, epoch, some), after)]

    def sums_for(self, node: PartyId) -> PartyId:
        return 1 if isinstance(self.system.graph, GroupSettings) else node

    def after(self, node: PartyId, epoch: int) -> Floats:
        if epoch == EPOCHS:
            return self.found.outcomes[node].parameters
        return self.trainings[node, epoch + 1][0]

    def summed(self, node: PartyId, epoch: int, others: Collection[PartyId]) -> Floats:
        """In integers: the node's weight takes the place of those that are missing."""
        centre, encoding = self.sums_for(node), self.system.encoding
        group = isinstance(self.system.graph, GroupSettings)
        row = dict.fromkeys(others, 1) if group else self.system.topology(self.workers).weights(8)[centre]
        weights = {other: row[other] for other in others}
        weights[centre] = 1 if group else 256 - sum(weights.values())
        total = np.zeros(7, np.int64)
        for other, weight in weights.items():
            total += weight * encoding.encode(self.trainings[other, epoch][1])[0]
        return (total / (sum(weights.values()) << 16)).astype(np.float32)


def subsets(of: Collection[PartyId]) -> Iterator[tuple[PartyId, ...]]:
    return chain.from_iterable(combinations(of, count) for count in range(len(of) + 1))


def play(
    graph: AnyGraph,
    leave: Mapping[PartyId, float],
    *,
    threshold: int = 3,
    workers: int = 5,
    mode: Mode = "bfv",
    schedule: int = 0,
    **more: Any,
) -> Played:
    system = Decentralised(graph=graph, mode=mode, threshold=threshold, timeout_seconds=20.0)
    trainings: Trainings = {}
    found = simulate(
        system,
        partial(Watched, trainings=trainings),
        **{
            "workers": workers,
            "epochs": EPOCHS,
            "leave": leave,
            "schedule": schedule,
            "network": NETWORK,
            "delays": seconds_each,
            **more,
        },
    )
    return Played(system, workers, found, trainings)


def assert_right(played: Played, left: Collection[PartyId]) -> None:
    """Whoever stays comes to the end, each epoch with the sum of all who stay and perhaps of some who left."""
    stayed = set(range(1, played.workers + 1)) - set(left)
    assert not played.found.errors
    assert set(played.found.outcomes) == stayed
    for node in stayed:
        for epoch in range(1, EPOCHS + 1):
            centre = played.sums_for(node)
            neighbours = set(played.system.neighbourhoods(played.workers)[centre].neighbours)
            found = played.included(node, epoch)
            assert len(found) == 1, (node, epoch)
            assert found[0] >= neighbours - set(left)


moments = st.floats(SET_UP_SECONDS, SET_UP_SECONDS + EPOCHS * 1.5)


@settings(deadline=None, max_examples=25)
@given(
    losses=st.dictionaries(st.integers(1, 5), moments, max_size=2),
    schedule=st.integers(0, 2**32),
    mode=st.sampled_from(["bfv", "plain"]),
)
def test_in_a_complete_graph_any_two_of_five_may_be_lost(
    losses: dict[PartyId, float], schedule: int, mode: Mode
) -> None:
    played = play(CompleteSettings(), losses, schedule=schedule, mode=mode)
    assert_right(played, played.found.outcomes.keys() ^ set(range(1, 6)))


@settings(deadline=None, max_examples=25)
@given(
    losses=st.dictionaries(st.integers(2, 5), moments, max_size=2),
    schedule=st.integers(0, 2**32),
    mode=st.sampled_from(["bfv", "plain"]),
)
def test_in_a_group_any_two_but_the_first_may_be_lost(
    losses: dict[PartyId, float], schedule: int, mode: Mode
) -> None:
    played = play(GroupSettings(), losses, schedule=schedule, mode=mode)
    assert_right(played, played.found.outcomes.keys() ^ set(range(1, 6)))
