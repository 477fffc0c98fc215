"""Networks of torch as plans, which both parties know, and weights, which their owner alone knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from mdl.activations import Centred
from mdl.activations import Quadratic as QuadraticModule
from mdl.errors import OutOfRange
from mdl.mpc.blind.arithmetic import FRACTION_BITS, WEIGHT_BITS
from mdl.mpc.blind.asking import Weights
from mdl.mpc.blind.plan import (
    Affine,
    Centre,
    Convolution,
    Dense,
    Flatten,
    MaxPool,
    Plan,
    Quadratic,
    Relu,
    Stage,
    Sums,
)
from mdl.mpc.chains import layers, oddities

KNOWN: Final = (
    "Linear, Conv2d, AvgPool2d, BatchNorm1d and BatchNorm2d after these, Flatten, Dropout, Quadratic, ReLU, "
    "MaxPool2d, and at the beginning Centred"
)
"""Layers of networks that can be asked blindly."""

LARGEST: Final = 128.0
"""Weights, with what is folded into them, are below this in absolute value."""


def problems(network: nn.Module) -> list[str]:
    """Say why a network's layers cannot be asked blindly; nothing if they can."""
    try:
        _folded(network)
    except _Refused as refused:
        return [str(refused)]
    return []


def plan_of(network: nn.Module) -> Plan:
    """Give what both parties know of a network without `problems`."""
    return tuple(each.affine if isinstance(each, _Weighted) else each for each in _folded(network))


def weights_of(network: nn.Module) -> list[Weights]:
    """Give the present weights of a network without `problems`, for each step of its plan.

    Raises:
        OutOfRange: one is not below `LARGEST`.
    """
    return [_encoded(each) for each in _folded(network) if isinstance(each, _Weighted)]


def encoded(images: Tensor) -> Tensor:
    """Round images to the grid, int64.

    Raises:
        OutOfRange: a pixel is not a number below 2^14 in absolute value.
    """
    if not bool((images.abs() < 1 << 14).all()):
        raise OutOfRange("an image has a pixel that is no number within ±2^14")
    return (images.double() * 2.0**FRACTION_BITS).round().long()


class _Refused(Exception):
    """Why a network cannot be asked."""


@dataclass
class _Weighted:
    """A product with weights, and what has been folded into it.

    Attributes:
        affine: its shapes.
        weight: float64, shape (outputs, inputs) or (outputs, channels, size, size).
        bias: shape (outputs,).
    """

    affine: Affine
    weight: Tensor
    bias: Tensor


def _folded(network: nn.Module) -> list["_Weighted | Stage"]:
    """Fold means and normalisations into the weights before them, means of activations into those behind."""
    if not isinstance(network, nn.Sequential):
        raise _Refused(f"it is a {type(network).__name__}, and what is asked blindly is a Sequential")
    found: list[_Weighted | Stage] = []
    divisor = 1
    if odd := next(oddities(network), None):
        raise _Refused(f"{odd}: asked blindly it would be another network")
    for name, layer in layers(network):
        last = found[-1] if found else None
        match layer:
            case nn.Identity() | nn.Dropout():
                continue
            case nn.Linear() | nn.Conv2d():
                found.append(_weighted(name, layer, divisor))
                divisor = 1
            case nn.AvgPool2d():
                size, stride = _window(name, layer)
                if isinstance(last, _Weighted):
                    found[-1] = _averaged(name, last, size, stride)
                else:
                    found.append(Sums(size, stride))
                    divisor *= size**2
            case nn.BatchNorm1d() | nn.BatchNorm2d() if isinstance(last, _Weighted):
                found[-1] = _normalised(name, last, layer)
            case Centred() if not found:
                found.append(Centre(round(layer.middle * 2**FRACTION_BITS), layer.power))
            case nn.Flatten(start_dim=1, end_dim=-1):
                found.append(Flatten())
            case QuadraticModule() | nn.ReLU() | nn.MaxPool2d():
                if divisor != 1:
                    raise _Refused(f"its layer {name} comes after an AvgPool2d without weights between them")
                found.append(_activation(name, layer))
            case _:
                raise _Refused(f"its layer {name} is a {type(layer).__name__}; there are {KNOWN}")
    if not found or not isinstance(found[-1], _Weighted):
        raise _Refused("it does not end with a Linear")
    return found


def _weighted(name: str, layer: nn.Linear | nn.Conv2d, divisor: int) -> _Weighted:
    if isinstance(layer, nn.Linear):
        affine: Affine = Dense(layer.in_features, layer.out_features)
    else:
        plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
        sides = [layer.kernel_size, layer.stride, layer.padding]
        if not plain or any(isinstance(side, str) or side[0] != side[1] for side in sides):
            raise _Refused(
                f"its layer {name} is not square, or has groups, dilation, or padding other than by zeros"
            )
        size, stride, padding = (int(side[0]) for side in sides)
        affine = Convolution(layer.in_channels, layer.out_channels, size, stride, padding)
    weight = layer.weight.detach().double() / divisor
    bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.detach()
    return _Weighted(affine, weight, bias.double())


def _averaged(name: str, before: _Weighted, size: int, stride: int) -> _Weighted:
    """Make a convolution and the means of what it gives one convolution, with a larger window."""
    affine = before.affine
    if not isinstance(affine, Convolution):
        raise _Refused(f"its layer {name} takes means of what is no image")
    whole = affine.size + affine.stride * (size - 1)
    weight = torch.zeros(affine.outputs, affine.channels, whole, whole, dtype=torch.float64)
    for down in range(0, affine.stride * size, affine.stride):
        for across in range(0, affine.stride * size, affine.stride):
            weight[:, :, down : down + affine.size, across : across + affine.size] += before.weight
    shape = Convolution(affine.channels, affine.outputs, whole, affine.stride * stride, affine.padding)
    return _Weighted(shape, weight / size**2, before.bias)


def _normalised(name: str, before: _Weighted, layer: nn.BatchNorm1d | nn.BatchNorm2d) -> _Weighted:
    if layer.running_mean is None or layer.running_var is None:
        raise _Refused(f"its layer {name} has no running averages")
    factor = (layer.running_var.double() + layer.eps).rsqrt()
    if layer.affine:
        factor = factor * layer.weight.detach()
    bias = (before.bias - layer.running_mean) * factor
    if layer.affine:
        bias = bias + layer.bias.detach()
    shaped = factor.view(-1, *[1] * (before.weight.dim() - 1))
    return _Weighted(before.affine, before.weight * shaped, bias)


def _activation(name: str, layer: nn.Module) -> Stage:
    match layer:
        case QuadraticModule():
            return Quadratic(layer.power, layer.linear)
        case nn.MaxPool2d():
            return MaxPool(*_window(name, layer))
        case _:
            return Relu()


def _window(name: str, layer: nn.AvgPool2d | nn.MaxPool2d) -> tuple[int, int]:
    """Give size and stride."""
    sizes = {_side(name, each) for each in (layer.kernel_size,)}, {_side(name, layer.stride)}
    usual = _side(name, layer.padding) == 0 and not layer.ceil_mode
    usual = usual and (
        layer.dilation == 1 if isinstance(layer, nn.MaxPool2d) else layer.divisor_override is None
    )
    if not usual:
        raise _Refused(f"its layer {name} has padding, dilation, ceil_mode or a divisor of its own")
    return sizes[0].pop(), sizes[1].pop()


def _side(name: str, size: "int | Sequence[int]") -> int:
    both = (size, size) if isinstance(size, int) else tuple(size)
    if both[0] != both[1]:
        raise _Refused(f"its layer {name} is not square")
    return both[0]


def _encoded(weighted: _Weighted) -> Weights:
    weight = weighted.weight.reshape(weighted.affine.weight_shape)
    if not bool((weight.abs() < LARGEST).all() and (weighted.bias.abs() < 1 << 14).all()):
        raise OutOfRange(f"a weight of the network is outside ±{LARGEST:g}, or a bias outside ±2^14")
    return Weights(
        (weight * 2.0**WEIGHT_BITS).round().long(),
        (weighted.bias * 2.0 ** (WEIGHT_BITS + FRACTION_BITS)).round().long(),
    )
