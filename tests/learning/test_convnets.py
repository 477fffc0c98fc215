from collections.abc import Callable

import pytest
import torch
from torch import nn

from mdl.activations import Quadratic
from mdl.errors import ConfigError
from mdl.learning.convnets import Shape, convnet, convnet_relu, digits_quadratic


@pytest.mark.parametrize("shape", [(64,), (3, 30, 32), (3, 32, 30), (1, 28, 32)])
def test_other_images_are_refused_by_name(shape: Shape) -> None:
    written = "x".join(map(str, shape))
    with pytest.raises(ConfigError, match=f"convnet-relu is for images of 28x28.* these are {written}$"):
        convnet_relu(shape, 10)


def test_images_of_28_are_taken_as_those_of_32_with_grey_around() -> None:
    torch.manual_seed(1)
    small = convnet((1, 28, 28), 10)
    large = convnet((1, 32, 32), 10)
    large.load_state_dict(small.state_dict())
    images = torch.rand(4, 1, 28, 28)
    torch.testing.assert_close(small(images), large(nn.functional.pad(images, (2, 2, 2, 2), value=0.5)))


def test_as_many_squares_are_taken_as_the_convolutions_give_values() -> None:
    counted: list[int] = []
    network = convnet((3, 32, 32), 10)
    for layer in network:
        if isinstance(layer, Quadratic):
            layer.register_forward_hook(lambda _layer, _given, found: counted.append(found[0].numel()))
    network(torch.zeros(1, 3, 32, 32))
    assert counted == [16 * 16 * 16, 32 * 8 * 8]


@pytest.mark.parametrize("make", [convnet, convnet_relu, digits_quadratic])
def test_weights_begin_as_he_has_it(make: Callable[[Shape, int], nn.Sequential]) -> None:
    for layer in make((3, 32, 32), 10):
        if isinstance(layer, nn.Linear | nn.Conv2d):
            reach = (6 / layer.weight[0].numel()) ** 0.5
            assert 0.9 * reach < float(layer.weight.detach().abs().max()) <= reach
            assert layer.bias is not None
            assert not layer.bias.any()
