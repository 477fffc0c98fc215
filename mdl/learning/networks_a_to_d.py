"""The networks on which secure training is compared: A to D of Keller and Sun [KS22], for images of 28x28.

====  ==========  =======================================================================  ===============
name  parameters  layers                                                                   from
====  ==========  =======================================================================  ===============
A     118,282     784 - 128 - 128 - 10                                                     SecureML
B     33,542      convolution to 16, pool 2; convolution to 16, pool 2; 256 - 100 - 10     MiniONN
C     431,080     convolution to 20, pool 2; convolution to 50, pool 2; 800 - 500 - 10     LeNet, SecureNN
D     99,240      convolution to 5, stride 2, padded by 2; 980 - 100 - 10                  Chameleon
====  ==========  =======================================================================  ===============

Convolutions are 5x5, pooling takes maxima and comes before ReLU (the same function, fewer comparisons).
Weights begin uniform in ±sqrt(6 / (inputs + outputs)), where a window's size counts (Glorot and Bengio,
AISTATS 2010), biases at zero.

[KS22] M. Keller, K. Sun, Secure quantized training for deep learning, ICML 2022.
"""

from torch import nn

from mdl.errors import ConfigError

Shape = tuple[int, ...]


def network_a(input_shape: Shape, classes: int) -> nn.Module:
    """Two hidden layers of 128."""
    size = 1
    for side in input_shape:
        size *= side
    return glorot(
        nn.Flatten(),
        *(nn.Linear(size, 128), nn.ReLU()),
        *(nn.Linear(128, 128), nn.ReLU()),
        nn.Linear(128, classes),
    )


def network_b(input_shape: Shape, classes: int) -> nn.Module:
    """Two convolutions to 16 channels."""
    channels = _channels(input_shape, "network-b")
    return glorot(*_pooled(channels, 16), *_pooled(16, 16), *_dense(256, 100, classes))


def network_c(input_shape: Shape, classes: int) -> nn.Module:
    """Two convolutions to 20 and 50 channels."""
    channels = _channels(input_shape, "network-c")
    return glorot(*_pooled(channels, 20), *_pooled(20, 50), *_dense(800, 500, classes))


def network_d(input_shape: Shape, classes: int) -> nn.Module:
    """One convolution to 5 channels, at every other pixel."""
    channels = _channels(input_shape, "network-d")
    convolution = nn.Conv2d(channels, 5, 5, stride=2, padding=2)
    return glorot(convolution, nn.ReLU(), *_dense(980, 100, classes))


def _channels(shape: Shape, name: str) -> int:
    """Give the number of channels.

    Raises:
        ConfigError: the images are not of 28x28.
    """
    if len(shape) == 3 and shape[1:] == (28, 28):
        return shape[0]
    written = "x".join(map(str, shape))
    raise ConfigError([f"learning.model: {name} is for images of 28x28, and these are {written}"])


def _pooled(channels: int, filters: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, filters, 5), nn.MaxPool2d(2), nn.ReLU()


def _dense(features: int, hidden: int, classes: int) -> tuple[nn.Module, ...]:
    return nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, classes)


def glorot(*layers: nn.Module) -> nn.Sequential:
    """Join layers; weights begin uniform within Glorot and Bengio's bounds, biases at zero."""
    network = nn.Sequential(*layers)
    for layer in network:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return network
