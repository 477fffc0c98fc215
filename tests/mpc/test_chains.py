"""What is computed layer by layer is torch's network, or is refused by name."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from mdl.mpc.blind import translation
from mdl.mpc.chains import layers, oddities
from mdl.mpc.networks import problems


class Negated(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return -found


class Made(nn.Sequential):
    """Its layers are its own, and nothing else is."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


class Doubled(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def hooked() -> nn.Sequential:
    network = Made()
    network[0].register_forward_hook(lambda _module, _inputs, output: -output)
    return network


ODD: list[tuple[Callable[[], nn.Sequential], str]] = [
    (lambda: Negated(nn.Linear(3, 2)), "it is a Negated with a forward of its own"),
    (
        lambda: nn.Sequential(Negated(nn.Linear(3, 3)), nn.Linear(3, 2)),
        "its layer 0 is a Negated with a forward of its own",
    ),
    (lambda: nn.Sequential(Doubled(3, 2)), "its layer 0 is a Doubled, which need not compute what a Linear"),
    (
        lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(3, 2))),
        "its layer 0 is a ParametrizedLinear, which need not compute what a Linear",
    ),
    (hooked, "its layer 0 is a Linear with hooks"),
]


@pytest.mark.parametrize(("make", "said"), ODD)
def test_what_a_network_does_besides_its_layers_is_refused_by_name(
    make: Callable[[], nn.Sequential], said: str
) -> None:
    network = make()
    assert said in next(oddities(network))
    assert f"learning.model: {said}" in problems(network, (3,))[0]
    (found,) = translation.problems(network)
    assert said in found


def test_a_class_that_only_makes_its_layers_is_none_other() -> None:
    assert list(oddities(Made())) == []
    assert problems(Made(), (3,)) == []
    assert translation.problems(Made()) == []


def test_layers_come_in_order_and_one_that_stands_twice_comes_twice() -> None:
    relu, inner = nn.ReLU(), nn.Sequential(nn.Linear(4, 4), nn.Identity())
    network = nn.Sequential(nn.Linear(3, 4), relu, inner, relu, nn.Linear(4, 2))
    found = list(layers(network))
    assert [name for name, _ in found] == ["0", "1", "2.0", "2.1", "3", "4"]
    images = torch.randn(5, 3)
    values = images
    for _, layer in found:
        values = layer(values)
    torch.testing.assert_close(values, network(images))


def test_a_frozen_parameter_and_one_that_is_two_are_refused_by_name() -> None:
    network, again = Made(), nn.Linear(3, 3)
    network[0].bias.requires_grad_(False)
    assert problems(network, (3,)) == [
        "learning.model: its parameter 0.bias is frozen (requires_grad is False), "
        "and all are trained in secret"
    ]
    assert [problem.split(" and each")[0] for problem in problems(nn.Sequential(again, again), (3,))] == [
        "learning.model: its parameters 0.weight and 1.weight are one,",
        "learning.model: its parameters 0.bias and 1.bias are one,",
    ]


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3)])
def test_a_dense_layer_of_what_is_not_flat_is_refused(shape: tuple[int, ...]) -> None:
    (found,) = problems(nn.Sequential(nn.Linear(3, 2), nn.Flatten(), nn.Linear(2 * 4, 2)), shape)
    assert "its layer 0 is a Linear, and takes vectors: a Flatten is missing before it" in found
