"""Networks small enough to be asked in secret: few activations, and those cheap on hidden numbers.

================  ==========  ===========================================================================
name              parameters  layers
================  ==========  ===========================================================================
convnet           10,986      convolution 5x5 to 16, stride 2, padded by 2; mean pool 2; convolution 3x3
                              to 32, padded by 1; mean pool 2; 512 - 10; for images of 3x32x32
convnet-relu      10,986      the same with ReLU
digits-quadratic  2,410       64 - 32 - 10, for the digits
================  ==========  ===========================================================================

Activations are `Quadratic`, and come before pooling. Behind it they would be a quarter as many, but then the
network is nearly linear and learns less (benchmarks/results/mutual-float.md). A parabola halves small values,
so weights begin uniform in ±sqrt(6 / inputs), where a window's size counts (K. He et al., Delving deep into
rectifiers, ICCV 2015), biases at zero.
"""

from collections.abc import Callable

import torch
from torch import nn

from mdl.activations import Centred, Quadratic
from mdl.errors import ConfigError

Shape = tuple[int, ...]

_STRIDES = 8
"""What the convolution's stride and the two pools divide a side by."""


def convnet(input_shape: Shape, classes: int) -> nn.Sequential:
    """Two convolutions and one dense layer, quadratic."""
    return _convolutional(input_shape, classes, "convnet", Quadratic)


def convnet_relu(input_shape: Shape, classes: int) -> nn.Sequential:
    """Two convolutions and one dense layer, ReLU."""
    return _convolutional(input_shape, classes, "convnet-relu", nn.ReLU)


def digits_quadratic(input_shape: Shape, classes: int) -> nn.Sequential:
    """One hidden layer of 32, quadratic."""
    size = int(torch.Size(input_shape).numel())
    return _begun(nn.Flatten(), nn.Linear(size, 32), Quadratic(), nn.Linear(32, classes))


def _convolutional(
    input_shape: Shape, classes: int, name: str, activation: Callable[[], nn.Module]
) -> nn.Sequential:
    channels, height, width, padding = _fitted(input_shape, name)
    return _begun(
        Centred(),
        *(nn.Conv2d(channels, 16, 5, stride=2, padding=padding), activation(), nn.AvgPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), activation(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * height * width, classes)),
    )


def _begun(*layers: nn.Module) -> nn.Sequential:
    """Join layers; weights begin as He et al. have it, biases at zero."""
    network = nn.Sequential(*layers)
    for layer in network:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return network


def _fitted(shape: Shape, name: str) -> tuple[int, int, int, int]:
    """Give the channels, the height and width that the dense layer sees, and the first layer's padding.

    Images of 28x28 are padded to 32x32 by the first convolution, with grey as they are centred.

    Raises:
        ConfigError: the images are of other sides.
    """
    if len(shape) == 3:
        margin = 2 if shape[1:] == (28, 28) else 0
        height, width = shape[1] + 2 * margin, shape[2] + 2 * margin
        if height % _STRIDES == width % _STRIDES == 0:
            return shape[0], height // _STRIDES, width // _STRIDES, 2 + margin
    written = "x".join(map(str, shape))
    raise ConfigError(
        [
            f"learning.model: {name} is for images of 28x28, or whose sides are multiples of {_STRIDES}, and "
            f"these are {written}"
        ]
    )
