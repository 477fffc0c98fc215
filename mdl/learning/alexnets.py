"""The two variants of AlexNet on which secure training is compared on CIFAR-10 [KS22], for images of 32x32.

===============  ==========  ============================================================================
name             parameters  layers
===============  ==========  ============================================================================
alexnet-falcon   3,881,354   convolution 11x11 to 96, stride 4, padded by 9; pool 3, stride 2;
                             5x5 to 256, padded by 1; pool 2, stride 1; 3x3 to 384, 384 and 256, padded
                             by 1; 256 - 256 - 256 - 10
alexnet          399,306     convolution 3x3 to 64, padded by 2; pool 2; 3x3 to 96, padded by 2; pool 2;
                             3x3 to 96, 64 and 64, padded by 1; pool 3, stride 2; 1024 - 128 - 256 - 10
===============  ==========  ============================================================================

Pooling takes maxima and comes before ReLU. Weights begin as those of the networks A to D. The first is
Falcon's (S. Wagh et al., PETS 2021) without its batch normalisation, so that its values are small; the second
is without dropout.

[KS22] M. Keller, K. Sun, Secure quantized training for deep learning, ICML 2022.
"""

from torch import nn

from mdl.errors import ConfigError
from mdl.learning.networks_a_to_d import Shape, glorot


def alexnet_falcon(input_shape: Shape, classes: int) -> nn.Sequential:
    """Of Falcon: wide, and pooled to a single place early."""
    channels = _channels(input_shape, "alexnet-falcon")
    return glorot(
        *(nn.Conv2d(channels, 96, 11, stride=4, padding=9), nn.MaxPool2d(3, 2), nn.ReLU()),
        *(nn.Conv2d(96, 256, 5, padding=1), nn.MaxPool2d(2, 1), nn.ReLU()),
        *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(256, 256), nn.ReLU()),
        *(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, classes)),
    )


def alexnet(input_shape: Shape, classes: int) -> nn.Sequential:
    """With small windows, for small images."""
    channels = _channels(input_shape, "alexnet")
    return glorot(
        *(nn.Conv2d(channels, 64, 3, padding=2), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(64, 96, 3, padding=2), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(96, 96, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(96, 64, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(64, 64, 3, padding=1), nn.MaxPool2d(3, 2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1024, 128), nn.ReLU()),
        *(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, classes)),
    )


def _channels(shape: Shape, name: str) -> int:
    """Give the number of channels.

    Raises:
        ConfigError: the images are not of 32x32.
    """
    if len(shape) == 3 and shape[1:] == (32, 32):
        return shape[0]
    written = "x".join(map(str, shape))
    raise ConfigError([f"learning.model: {name} is for images of 32x32, and these are {written}"])
