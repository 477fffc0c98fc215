"""Networks of torch as layers on secrets: an ordinary `torch.nn.Sequential` of layers that are known here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from mdl.mpc.chains import layers, oddities
from mdl.mpc.engine import Engine
from mdl.mpc.fixed import PARAMETER_BITS, decoded, encoded
from mdl.mpc.layers import (
    STATISTIC_BITS,
    AvgPool,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool,
    Padding,
    Relu,
    Window,
)
from mdl.mpc.rounds import phase, together
from mdl.mpc.secret import Secret
from mdl.party import PartyId

KNOWN: Final = (
    "Linear, Conv2d, MaxPool2d, AvgPool2d, ReLU, BatchNorm1d, BatchNorm2d, Dropout, Flatten, ZeroPad2d"
)
"""Layers that can be computed in secret."""


def problems(network: nn.Module, shape: Sequence[int]) -> list[str]:
    """Say why a network cannot be trained in secret; nothing if it can.

    Args:
        network: with all its layers.
        shape: of an example.
    """
    return [f"learning.model: {problem}" for problem in _problems(network, shape)]


@dataclass
class Network:
    """A network on secrets.

    Attributes:
        layers: in order. Weights are transposed: (inputs, outputs).
        names: of the layers, each its place in torch's network and its class there: ``1 Linear``. What it
            costs is counted under these.
    """

    layers: list[Layer]
    names: Sequence[str]

    async def forward(self, engine: Engine, images: Secret, *, training: bool = False) -> Secret:
        """Give the scores of a batch, shape (n, classes).

        Args:
            engine: the party's.
            images: as the network takes them, n first.
            training: drop what is to be dropped, and normalise by the batch; else answer as well as can be.
        """
        values = images
        for name, layer in zip(self.names, self.layers, strict=True):
            values = await phase(f"forward {name}", layer.forward(engine, values, training=training))
        return values

    async def backward(self, engine: Engine, gradient: Secret) -> list[tuple[int, Secret]]:
        """Lead the gradient by the scores back through the layers, to the first that has parameters.

        Returns:
            Each layer's number with the gradient by its values.
        """
        lowest = next(number for number, layer in enumerate(self.layers) if layer.parameters)
        found: list[tuple[int, Secret]] = []
        for number in range(len(self.layers) - 1, lowest, -1):
            found.append((number, gradient))
            layer = self.layers[number]
            gradient = await phase(f"backward {self.names[number]}", layer.backward(engine, gradient))
        return [*found, (lowest, gradient)]

    async def opened(self, engine: Engine) -> Tensor:
        """Let all parties know the parameters, as one vector in the order of torch, float64."""
        return self._vector(await together(*map(engine.open, self._secrets())))

    async def opened_to(self, engine: Engine, receiver: PartyId) -> Tensor | None:
        """Let one party know the parameters; None for the others."""
        found = await together(*(engine.open_to(receiver, secret) for secret in self._secrets()))
        return self._vector(found) if engine.party == receiver else None

    def _secrets(self) -> list[Secret]:
        return [secret for layer in self.layers for secret in layer.parameters.values()]

    def _vector(self, opened: Sequence[Tensor]) -> Tensor:
        names = [name for layer in self.layers for name in layer.parameters]
        pairs = zip(names, opened, strict=True)
        whole = torch.cat([(each.t() if name == "weight" else each).reshape(-1) for name, each in pairs])
        return decoded(whole, fraction_bits=PARAMETER_BITS)

    async def settle(self, engine: Engine, network: nn.Module, receiver: PartyId | None = None) -> None:
        """Open running statistics to all holders, or to one; they go into the network that is given.

        Args:
            engine: the party's.
            network: the one that this was made of; it stays as it is at parties that are not told.
            receiver: who is told; None for all holders.
        """
        pairs = zip(_translatable(network).values(), self.layers, strict=True)
        kept = [(into, name, secret) for into, layer in pairs for name, secret in layer.statistics.items()]
        if receiver is None:
            found = await together(*(engine.open(secret) for *_, secret in kept))
        else:
            found = await together(*(engine.open_to(receiver, secret) for *_, secret in kept))
        if engine.party in (range(engine.holders) if receiver is None else [receiver]):
            for (into, name, _), values in zip(kept, found, strict=True):
                into.get_buffer(name).copy_(decoded(values, fraction_bits=STATISTIC_BITS))


def secretly(engine: Engine, network: nn.Module) -> Network:
    """Translate a network; it begins with its present parameters, which everybody knows.

    Raises:
        OutOfRange: a parameter is too large.
    """
    found = _translatable(network)
    names = [f"{place} {type(layer).__name__}" for place, layer in found.items()]
    return Network([_translated(engine, layer) for layer in found.values()], names)


def _translatable(network: nn.Module) -> Mapping[str, nn.Module]:
    assert isinstance(network, nn.Sequential), "see problems"
    return {place: layer for place, layer in layers(network) if not isinstance(layer, nn.Identity)}


def _problems(network: nn.Module, shape: Sequence[int]) -> Iterator[str]:
    if not isinstance(network, nn.Sequential):
        yield f"it is a {type(network).__name__}, and what is trained in secret is a Sequential"
        return
    yield from (f"{oddity}: in secret it would be another network" for oddity in oddities(network))
    found: dict[nn.Parameter, str] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        if parameter in found:
            both = f"its parameters {found[parameter]} and {name} are one"
            yield f"{both}, and each is trained by itself in secret"
        elif not parameter.requires_grad:
            yield f"its parameter {name} is frozen (requires_grad is False), and all are trained in secret"
        found.setdefault(parameter, name)
    axes = 1 + len(shape)
    for name, layer in layers(network):
        if why := _why_not(layer, axes):
            yield f"its layer {name} is a {type(layer).__name__}, {why}"
        axes = 2 if isinstance(layer, nn.Flatten) else axes


def _why_not(layer: nn.Module, axes: int) -> str:
    """Say why a layer cannot be computed in secret, of values of so many axes."""
    match layer:
        case nn.Linear() | nn.Conv2d() if layer.bias is None:
            return "and layers without bias are not supported"
        case nn.Linear() if axes != 2:
            return "and takes vectors: a Flatten is missing before it"
        case nn.Linear() | nn.ReLU() | nn.Identity() | nn.ZeroPad2d():
            return ""
        case nn.Flatten():
            usual = (layer.start_dim, layer.end_dim) == (1, -1)
            return "" if usual else "and flattens other axes than all of an example"
        case nn.Conv2d(groups=1, dilation=(1, 1), padding_mode="zeros"):
            if isinstance(layer.padding, str):
                return "and its padding is a word, not a number"
            return "" if _square(layer.kernel_size, layer.stride, layer.padding) else "and is not square"
        case nn.Conv2d():
            return "and groups, dilation and padding other than by zeros are not supported"
        case nn.MaxPool2d(dilation=1, padding=0, ceil_mode=False):
            return "" if _square(_both(layer.kernel_size), _both(layer.stride)) else "and is not square"
        case nn.AvgPool2d(padding=0, ceil_mode=False, divisor_override=None):
            return "" if _square(_both(layer.kernel_size), _both(layer.stride)) else "and is not square"
        case nn.MaxPool2d() | nn.AvgPool2d():
            return "and padding, dilation, ceil_mode and divisors of its own are not supported"
        case nn.Dropout():
            return "" if _coins(layer.p) else "and its p is not 1/2, 1/4, 1/8... down to 2^-16"
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            if layer.track_running_stats and layer.momentum is None:
                return "and its running averages are over all batches (momentum is None)"
            usual = layer.affine and layer.track_running_stats
            return "" if usual else "and has no parameters of its own, or no running averages"
    return f"which is not computed in secret; there are {KNOWN}"


def _square(*sizes: object) -> bool:
    return all(isinstance(size, tuple) and size[0] == size[1] for size in sizes)


def _both(size: int | tuple[int, ...]) -> tuple[int, ...]:
    return (size, size) if isinstance(size, int) else size


def _coins(p: float) -> int:
    """Give j if p is 2^-j with j in [1, 16], else 0."""
    return next((j for j in range(1, 17) if p == 2.0**-j), 0)


def _translated(engine: Engine, layer: nn.Module) -> Layer:
    match layer:
        case nn.Linear():
            return Dense(*_parameters(engine, layer))
        case nn.Conv2d():
            window = Window(layer.kernel_size[0], layer.stride[0], int(layer.padding[0]))
            return Convolution(*_parameters(engine, layer), window)
        case nn.MaxPool2d():
            return MaxPool(Window(_both(layer.kernel_size)[0], _both(layer.stride)[0]))
        case nn.AvgPool2d():
            return AvgPool(Window(_both(layer.kernel_size)[0], _both(layer.stride)[0]))
        case nn.Dropout():
            return Dropout(_coins(layer.p))
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return _normalisation(engine, layer)
        case nn.ZeroPad2d():
            left, right, top, bottom = layer.padding
            return Padding((left, right, top, bottom))
        case nn.ReLU():
            return Relu()
        case nn.Flatten():
            return Flatten()
    raise AssertionError(f"no {layer}: see problems")


def _parameters(engine: Engine, layer: nn.Linear | nn.Conv2d) -> tuple[Secret, Secret]:
    weight = layer.weight.detach().reshape(layer.weight.shape[0], -1).t().contiguous()
    assert layer.bias is not None
    return _public(engine, weight), _public(engine, layer.bias.detach())


def _public(engine: Engine, parameter: Tensor) -> Secret:
    return engine.public(encoded(parameter, fraction_bits=PARAMETER_BITS))


def _normalisation(engine: Engine, layer: nn.BatchNorm1d | nn.BatchNorm2d) -> BatchNorm:
    parameters = {name: _public(engine, each.detach()) for name, each in layer.named_parameters()}
    statistics = {
        name: engine.public(encoded(layer.get_buffer(name), fraction_bits=STATISTIC_BITS))
        for name in ("running_mean", "running_var")
    }
    assert layer.momentum is not None
    return BatchNorm(parameters, statistics, epsilon=layer.eps, momentum=layer.momentum)
