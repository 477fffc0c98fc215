"""The networks: the paper's four, a small one for the digits, and the user's own.

∝MDL takes its networks from Shokri and Shmatikov [CCS'15], who give the counts of parameters. The layers
here are the natural ones that have these counts:

======  ============  ==========  ===========================================================================
name    images        parameters  layers
======  ============  ==========  ===========================================================================
mlp     1x28x28       140,106     padded to 32x32; 1024 - 128 - 64 - 10
mlp     3x32x32       402,250     3072 - 128 - 64 - 10
cnn     1x28x28       105,506     padded to 32x32; convolution 1 to 32, pool 3; convolution 32 to 64, pool 2;
                                  256 - 200 - 10
cnn     3x32x32       313,546     convolution 3 to 64, pool 2; convolution 64 to 64, pool 2; 1600 - 128 - 10
======  ============  ==========  ===========================================================================

Convolutions are 5x5 without padding, pooling takes maxima. The MLPs use ReLU. The CNN for one channel is
that of the Torch7 MNIST demonstration and uses Tanh as it does; the papers name no activation, and the CNN
for three channels uses Tanh as well. Counts do not depend on it.
"""

import copy
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

import torch
from torch import nn

from mdl.errors import ConfigError
from mdl.learning import alexnets, convnets, networks_a_to_d, private
from mdl.learning.seeds import Purpose, torch_seed
from mdl.learning.settings import LearningSettings
from mdl.party import PartyId

Shape: TypeAlias = tuple[int, ...]
"""Of one example: (channels, height, width) or (features,)."""

_CHECKED_WITH: Final = 2
"""Examples in the batch a user's model is tried with."""


def build(
    settings: LearningSettings, input_shape: Shape, classes: int, seed: int, *owner: PartyId
) -> nn.Module:
    """Make the model of `settings` with the experiment's initial parameters, the same at all parties.

    Where each worker has a model of its own, the settings are to be a worker's (`LearningSettings.own`), and
    the initial parameters are `owner`'s too.

    Raises:
        ConfigError: the model is unknown, cannot be made, or does not fit the data, or cannot be trained
            privately where it should.
    """
    assert settings.model is not None, "whose model?"
    # torch draws initial weights from its global generator: seed it for this model, and put it back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, Purpose.INITIAL_PARAMETERS, *owner))
        if settings.model in MODELS:
            return MODELS[settings.model](input_shape, classes)
        model = _imported(settings.model)
        _check_fit(model, settings.model, input_shape, classes)
    if settings.privacy.type == "dp-sgd":
        private.check(model, settings.model, input_shape)
    return model


def needs_company(model: nn.Module, input_shape: Shape) -> bool:
    """Whether a model cannot be trained on one example at a time: it normalises over those of a batch.

    It depends on more than the layers: over the pixels of one image there may be enough to normalise.
    """
    normalises = any(isinstance(layer, private.MIXES_EXAMPLES) for layer in model.modules())
    return normalises and not _learns_from(model, input_shape, 1) and _learns_from(model, input_shape, 2)


def _learns_from(model: nn.Module, input_shape: Shape, examples: int) -> bool:
    trial = copy.deepcopy(model).train()  # a copy, as training moves running averages
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            trial(torch.zeros(examples, *input_shape))
    except Exception:  # the user's code may fail in any way, and training will say in which
        return False
    return True


def mlp(input_shape: Shape, classes: int) -> nn.Module:
    """Two hidden layers of 128 and 64, ReLU."""
    shape = _padded(input_shape)
    return nn.Sequential(
        *_padding(input_shape),
        nn.Flatten(),
        nn.Linear(_size(shape), 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def cnn(input_shape: Shape, classes: int) -> nn.Module:
    """Two convolutions and two dense layers, Tanh; one for grey, one for colour images of 32x32.

    Raises:
        ConfigError: the images are of another shape.
    """
    shape = _padded(input_shape)
    if shape == (1, 32, 32):
        return nn.Sequential(
            *_padding(input_shape),
            *_convolution(1, 32, pool=3),
            *_convolution(32, 64, pool=2),
            *_dense(256, 200, classes),
        )
    if shape == (3, 32, 32):
        return nn.Sequential(
            *_convolution(3, 64, pool=2), *_convolution(64, 64, pool=2), *_dense(1600, 128, classes)
        )
    raise ConfigError(
        [
            "learning.model: cnn is for images of 1x28x28, 1x32x32 or 3x32x32,"
            f" and these are {_written(input_shape)}; choose mlp or a model of your own"
        ]
    )


def digits_mlp(input_shape: Shape, classes: int) -> nn.Module:
    """One hidden layer of 32, ReLU: 64 - 32 - 10, 2,410 parameters, on the digits."""
    return nn.Sequential(nn.Flatten(), nn.Linear(_size(input_shape), 32), nn.ReLU(), nn.Linear(32, classes))


MODELS: Final[Mapping[str, Callable[[Shape, int], nn.Module]]] = MappingProxyType(
    {
        "mlp": mlp,
        "cnn": cnn,
        "digits-mlp": digits_mlp,
        "network-a": networks_a_to_d.network_a,
        "network-b": networks_a_to_d.network_b,
        "network-c": networks_a_to_d.network_c,
        "network-d": networks_a_to_d.network_d,
        "alexnet": alexnets.alexnet,
        "alexnet-falcon": alexnets.alexnet_falcon,
        "convnet": convnets.convnet,
        "convnet-relu": convnets.convnet_relu,
        "digits-quadratic": convnets.digits_quadratic,
    }
)
"""The networks an experiment file can name."""


def _padded(shape: Shape) -> Shape:
    return (shape[0], 32, 32) if shape[1:] == (28, 28) else shape


def _padding(shape: Shape) -> list[nn.Module]:
    """Zeros around 28x28 images make them 32x32, which the counts of the papers show."""
    return [nn.ZeroPad2d(2)] if shape[1:] == (28, 28) else []


def _convolution(channels: int, filters: int, *, pool: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, filters, 5), nn.Tanh(), nn.MaxPool2d(pool)]


def _dense(features: int, hidden: int, classes: int) -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(features, hidden), nn.Tanh(), nn.Linear(hidden, classes)]


def _size(shape: Shape) -> int:
    return int(torch.Size(shape).numel())


def _written(shape: Shape) -> str:
    return "x".join(str(side) for side in shape)


def _imported(path: str) -> nn.Module:
    """Import and call what ``package.module:Name`` names."""
    module, _, name = path.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
        model = factory()
    except ModuleNotFoundError as error:
        where = _where(module) if f"{module}.".startswith(f"{error.name}.") else ""
        raise ConfigError([f"learning.model: {path} gives no model: {_sentence(error)}{where}"]) from error
    except Exception as error:  # the user's code may fail in any way, and all of them mean: no model
        raise ConfigError([f"learning.model: {path} gives no model: {_sentence(error)}"]) from error
    if not isinstance(model, nn.Module):
        raise ConfigError(
            [f"learning.model: {path} gives a {type(model).__name__}; expected a torch.nn.Module"]
        )
    return model


def _where(module: str) -> str:
    """Say where a module was looked for."""
    file = f"{module.replace('.', '/')}.py"
    return f"; looked for is {file}, in {Path.cwd()} and among installed packages"


def _check_fit(model: nn.Module, path: str, input_shape: Shape, classes: int) -> None:
    """Try the model on zeros, so that a model that does not fit is refused before any process starts."""
    expected = (_CHECKED_WITH, classes)
    before = model.training
    model.eval()  # so that the trial leaves running averages alone
    try:
        with torch.inference_mode():
            output = model(torch.zeros(_CHECKED_WITH, *input_shape))
    except Exception as error:
        raise ConfigError(
            [f"learning.model: {path} cannot take examples of {_written(input_shape)}: {_sentence(error)}"]
        ) from error
    model.train(before)
    if not isinstance(output, torch.Tensor) or output.shape != expected:
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ConfigError(
            [
                f"learning.model: {path} answers a batch of {_CHECKED_WITH} with {shape};"
                f" expected a tensor of shape {expected}: a score per class"
            ]
        )


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
