"""Systems whose workers note what they contribute."""

import numpy as np

from mdl.audit.inversion.noting import Notes, noting
from mdl.systems import FedAvg
from mdl.vectors import Blocks
from tests.audit.inversion.digits import experiment, staged

NOISY = ("system.privacy.type=laplace", "system.privacy.epsilon=1")


def test_without_noise_it_is_the_encoded_gradient() -> None:
    run, system = staged(), experiment().system
    step = run.steps[2, 1]
    gradient = (step.before.astype(np.float64) - step.after) / run.learning_rate
    encoded, _ = system.grid(8).encode(gradient)  # type: ignore[union-attr]
    blocks = Blocks(len(run.start), system.block)  # type: ignore[union-attr]
    assert np.array_equal(run.contributed[2, 1], blocks.split(encoded))


def test_with_noise_the_noise_is_in_it() -> None:
    run, system = staged(*NOISY), experiment(*NOISY).system
    values = run.contributed[2, 1] * 2.0 ** -system.grid(8).fraction_bits  # type: ignore[union-attr]
    contributed = values[values != 0]
    assert 0.8 < contributed.std() < 2.2  # Laplace of scale 1 has 1.41


def test_what_the_system_does_stays_the_same() -> None:
    system = experiment().system
    noted = noting(system, Notes())
    assert noted.model_dump() == system.model_dump()
    assert noting(FedAvg(), Notes()) == FedAvg()
