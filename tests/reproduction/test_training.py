"""What an epoch of the paper's networks takes, and that they are the paper's."""

import pytest

from mdl.learning.models import build
from mdl.learning.settings import LearningSettings
from mdl.reproduction.training import CNN_SVHN, MLP_MNIST, NETWORKS, Network, measure_training


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_the_networks_have_the_papers_parameters(network: Network) -> None:
    model = build(LearningSettings(model=network.model), network.shape, 10, seed=1)
    assert sum(parameter.numel() for parameter in model.parameters()) == network.parameters


def test_an_epoch_is_sixty_percent_of_the_training_set() -> None:
    assert MLP_MNIST.paper_images == 0.6 * 60_000
    assert CNN_SVHN.paper_images == round(0.6 * 73_257)


@pytest.mark.slow
def test_an_epoch_is_scaled_from_a_few_steps() -> None:
    """An MLP's epoch of 36,000 images: at least a fiftieth, at most a thousand times a millisecond an image."""
    seconds = measure_training(MLP_MNIST, runs=2)
    assert 0.02 < seconds < 36
