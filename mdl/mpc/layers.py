"""Layers of networks on secrets: their values, and what they hand back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional
from torch import Tensor

from mdl.mpc.engine import Bilinear, Engine
from mdl.mpc.fixed import FRACTION_BITS
from mdl.mpc.secret import Bits, Secret, stacked


@dataclass(frozen=True)
class Gradient:
    """A gradient before it is rounded, so that whatever is added to it is rounded with it.

    Attributes:
        bilinear: the product that it is, at twice the usual fraction bits.
        one: its first factor.
        two: its second factor.
    """

    bilinear: Bilinear
    one: Secret
    two: Secret

    async def divided(self, engine: Engine, drop: int, *, plus: Secret | None = None) -> Secret:
        """Add `plus` and divide by 2^drop."""
        return await engine.scaled_product(self.bilinear, self.one, self.two, drop, plus=plus)


@dataclass(frozen=True)
class Sum:
    """A gradient that is no product, at the usual fraction bits."""

    whole: Secret

    async def divided(self, engine: Engine, drop: int, *, plus: Secret | None = None) -> Secret:
        """See `Gradient`."""
        raised = self.whole << FRACTION_BITS
        return await engine.truncate(raised if plus is None else raised + plus, drop)


class Layer(Protocol):
    """A layer, with what it must remember from its values to its gradients."""

    parameters: dict[str, Secret]

    async def forward(self, engine: Engine, x: Secret) -> Secret:
        """Give the values of a batch, first axis n."""

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """Give the gradient by the layer's input, from that by its values."""

    def gradients(self, gradient: Secret) -> Mapping[str, Gradient | Sum]:
        """Give the gradients by the layer's parameters, summed over the batch, of the last batch."""


class Unweighted:
    """The part of a layer that has no parameters."""

    def __init__(self) -> None:
        self.parameters: dict[str, Secret] = {}

    def gradients(self, gradient: Secret) -> Mapping[str, Gradient | Sum]:
        """See `Layer`."""
        del gradient
        return {}


class Dense:
    """x W + b.

    Args:
        weight: shape (inputs, outputs).
        bias: shape (outputs,).
    """

    def __init__(self, weight: Secret, bias: Secret) -> None:
        self.parameters = {"weight": weight, "bias": bias}

    async def forward(self, engine: Engine, x: Secret) -> Secret:
        """See `Layer`: (n, inputs) to (n, outputs)."""
        self._x = x
        weight, bias = self.parameters["weight"], self.parameters["bias"]
        return await engine.scaled_product(torch.matmul, x, weight, FRACTION_BITS, plus=bias << FRACTION_BITS)

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        back = self.parameters["weight"].map(torch.t)
        return await engine.scaled_product(torch.matmul, gradient, back, FRACTION_BITS)

    def gradients(self, gradient: Secret) -> Mapping[str, Gradient | Sum]:
        """See `Layer`."""
        return {
            "weight": Gradient(torch.matmul, self._x.map(torch.t), gradient),
            "bias": Sum(gradient.sum(0)),
        }


@dataclass(frozen=True)
class Window:
    """How a square slides over images.

    Attributes:
        size: of its sides.
        stride: by how much it moves.
        padding: zeros around the image.
    """

    size: int
    stride: int = 1
    padding: int = 0

    def places(self, side: int) -> int:
        """Give at how many places it fits along a side."""
        return (side + 2 * self.padding - self.size) // self.stride + 1

    def padded(self, images: Tensor) -> Tensor:
        """Put zeros around images, shape (n, channels, height, width)."""
        return torch.nn.functional.pad(images, (self.padding,) * 4) if self.padding else images

    def columns(self, images: Tensor) -> Tensor:
        """Lay out what the window sees, shape (n places, channels size^2)."""
        windows = self.padded(images).unfold(2, self.size, self.stride).unfold(3, self.size, self.stride)
        n, channels, down, across = windows.shape[:4]
        return windows.permute(0, 2, 3, 1, 4, 5).reshape(n * down * across, channels * self.size**2)

    def images(self, columns: Tensor, shape: torch.Size) -> Tensor:
        """Add up what was laid out at its place in images of a shape: what is adjoint to `columns`."""
        n, channels, height, width = shape
        down, across = self.places(height), self.places(width)
        seen = columns.reshape(n, down, across, channels, self.size, self.size).permute(0, 3, 1, 2, 4, 5)
        return self.gathered([seen[..., i, j] for i in range(self.size) for j in range(self.size)], shape)

    def seen(self, images: Tensor) -> list[Tensor]:
        """Give, for each place in the window, what it sees there: shapes (n, channels, down, across)."""
        padded = self.padded(images)
        down, across = self.places(images.shape[2]), self.places(images.shape[3])
        return [
            padded[
                :,
                :,
                i : i + self.stride * (down - 1) + 1 : self.stride,
                j : j + self.stride * (across - 1) + 1 : self.stride,
            ]
            for i in range(self.size)
            for j in range(self.size)
        ]

    def gathered(self, seen: Sequence[Tensor], shape: torch.Size) -> Tensor:
        """Add up in images of a shape: what is adjoint to `seen`."""
        n, channels, height, width = shape
        around = 2 * self.padding
        padded = torch.zeros(n, channels, height + around, width + around, dtype=seen[0].dtype)
        for place, part in zip(Window(self.size, self.stride).seen(padded), seen, strict=True):
            place += part
        inside = slice(self.padding, self.padding + height), slice(self.padding, self.padding + width)
        return padded[:, :, inside[0], inside[1]]


class Convolution:
    """A convolution with square windows, as torch has it.

    Args:
        weight: shape (channels size^2, outputs).
        bias: shape (outputs,).
        window: where it sees what.
    """

    def __init__(self, weight: Secret, bias: Secret, window: Window) -> None:
        self.parameters = {"weight": weight, "bias": bias}
        self._window = window

    async def forward(self, engine: Engine, x: Secret) -> Secret:
        """See `Layer`: (n, channels, height, width) to (n, outputs, down, across)."""
        self._shape = x.shape
        n, height, width = x.shape[0], x.shape[2], x.shape[3]
        weight, bias = self.parameters["weight"], self.parameters["bias"]
        # Laid out once, for the gradient too: that costs memory, and spares half of the copying.
        self._columns = x.map(self._window.columns)
        rows = await engine.scaled_product(
            torch.matmul, self._columns, weight, FRACTION_BITS, plus=bias << FRACTION_BITS
        )
        down, across = self._window.places(height), self._window.places(width)
        return rows.map(lambda part: part.reshape(n, down, across, -1).permute(0, 3, 1, 2))

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        shape = self._shape

        def spread(rows: Tensor, weights: Tensor) -> Tensor:
            return self._window.images(rows @ weights, shape)

        back = self.parameters["weight"].map(torch.t)
        return await engine.scaled_product(spread, gradient.map(_rows), back, FRACTION_BITS)

    def gradients(self, gradient: Secret) -> Mapping[str, Gradient | Sum]:
        """See `Layer`."""
        rows = gradient.map(_rows)
        return {"weight": Gradient(_correlated, self._columns, rows), "bias": Sum(rows.sum(0))}


def _correlated(columns: Tensor, rows: Tensor) -> Tensor:
    """Give columns^T rows, by the way round that is a third faster for so many rows."""
    return (rows.t() @ columns).t()


def _rows(images: Tensor) -> Tensor:
    """Lay out images by pixels, shape (n height width, channels)."""
    return images.permute(0, 2, 3, 1).reshape(-1, images.shape[1])


class Relu(Unweighted):
    """max(x, 0); its gradient at zero is zero."""

    async def forward(self, engine: Engine, x: Secret) -> Secret:
        """See `Layer`."""
        self._positive = await engine.negative(-x)
        return await engine.select(self._positive, x)

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        return await engine.select(self._positive, gradient)


class MaxPool(Unweighted):
    """The largest number in each window: a tree of comparisons, whose outcomes lead the gradient back.

    Of several equal ones the first counts, row by row, as in torch.
    """

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window

    async def forward(self, engine: Engine, x: Secret) -> Secret:
        """See `Layer`."""
        self._shape = x.shape
        self._outcomes: list[Bits] = []
        count = self._window.size**2
        left = [x.map(partial(self._seen, index=index)) for index in range(count)]
        while len(left) > 1:
            half = len(left) // 2
            pairs = stacked(left[: 2 * half])
            one, other = pairs[0::2], pairs[1::2]
            ahead = await engine.negative(one - other) ^ 1
            self._outcomes.append(ahead)
            won = other + await engine.select(ahead, one - other)
            left = [*(won[index] for index in range(half)), *left[2 * half :]]
        return left[0]

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        left = [gradient]
        for ahead in reversed(self._outcomes):
            half = ahead.shape[0]
            rest = left[half:]
            both = stacked(left[:half])
            one = await engine.select(ahead, both)
            other = both - one
            left = [part for index in range(half) for part in (one[index], other[index])] + rest
        columns = zip(*(each.parts for each in left), strict=True)
        shape = self._shape
        return Secret(tuple(self._window.gathered(parts, shape) for parts in columns), gradient.units)

    def _seen(self, images: Tensor, index: int) -> Tensor:
        return self._window.seen(images)[index]


class Padding(Unweighted):
    """Zeros around images: to the left, right, top and bottom."""

    def __init__(self, zeros: tuple[int, int, int, int]) -> None:
        super().__init__()
        self._zeros = zeros

    async def forward(self, engine: Engine, x: Secret) -> Secret:
        """See `Layer`."""
        del engine
        return x.map(lambda part: torch.nn.functional.pad(part, self._zeros))

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        del engine
        left, right, top, bottom = self._zeros
        height, width = gradient.shape[2] - bottom, gradient.shape[3] - right
        return gradient[:, :, top:height, left:width]


class Flatten(Unweighted):
    """Images as rows, shape (n, channels height width)."""

    async def forward(self, engine: Engine, x: Secret) -> Secret:
        """See `Layer`."""
        del engine
        self._shape = x.shape
        return x.reshape(x.shape[0], -1)

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        del engine
        return gradient.reshape(*self._shape)


async def backward(engine: Engine, layers: Sequence[Layer], gradient: Secret) -> list[tuple[int, Secret]]:
    """Lead a gradient back through the layers; give each one's number with the gradient by its values.

    It is led no further than to the first layer that has parameters.
    """
    lowest = next(number for number, layer in enumerate(layers) if layer.parameters)
    found: list[tuple[int, Secret]] = []
    for number in range(len(layers) - 1, lowest, -1):
        found.append((number, gradient))
        gradient = await layers[number].backward(engine, gradient)
    return [*found, (lowest, gradient)]
