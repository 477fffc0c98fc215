"""D-MHE with noise: neighbours see it, whatever the mode; as wide as said, and counted before it leaves."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from mdl.budget import Budget
from mdl.config import Experiment, parse
from mdl.party import PartyId
from mdl.privacy.settings import AnyPrivacy, GaussianNoise, LaplaceNoise, NoNoise
from mdl.protocols.graphs import complete
from mdl.protocols.releases import counted
from mdl.simulator import Simulation, simulate
from mdl.system import Training
from mdl.systems.decentralised import Decentralised
from mdl.systems.decentralised import messages as say
from mdl.systems.decentralised.neighbourhoods import Neighbourhood, of_graph, of_group
from mdl.systems.promises import explain_spending
from tests.tiny import TinyLearner

LAPLACE, GAUSSIAN = LaplaceNoise(epsilon=2.0), GaussianNoise(clip=1.0, noise_multiplier=2.0)
SIZE = 20_000


class StillLearner(TinyLearner):
    """Learns nothing: what it contributes is noise alone."""

    def __init__(self, party: PartyId) -> None:
        super().__init__(party, SIZE)

    def train(self, epoch: int) -> Training:
        del epoch
        return Training(self._values.copy(), 0.0, 1)


def run(privacy: AnyPrivacy, epochs: int = 1, **keys: object) -> Simulation:
    played = Decentralised(mode="plain", timeout_seconds=10.0, privacy=privacy)
    found = simulate(played, StillLearner, workers=4, epochs=epochs, **keys)  # type: ignore[arg-type]
    assert not found.errors
    return found


def shown(simulation: Simulation) -> Iterator[NDArray[np.float64]]:
    """What a neighbour reads in each message of the plain mode, less the start."""
    start = StillLearner(1).parameters()
    weight = Decentralised(mode="plain").neighbourhoods(4)[1].weights[2]
    for sent in simulation.transcript:
        if isinstance(sent.message, say.Weighted):
            values = np.frombuffer(sent.message.values, "<i4") / weight * 2.0**-16
            yield values - start[sent.message.first : sent.message.first + len(values)]


@pytest.mark.parametrize("noise", [LAPLACE, GAUSSIAN])
def test_what_neighbours_see_is_as_noisy_as_said(noise: LaplaceNoise | GaussianNoise) -> None:
    steps = np.concatenate(list(shown(run(noise)))) / StillLearner.learning_rate
    assert abs(steps.std() / noise.deviation - 1) < 0.03
    assert abs(steps.mean()) < 4 * noise.deviation / np.sqrt(len(steps))


def test_without_noise_they_see_the_parameters() -> None:
    assert max(np.abs(each).max() for each in shown(run(NoNoise()))) < 2.0**-16


def test_what_a_node_goes_on_from_is_noisy_too() -> None:
    """Else the next epoch's parameters would show this one's gradient."""
    found = run(LAPLACE)
    effective = Decentralised().neighbourhoods(4)[1].effective_size
    for outcome in found.outcomes.values():
        noise = (outcome.parameters - StillLearner(1).parameters()) / StillLearner.learning_rate
        assert abs(noise.std() / (LAPLACE.deviation / np.sqrt(effective)) - 1) < 0.05


def test_every_release_is_counted_before_anything_of_it_is_sent() -> None:
    found = run(GAUSSIAN, epochs=3)
    for node in range(1, 5):
        assert counted(found.journals[node]) == {"contributions": 3, "parameters": 3 * SIZE}
    again = run(GAUSSIAN, epochs=4, resume=2, journals=found.journals)
    # The third epoch is trained again, and its noise is drawn anew: that is a release of its own.
    assert counted(again.journals[1])["contributions"] == 5


def experiment(epsilon: float, **keys: object) -> Experiment:
    tables = {"type": "decentralised", "privacy": {"type": "laplace", "epsilon": epsilon}, **keys}
    learning = {"model": "digits-mlp", "split": "disjoint"}
    return parse({"name": "n", "workers": 8, "epochs": 3, "system": tables, "learning": learning})


def test_what_is_spent_is_told_before_and_after() -> None:
    found = experiment(0.5)
    assert isinstance(found.system, Decentralised)
    said = " ".join(found.system.explain(8, 2410))
    assert "ε = 0.5" in said
    assert "A node's own model has the noise too" in said
    spending = explain_spending(found.system, workers=8, parameters=2410, epochs=3)
    assert spending is not None
    assert "a noise level, not a guarantee" in spending
    budget = Budget(found)
    budget.recorded({"kind": "noised", "party": 2, "epoch": 1, "contributions": 3, "parameters": 7230})
    figures = budget.figures()
    assert figures is not None
    assert figures["noise"]["worker"] == 2
    # Lap(1/ε), of three nodes with nearly the same weights.
    assert figures["noise"]["deviation_of_mean"] == pytest.approx(np.sqrt(2) / 0.5 / np.sqrt(3), rel=1e-3)


def test_the_least_noise_is_that_of_the_largest_average() -> None:
    """Node 1 has two neighbours; 2 and 3 have all, and what is said must hold of their averages too."""
    edges = [[1, 2], [1, 3]] + [[one, other] for one in range(2, 9) for other in range(one + 1, 9)]
    found = experiment(1.0, graph={"type": "edges", "edges": edges})
    assert isinstance(found.system, Decentralised)
    left = {
        node: np.sqrt(2) * np.sqrt(sum(share**2 for share in shares(each)))
        for node, each in found.system.neighbourhoods(8).items()
    }
    assert min(left.values()) < 0.7 * max(left.values())
    budget = Budget(found)
    budget.recorded({"kind": "noised", "party": 2, "epoch": 1, "contributions": 3, "parameters": 7230})
    figures = budget.figures()
    assert figures is not None
    assert figures["noise"]["deviation_of_mean"] == pytest.approx(min(left.values()))
    said = " ".join(found.system.explain(8, 2410))
    assert f"noise of standard deviation {min(left.values()):.3g} at least: of the gradient" in said
    assert "with the node's own noise, which it knows" in said


def shares(of: Neighbourhood) -> list[float]:
    """Of an average: each neighbour's, and the node's own."""
    others = [weight / 256 for weight in of.weights.values()]
    return [*others, 1 - sum(others)]


def test_noise_that_fits_no_grid_is_refused() -> None:
    with pytest.raises(Exception, match=r"system\.privacy"):
        experiment(1e-12)


def test_equal_weights_count_in_full_and_others_less() -> None:
    assert of_group(1, [2, 3, 4])[1].effective_size == pytest.approx(4)
    assert of_graph(complete(range(1, 5)), 8)[1].effective_size == pytest.approx(4)
    ring = Decentralised().neighbourhoods(8)[1]
    assert 2.9 < ring.effective_size <= 3
