"""D-MHE in one group: one sum for all, as in a complete graph, for bytes that grow with the nodes alone."""

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.party import PartyId
from mdl.simulator import Network, Simulation, simulate
from mdl.systems.decentralised import Decentralised
from mdl.systems.decentralised import messages as say
from mdl.systems.decentralised.topology import CompleteSettings, GroupSettings
from mdl.vectors import fingerprint
from tests.tiny import TinyLearner, tiny

Mode = Literal["bfv", "plain"]

CIPHERTEXT_BYTES = 98_304


def system(mode: Mode = "bfv", **keys: Any) -> Decentralised:
    return Decentralised(**{"graph": GroupSettings(), "mode": mode, "timeout_seconds": 20.0, **keys})


def hashes(found: Simulation) -> set[str]:
    assert not found.errors
    return {fingerprint(outcome.parameters) for outcome in found.outcomes.values()}


def sent(found: Simulation, party: PartyId | None = None) -> int:
    """Bytes of what is sent in epochs, by one or by all."""
    kinds = say.Weighted | say.Summed | say.Opening | say.Total
    return sum(
        each.size_bytes
        for each in found.transcript
        if isinstance(each.message, kinds) and party in (None, each.sender)
    )


@settings(deadline=None, max_examples=10)
@given(workers=st.integers(3, 7), schedule=st.integers(0, 2**32), jitter=st.sampled_from([0.0, 1.0]))
def test_all_have_the_same_model_and_it_is_that_of_the_plain_mode(
    workers: int, schedule: int, jitter: float
) -> None:
    network = Network(latency_seconds=0.05, jitter_seconds=jitter)
    hidden = simulate(system(), tiny(), workers=workers, epochs=3, schedule=schedule, network=network)
    assert hashes(hidden) == hashes(simulate(system("plain"), tiny(), workers=workers, epochs=3))
    assert len(hashes(hidden)) == 1


def test_the_model_is_the_mean_in_integers() -> None:
    found, encoding = simulate(system(), tiny(), workers=5, epochs=1), system().encoding
    trained = [encoding.encode(TinyLearner(node).train(1).parameters)[0] for node in range(1, 6)]
    expected = (np.sum(trained, axis=0) / (5 << 16)).astype(np.float32)
    np.testing.assert_array_equal(found.outcomes[3].parameters, expected)


def test_a_group_is_a_complete_graph_but_for_the_rounding_of_its_weights() -> None:
    runs = [
        simulate(Decentralised(graph=graph, mode="plain", weight_bits=12), tiny(), workers=6, epochs=5)
        for graph in (GroupSettings(), CompleteSettings())
    ]
    one, other = (run.outcomes[2].parameters for run in runs)
    # Models are within ±2, and what a weight of 1/6 lacks its node's own has too much.
    np.testing.assert_allclose(one, other, atol=5 * 2 * 5 * 2.0**-12)


@pytest.mark.parametrize("threshold", [None, 4])
def test_bytes_are_as_counted(threshold: int | None) -> None:
    epochs, parameters, workers = 2, 9000, 5  # three blocks
    played = system(threshold=threshold)
    found = simulate(played, tiny(parameters), workers=workers, epochs=epochs)
    half, total = 3 * CIPHERTEXT_BYTES // 2, 4 * (parameters + 1)
    for node in range(1, workers + 1):
        expected = epochs * ((workers - 1) * (half + total) if node == 1 else 3 * half)
        assert expected <= sent(found, node) <= 1.02 * expected
    said = " ".join(played.explain(workers, parameters))
    assert f"{(workers - 1) * (half + total) / 1e6:.1f} MB sent by node 1" in said
    assert f"{3 * half / 1e6:.1f} MB by each other" in said


def test_bytes_in_all_grow_with_the_nodes() -> None:
    nodes = np.array([4, 8, 16, 32])
    parameters = 4096
    bytes_sent = [sent(simulate(system(), tiny(parameters), workers=int(n))) for n in nodes]
    expected = (nodes - 1) * (2 * CIPHERTEXT_BYTES + 4 * (parameters + 1))
    assert (expected <= bytes_sent).all()
    assert (bytes_sent <= 1.02 * expected).all()
    assert np.corrcoef(nodes, bytes_sent)[0, 1] ** 2 > 0.999


def test_who_collects_is_shown_nothing_but_ciphertexts_and_others_nothing_but_sums() -> None:
    played = system(threshold=3)
    found = simulate(played, tiny(), workers=4, epochs=2)
    for each in found.transcript:
        assert type(each.message) in played.receives(each.receiver)
        assert 1 in (each.sender, each.receiver)
    assert say.Total not in played.receives(1)
    assert not {say.Weighted, say.Opening, say.PublicShare} & set(played.receives(2))
