"""Dense layers, and what stands between them."""

from collections.abc import Mapping

import torch

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import FRACTION_BITS, PARAMETER_BITS
from mdl.mpc.kernels import matmul
from mdl.mpc.layers.layer import Gradient, Sum, Unweighted
from mdl.mpc.secret import Secret


class Dense:
    """x W + b.

    Args:
        weight: shape (inputs, outputs).
        bias: shape (outputs,).
    """

    def __init__(self, weight: Secret, bias: Secret) -> None:
        self.parameters = {"weight": weight, "bias": bias}
        self.statistics: dict[str, Secret] = {}

    async def forward(self, engine: Engine, x: Secret, *, training: bool) -> Secret:
        """See `Layer`: (n, inputs) to (n, outputs)."""
        del training
        self._x = x
        weight, bias = self.parameters["weight"], self.parameters["bias"]
        return await engine.scaled_product(matmul, x, weight, PARAMETER_BITS, plus=bias << FRACTION_BITS)

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        back = self.parameters["weight"].map(torch.t)
        return await engine.scaled_product(matmul, gradient, back, PARAMETER_BITS)

    def gradients(self, gradient: Secret) -> Mapping[str, Gradient | Sum]:
        """See `Layer`."""
        return {
            "weight": Gradient(matmul, self._x.map(torch.t), gradient),
            "bias": Sum(gradient.sum(0)),
        }


class Relu(Unweighted):
    """max(x, 0); its gradient at zero is zero."""

    async def forward(self, engine: Engine, x: Secret, *, training: bool) -> Secret:
        """See `Layer`."""
        del training
        self._positive = await engine.negative(-x)
        return await engine.select(self._positive, x)

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        return await engine.select(self._positive, gradient)
