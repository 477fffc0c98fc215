"""Convolutions."""

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from mdl.mpc.engine import Composed, Engine
from mdl.mpc.fixed import FRACTION_BITS, PARAMETER_BITS
from mdl.mpc.kernels import matmul
from mdl.mpc.layers.layer import Gradient, Sum, coarse
from mdl.mpc.layers.window import Window
from mdl.mpc.secret import Secret


class Convolution:
    """A convolution with square windows, as torch has it.

    Args:
        weight: shape (channels size^2, outputs).
        bias: shape (outputs,).
        window: where it sees what.
    """

    def __init__(self, weight: Secret, bias: Secret, window: Window) -> None:
        self.parameters = {"weight": weight, "bias": bias}
        self.statistics: dict[str, Secret] = {}
        self._window = window
        self._laid_out: tuple[Secret, Secret] | None = None

    async def forward(self, engine: Engine, x: Secret, *, training: bool) -> Secret:
        """See `Layer`: (n, channels, height, width) to (n, outputs, down, across)."""
        del training
        self._shape = x.shape
        n, height, width = x.shape[0], x.shape[2], x.shape[3]
        self._weight = await coarse(engine, self.parameters["weight"])
        # Laid out once, for the gradient too: that costs memory, and spares half of the copying.
        self._columns = x.map(self._window.columns)
        plus = self.parameters["bias"].reshape(-1, 1) << 2 * FRACTION_BITS - PARAMETER_BITS
        rows = await engine.scaled_product(_weighted, self._columns, self._weight, FRACTION_BITS, plus=plus)
        down, across = self._window.places(height), self._window.places(width)
        return rows.map(lambda part: part.reshape(-1, n, down, across).transpose(0, 1))

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        spread = Composed(_spread, partial(self._window.images, shape=self._shape))
        rows = gradient.map(_by_output)
        self._laid_out = gradient, rows  # for its product with the columns
        return await engine.scaled_product(spread, rows, self._weight, FRACTION_BITS)

    def gradients(self, gradient: Secret) -> Mapping[str, Gradient | Sum]:
        """See `Layer`."""
        known, self._laid_out = self._laid_out, None  # large, and its memory is soon used again
        rows = known[1] if known is not None and known[0] is gradient else gradient.map(_by_output)
        return {"weight": Gradient(_correlated, self._columns, rows), "bias": Sum(gradient.map(_summed))}


def _weighted(columns: Tensor, weight: Tensor) -> Tensor:
    """Give the values, shape (outputs, n places)."""
    return matmul(weight.t(), columns)


def _spread(rows: Tensor, weight: Tensor) -> Tensor:
    """Give what each place hands back to what it saw, shape (channels size^2, n places)."""
    return matmul(weight, rows)


def _correlated(columns: Tensor, rows: Tensor) -> Tensor:
    """Give the gradient by the weight, shape (channels size^2, outputs)."""
    return matmul(columns, rows.t())


def _summed(images: Tensor) -> Tensor:
    """Add up each channel of images."""
    return images.sum((0, 2, 3))


def _by_output(images: Tensor) -> Tensor:
    """Lay out images by channels, shape (channels, n places)."""
    return images.transpose(0, 1).reshape(images.shape[1], -1)
