"""Networks and their training steps: as autograd has them, and the same for three parties as for one."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from mdl.learning.alexnets import alexnet, alexnet_falcon
from mdl.mpc.networks import problems
from tests.mpc.parties import plainly, replicated
from tests.mpc.trained import (
    Batch,
    averaging,
    batches_of,
    convolutional,
    dense,
    in_floats,
    normalising,
    padded,
    pooling_ties,
    training,
)

Make = Callable[[], tuple[nn.Sequential, list[Batch]]]
NETWORKS: list[Make] = [dense, convolutional, padded, pooling_ties, averaging, normalising]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


@pytest.mark.parametrize("make", NETWORKS)
def test_steps_are_those_of_autograd(make: Make) -> None:
    network, batches = make()
    expected = in_floats(network, batches, 0.1)
    torch.testing.assert_close(plainly(training(network, batches, 0.1)), expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("make", NETWORKS)
def test_rounded_to_the_nearest_three_parties_train_as_one_does(make: Make) -> None:
    program = training(*make(), 0.1)
    found, _ = replicated(program, "nearest")
    assert torch.equal(found, plainly(program))


@pytest.mark.parametrize("make", NETWORKS)
def test_rounded_at_random_they_train_nearly_so(make: Make) -> None:
    network, batches = make()
    found, _ = replicated(training(network, batches, 0.1))
    torch.testing.assert_close(found, in_floats(network, batches, 0.1), rtol=0, atol=5e-4)


class Twice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (nn.Tanh(), "layer 1 is a Tanh"),
        (Twice(), "layer 1 is a Twice"),
        (nn.Sequential(nn.Identity(), nn.GELU()), "layer 1.1 is a GELU"),
        (nn.Dropout(0.3), "layer 1 is a Dropout, and its p is not 1/2"),
        (nn.Dropout(0.0), "layer 1 is a Dropout"),
        (nn.BatchNorm2d(3, affine=False), "layer 1 is a BatchNorm2d, and has no parameters of its own"),
        (nn.BatchNorm1d(3, momentum=None), "momentum is None"),
        (nn.BatchNorm1d(3, track_running_stats=False), "no running averages"),
        (nn.AvgPool2d((2, 3)), "not square"),
        (nn.AvgPool2d(2, padding=1), "layer 1 is a AvgPool2d, and padding"),
        (nn.MaxPool2d(3, ceil_mode=True), "layer 1 is a MaxPool2d, and padding, dilation, ceil_mode"),
        (nn.Conv2d(1, 2, 3, padding="same"), "its padding is a word"),
        (nn.Flatten(2), "layer 1 is a Flatten, and flattens other axes"),
        (nn.Conv2d(1, 2, 3, groups=1, dilation=2), "layer 1 is a Conv2d"),
        (nn.Conv2d(1, 2, (3, 5)), "not square"),
        (nn.MaxPool2d(3, padding=1), "layer 1 is a MaxPool2d"),
        (nn.Linear(3, 4, bias=False), "without bias"),
    ],
)
def test_what_is_not_computed_in_secret_is_named(layer: nn.Module, said: str) -> None:
    (found,) = problems(nn.Sequential(nn.Flatten(), layer), (3,))
    assert said in found


def test_what_is_no_sequence_of_layers_is_named() -> None:
    assert problems(Twice(), (3,)) == [
        "learning.model: it is a Twice, and what is trained in secret is a Sequential"
    ]


@pytest.mark.parametrize("make", NETWORKS)
def test_what_is_computed_in_secret_is_not(make: Make) -> None:
    network, batches = make()
    assert problems(network, batches[0][0].shape[1:]) == []


def test_a_layer_that_stands_twice_is_computed_twice() -> None:
    _, batches = dense()
    relu, size = nn.ReLU(), batches[0][0][0].numel()
    network = nn.Sequential(nn.Flatten(), nn.Linear(size, 5), relu, nn.Linear(5, 6), relu, nn.Linear(6, 10))
    expected = in_floats(network, batches, 0.1)
    torch.testing.assert_close(plainly(training(network, batches, 0.1)), expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize(("model", "within"), [(alexnet, 0.02), (alexnet_falcon, 0.1)])
def test_a_step_of_an_alexnet_is_that_of_autograd(model: Callable[..., nn.Sequential], within: float) -> None:
    """Falcon's has values so small that some cross zero by rounding, as it has no normalisation."""
    network = model((3, 32, 32), 10)
    batches = batches_of(3, 32, 32, count=1)
    start = parameters_to_vector(network.parameters()).detach()
    moved = in_floats(network, batches, 1.0) - start
    found = plainly(training(network, batches, 1.0)) - start
    assert float((found - moved).norm() / moved.norm()) < within
