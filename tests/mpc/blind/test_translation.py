"""Networks of torch as plans and weights."""

import pytest
import torch
from torch import nn

from mdl.activations import Centred, Quadratic, Square
from mdl.errors import OutOfRange
from mdl.learning.convnets import convnet, convnet_relu, digits_quadratic
from mdl.mpc.blind.plan import Convolution, Dense, Flatten, Sums
from mdl.mpc.blind.plan import Quadratic as QuadraticStage
from mdl.mpc.blind.translation import encoded, plan_of, problems, weights_of


def test_means_before_an_activation_are_part_of_the_convolution_and_those_behind_of_the_next() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 16, 5, 2, 2),
        nn.AvgPool2d(2),
        Quadratic(),
        nn.Conv2d(16, 8, 3),
        Square(),
        nn.AvgPool2d(2, 1),
        nn.Flatten(),
        nn.Linear(200, 10),
    )
    assert plan_of(network) == (
        Convolution(3, 16, 7, 4, 2),
        QuadraticStage(3, 4),
        Convolution(16, 8, 3, 1, 0),
        QuadraticStage(0, 0),
        Sums(2, 1),
        Flatten(),
        Dense(200, 10),
    )
    last = weights_of(network)[-1].weight
    assert torch.equal(last, (network[-1].weight.detach().double() / 4 * 2**14).round().long())  # type: ignore[operator]


@pytest.mark.parametrize(
    ("make", "shape"), [(convnet, (3, 32, 32)), (convnet_relu, (3, 32, 32)), (digits_quadratic, (1, 8, 8))]
)
def test_the_usual_networks_can_be_asked(make: object, shape: tuple[int, ...]) -> None:
    assert callable(make)
    assert not problems(make(shape, 10))


@pytest.mark.parametrize(
    ("network", "what"),
    [
        (nn.Linear(2, 2), "it is a Linear"),
        (nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)), "its layer 1 is a Tanh"),
        (
            nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.GELU()), nn.Linear(2, 2)),
            "its layer 1.0 is a GELU",
        ),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "does not end with a Linear"),
        (nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2)), "its layer 0 is a BatchNorm1d"),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)), "no running averages"),
        (nn.Sequential(nn.Conv2d(1, 1, (2, 3)), nn.Flatten(), nn.Linear(2, 2)), "its layer 0 is not square"),
        (nn.Sequential(nn.Conv2d(2, 2, 3, groups=2)), "has groups"),
        (nn.Sequential(nn.Conv2d(2, 2, 3, padding="same")), "its layer 0"),
        (nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(2, 2)), "ceil_mode"),
        (nn.Sequential(nn.AvgPool2d((2, 1)), nn.Flatten(), nn.Linear(2, 2)), "its layer 0 is not square"),
        (nn.Sequential(nn.AvgPool2d(2), nn.ReLU(), nn.Linear(2, 2)), "without weights between"),
        (nn.Sequential(nn.Linear(2, 2), nn.AvgPool2d(2)), "what is no image"),
        (nn.Sequential(nn.Linear(2, 2), Centred(), nn.Linear(2, 2)), "its layer 1 is a Centred"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(network: nn.Module, what: str) -> None:
    (found,) = problems(network)
    assert what in found


def test_weights_and_pixels_that_are_too_large_are_refused() -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    network[0].weight.data[0, 0] = 200.0  # type: ignore[operator]
    with pytest.raises(OutOfRange, match="weight"):
        weights_of(network)
    network[0].weight.data[0, 0] = torch.nan  # type: ignore[operator]
    with pytest.raises(OutOfRange, match="weight"):
        weights_of(network)
    with pytest.raises(OutOfRange, match="pixel"):
        encoded(torch.tensor([torch.inf]))
