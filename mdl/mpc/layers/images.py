"""Images that change their shape."""

import torch.nn.functional

from mdl.mpc.engine import Engine
from mdl.mpc.layers.layer import Unweighted
from mdl.mpc.secret import Secret


class Padding(Unweighted):
    """Zeros around images: to the left, right, top and bottom."""

    def __init__(self, zeros: tuple[int, int, int, int]) -> None:
        super().__init__()
        self._zeros = zeros

    async def forward(self, engine: Engine, x: Secret, *, training: bool) -> Secret:
        """See `Layer`."""
        del engine, training
        return x.map(lambda part: torch.nn.functional.pad(part, self._zeros))

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        del engine
        left, right, top, bottom = self._zeros
        height, width = gradient.shape[2] - bottom, gradient.shape[3] - right
        return gradient[:, :, top:height, left:width]


class Flatten(Unweighted):
    """Images as rows, shape (n, channels height width)."""

    async def forward(self, engine: Engine, x: Secret, *, training: bool) -> Secret:
        """See `Layer`."""
        del engine, training
        self._shape = x.shape
        return x.reshape(x.shape[0], -1)

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`."""
        del engine
        return gradient.reshape(*self._shape)
