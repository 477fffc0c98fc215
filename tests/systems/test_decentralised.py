"""D-MHE: encrypted averages are the plain ones, bit for bit; a node sees sums; bytes are as counted."""

from functools import partial
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mdl.config import parse
from mdl.errors import ConfigError, PeerLeft, PeerTimeout
from mdl.party import PartyId
from mdl.simulator import Network, Simulation, simulate
from mdl.systems.decentralised import Decentralised
from mdl.systems.decentralised import messages as say
from mdl.vectors import Floats, fingerprint
from tests.tiny import TinyLearner, tiny

GRAPHS: list[dict[str, Any]] = [
    {"type": "ring"},
    {"type": "complete"},
    {"type": "random", "probability": 0.6, "seed": 3},
    {"type": "edges", "edges": [[1, 2], [2, 3], [1, 3], [3, 4], [4, 5], [3, 5]]},
]


def system(mode: Literal["bfv", "plain"] = "bfv", **keys: Any) -> Decentralised:
    return Decentralised(mode=mode, **{"timeout_seconds": 10.0, **keys})


def of(graph: dict[str, Any]) -> Any:
    """Read a graph as an experiment file has it."""
    tables = {"name": "g", "workers": 5, "epochs": 1, "system": {"type": "decentralised", "graph": graph}}
    found = parse({**tables, "learning": {"model": "digits-mlp"}}).system
    assert isinstance(found, Decentralised)
    return found.graph


def hashes(simulation: Simulation) -> list[str]:
    assert not simulation.errors
    return [fingerprint(outcome.parameters) for _, outcome in sorted(simulation.outcomes.items())]


@pytest.mark.parametrize("graph", GRAPHS)
def test_encrypted_averages_are_the_plain_ones_which_are_right(graph: dict[str, Any]) -> None:
    runs = [simulate(system(mode, graph=of(graph)), tiny(), workers=5, epochs=6) for mode in ("bfv", "plain")]
    assert hashes(runs[0]) == hashes(runs[1])
    played = system(graph=of(graph))
    rows, encoding = played.topology(5).weights(8), played.encoding
    learners = {node: TinyLearner(node) for node in range(1, 6)}
    for epoch in range(1, 7):
        values = {
            node: encoding.encode(learner.train(epoch).parameters)[0] for node, learner in learners.items()
        }
        for node, learner in learners.items():
            total = sum(weight * values[other] for other, weight in rows[node].items())
            learner.load((np.asarray(total) * 2.0**-24).astype(np.float32))
    expected = [fingerprint(learners[node].parameters()) for node in range(1, 6)]
    assert hashes(runs[0]) == expected


def test_a_hundred_steps_encrypted_are_a_hundred_plain_ones() -> None:
    runs = [simulate(system(mode), tiny(40), workers=4, epochs=100) for mode in ("bfv", "plain")]
    assert hashes(runs[0]) == hashes(runs[1])


class Standing(TinyLearner):
    """Does not train: what is left is averaging."""

    def __init__(self, party: PartyId, size: int = 50) -> None:
        super().__init__(party, size)
        self._values = np.random.default_rng(party).normal(0, 1, size).astype(np.float32)

    def train(self, epoch: int) -> Any:
        del epoch
        before = self.parameters()
        training = super().train(1)
        self.load(before)
        return type(training)(before, 0.0, 1)


def spread(values: dict[PartyId, Floats]) -> float:
    mean = np.mean(list(values.values()), axis=0)
    return float(max(np.linalg.norm(each - mean) / np.linalg.norm(mean) for each in values.values()))


def test_averaging_leads_to_consensus_the_faster_the_better_they_are_connected() -> None:
    left, means = [], []
    for graph in ({"type": "ring"}, {"type": "complete"}):
        found = simulate(
            system("plain", graph=of(graph), weight_bits=12), partial(Standing, size=50), workers=8, epochs=12
        )
        models = {party: outcome.parameters for party, outcome in found.outcomes.items()}
        left.append(spread(models))
        means.append(np.mean(list(models.values()), axis=0))
    assert left[1] < 1e-2 < left[0] < 0.2
    start = np.mean([Standing(party).parameters() for party in range(1, 9)], axis=0)
    for mean in means:
        np.testing.assert_allclose(mean, start, atol=12 * 2.0**-16)


@settings(deadline=None, max_examples=15)
@given(schedule=st.integers(0, 2**32), jitter=st.sampled_from([0.0, 0.3, 3.0]))
def test_whatever_comes_first_the_weights_are_the_same(schedule: int, jitter: float) -> None:
    network = Network(latency_seconds=0.05, jitter_seconds=jitter)
    delays = {party: [float(party % 3)] for party in range(1, 6)}
    found = simulate(
        system(timeout_seconds=100.0),
        tiny(),
        workers=5,
        epochs=3,
        schedule=schedule,
        network=network,
        delays=delays.__getitem__,
    )
    assert hashes(found) == hashes(simulate(system("plain"), tiny(), workers=5, epochs=3))


@pytest.mark.parametrize(("graph", "degree"), [(GRAPHS[0], 2), (GRAPHS[1], 4)])
def test_bytes_are_two_ciphertexts_a_neighbour(graph: dict[str, Any], degree: int) -> None:
    epochs, parameters = 3, 9000  # three blocks
    found = simulate(system(graph=of(graph)), tiny(parameters), workers=5, epochs=epochs)
    for node in range(1, 6):
        step = [
            sent.size_bytes
            for sent in found.transcript
            if sent.sender == node and isinstance(sent.message, say.Weighted | say.Summed | say.Opening)
        ]
        expected = 2 * degree * 3 * 98_304 * epochs
        assert expected <= sum(step) <= 1.02 * expected


def test_of_a_ring_bytes_grow_with_the_nodes() -> None:
    sizes = [
        sum(sent.size_bytes for sent in simulate(system(), tiny(), workers=n).transcript) for n in (4, 8, 16)
    ]
    assert sizes[1] / sizes[0] == pytest.approx(2, rel=1e-3)
    assert sizes[2] / sizes[0] == pytest.approx(4, rel=1e-3)


def test_what_a_node_sends_looks_like_random_numbers() -> None:
    found = simulate(system(), tiny(8192), workers=3)
    for kind in (say.Weighted, say.Summed, say.Opening, say.PublicShare, say.CollectiveKey):
        # Of what goes to all alike, one copy.
        to_one = [sent for sent in found.transcript if sent.receiver == sent.sender % 3 + 1]
        data = b"".join(sent.message.values for sent in to_one if isinstance(sent.message, kind))
        counts = np.bincount(np.frombuffer(data, "<u4") >> 26, minlength=64)
        assert stats.chisquare(counts).pvalue > 1e-4, kind


def test_a_node_that_is_lost_ends_the_run_and_is_named() -> None:
    found = simulate(
        system(), tiny(), workers=5, epochs=5, leave={3: 0.5}, network=Network(latency_seconds=0.1)
    )
    for neighbour in (2, 4):
        error = found.errors[neighbour]
        assert isinstance(error, PeerLeft)
        assert 3 in error.culprits
    assert set(found.errors) >= {1, 2, 4, 5}


def test_a_node_that_is_silent_is_named() -> None:
    found = simulate(
        system(), tiny(), workers=4, epochs=2, delays=lambda party: [99.0 if party == 2 else 0.0]
    )
    assert isinstance(found.errors[1], PeerTimeout)
    assert list(found.errors[1].culprits) == [2]


@pytest.mark.parametrize("mode", ["bfv", "plain"])
def test_a_resumed_run_ends_like_an_uninterrupted_one(mode: Literal["bfv", "plain"]) -> None:
    whole = simulate(system(mode), tiny(), workers=4, epochs=5)
    first = simulate(system(mode), tiny(), workers=4, epochs=3)
    rest = simulate(system(mode), tiny(), workers=4, epochs=5, resume=2, journals=first.journals)
    assert hashes(whole) == hashes(rest)


@pytest.mark.parametrize(
    ("keys", "workers", "problem"),
    [
        ({}, 2, "a graph needs 3 to 64"),
        ({"graph": {"type": "edges", "edges": [[1, 2], [3, 4], [4, 5], [3, 5]]}}, 5, "not connected"),
        ({"graph": {"type": "edges", "edges": [[1, 2], [2, 3], [1, 3], [3, 4]]}}, 4, "workers [4] have one"),
        ({"graph": {"type": "edges", "edges": [[1, 2], [2, 9]]}}, 3, "2-9 is no edge"),
        ({"graph": {"type": "complete"}, "weight_bits": 2}, 8, "is zero"),
        ({"graph": {"type": "random", "probability": 0.01}}, 30, "take a larger one"),
    ],
)
def test_what_cannot_be_is_said(keys: dict[str, Any], workers: int, problem: str) -> None:
    tables = {"name": "g", "workers": workers, "epochs": 1, "system": {"type": "decentralised", **keys}}
    with pytest.raises(ConfigError) as caught:
        parse({**tables, "learning": {"model": "digits-mlp"}})
    assert problem in str(caught.value)


def test_there_is_nobody_to_stop_all() -> None:
    tables = {"name": "g", "workers": 4, "epochs": 1, "system": {"type": "decentralised"}}
    with pytest.raises(ConfigError, match="nobody can end the run for all"):
        parse({**tables, "learning": {"model": "digits-mlp"}, "stop": {"patience": 2}})


@pytest.mark.parametrize("mode", ["bfv", "plain"])
def test_what_a_run_will_do_is_said(mode: Literal["bfv", "plain"]) -> None:
    said = " ".join(system(mode).explain(8, 100_000))
    assert ("Nothing is hidden" in said) == (mode == "plain")
    assert "8 links, 2 neighbours" in said
