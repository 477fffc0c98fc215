"""D-MHE against the same averaging in floating point: what its grid costs."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from mdl.config import load
from mdl.party import PartyId
from mdl.rehearsal import cast
from mdl.simulator import simulate
from mdl.system import Learner
from mdl.systems.decentralised import Decentralised
from mdl.vectors import Floats
from tests.tiny import TinyLearner

CONFIGS = Path(__file__).parents[2] / "configs"


def averaged_in_floats(
    learners: Mapping[PartyId, Learner], weights: Mapping[PartyId, Mapping[PartyId, int]], epochs: int
) -> dict[PartyId, Floats]:
    """D-PSGD in double precision, with the same weights."""
    for epoch in range(1, epochs + 1):
        trained = {node: learner.train(epoch).parameters for node, learner in learners.items()}
        for node, learner in learners.items():
            row = weights[node]
            total = sum(weight * trained[other].astype(np.float64) for other, weight in row.items())
            learner.load((np.asarray(total) / sum(row.values())).astype(np.float32))
    return {node: learner.parameters() for node, learner in learners.items()}


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_parameters_differ_by_half_a_step_of_the_grid_an_epoch_at_most(bits: int) -> None:
    """These learners draw together what is apart, so that errors add up and do not grow."""
    system, epochs = Decentralised(mode="plain", fraction_bits=bits), 40
    found = simulate(system, TinyLearner, workers=8, epochs=epochs)
    learners = {node: TinyLearner(node) for node in range(1, 9)}
    expected = averaged_in_floats(learners, system.topology(8).weights(system.weight_bits), epochs)
    # Besides, a float32 near 1 is a multiple of 2^-24 or so.
    allowed = epochs * (2.0 ** -(bits + 1) + 2.0**-23)
    for node, parameters in expected.items():
        assert np.abs(found.outcomes[node].parameters - parameters).max() <= allowed


@pytest.mark.slow
def test_models_of_digits_are_as_good_within_a_third_of_a_point() -> None:
    experiment, _ = load(CONFIGS / "dmhe-ring.toml", ["system.mode=plain", "epochs=12"])
    system, nodes = experiment.system, experiment.workers
    assert isinstance(system, Decentralised)
    found = simulate(
        system, cast(experiment, None).__getitem__, workers=nodes, epochs=12, seed=experiment.seed
    )
    learners = cast(experiment, None)
    expected = averaged_in_floats(learners, system.topology(nodes).weights(system.weight_bits), 12)

    def accuracy(models: Mapping[PartyId, Floats]) -> float:
        def of(node: PartyId, parameters: Floats) -> float:
            learners[node].load(parameters)
            return learners[node].evaluate().accuracy

        return float(np.mean([of(node, parameters) for node, parameters in models.items()]))

    fixed = accuracy({node: outcome.parameters for node, outcome in found.outcomes.items()})
    assert abs(fixed - accuracy(expected)) <= 0.003
    assert fixed > 0.9
