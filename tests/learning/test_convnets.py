import pytest
import torch
from torch import nn

from mdl.errors import ConfigError
from mdl.learning.convnets import Shape, convnet, convnet_relu


@pytest.mark.parametrize("shape", [(64,), (3, 30, 32), (3, 32, 30), (1, 28, 32)])
def test_other_images_are_refused_by_name(shape: Shape) -> None:
    written = "x".join(map(str, shape))
    with pytest.raises(ConfigError, match=f"convnet-relu is for images of 28x28.* these are {written}$"):
        convnet_relu(shape, 10)


def test_images_of_28_are_taken_as_those_of_32_with_zeros_around() -> None:
    torch.manual_seed(1)
    small = convnet((1, 28, 28), 10)
    large = convnet((1, 32, 32), 10)
    large.load_state_dict(small.state_dict())
    images = torch.rand(4, 1, 28, 28)
    torch.testing.assert_close(small(images), large(nn.functional.pad(images, (2, 2, 2, 2))))


def test_squares_are_taken_behind_the_pools() -> None:
    counted: list[int] = []
    network = convnet((3, 32, 32), 10)
    for before, layer in zip([None, *network], network, strict=False):
        if isinstance(before, nn.AvgPool2d):
            layer.register_forward_hook(lambda _layer, _given, found: counted.append(found[0].numel()))
    network(torch.zeros(1, 3, 32, 32))
    assert counted == [1024, 512]
