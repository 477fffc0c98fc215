"""What an epoch of the paper's networks takes, and that they are the paper's."""

from collections.abc import Callable

import pytest

from mdl.learning.models import build
from mdl.learning.settings import LearningSettings
from mdl.reproduction.training import CNN_SVHN, MLP_MNIST, NETWORKS, Network, measure_training
from mdl.system import Training


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_the_networks_have_the_papers_parameters(network: Network) -> None:
    model = build(LearningSettings(model=network.model), network.shape, 10, seed=1)
    assert sum(parameter.numel() for parameter in model.parameters()) == network.parameters


def test_an_epoch_is_sixty_percent_of_the_training_set() -> None:
    assert MLP_MNIST.paper_images == 0.6 * 60_000
    assert CNN_SVHN.paper_images == round(0.6 * 73_257)


def test_an_epoch_is_scaled_from_a_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four steps of 128 images are timed; half a second for them is 35.2 s for 36,000."""
    taken = iter([9.0, 0.5, 0.4])

    def timed(step: Callable[[], Training]) -> tuple[Training, float]:
        training = step()
        assert training.examples == 4 * 128
        return training, next(taken)

    monkeypatch.setattr("mdl.reproduction.training.timed", timed)
    assert measure_training(MLP_MNIST, runs=3) == pytest.approx(0.5 / (4 * 128) * 36_000)
