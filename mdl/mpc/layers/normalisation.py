"""Batch normalisation.

S. Ioffe, C. Szegedy, Batch normalization: accelerating deep network training by reducing internal covariate
shift, ICML 2015.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from mdl.mpc.engine import Engine, multiply
from mdl.mpc.fixed import FRACTION_BITS, PARAMETER_BITS, constant
from mdl.mpc.functions import inverse_square_root
from mdl.mpc.layers.layer import STATISTIC_BITS, Gradient, Sum, coarse
from mdl.mpc.rounds import together
from mdl.mpc.secret import Secret, stacked

_FINER: Final = STATISTIC_BITS - FRACTION_BITS

_SHARE_BITS: Final = 31
"""As many as means below 2^14 leave room for: the share 1 / n is precise for large n too."""


class BatchNorm:
    """Numbers of each channel less their mean, over the root of their variance; then scaled and shifted.

    Means and variances are the batch's in training, running averages in scoring. Variances are below 2^11,
    and what is added up for one below 2^29: with more than 2^18 numbers in a channel they must be smaller.

    Args:
        parameters: `weight` and `bias`, each of shape (channels,).
        statistics: `running_mean` and `running_var`, likewise.
        epsilon: added to variances.
        momentum: a batch's share of the running averages.
    """

    def __init__(
        self,
        parameters: Mapping[str, Secret],
        statistics: Mapping[str, Secret],
        *,
        epsilon: float,
        momentum: float,
    ) -> None:
        self.parameters, self.statistics = dict(parameters), dict(statistics)
        self._epsilon = max(1, constant(epsilon, STATISTIC_BITS))
        self._momentum = momentum

    async def forward(self, engine: Engine, x: Secret, *, training: bool) -> Secret:
        """See `Layer`: (n, channels, ...) to the same."""
        values = _by_channel(x)
        if not training:
            return (await self._scored(engine, values)).reshape(*x.shape)
        self._mean = Mean(values.shape[0] * values.shape[2])
        mean, self._weight = await together(
            self._mean.of(engine, values.map(_summed)), coarse(engine, self.parameters["weight"])
        )
        centred = values - _spread(mean)
        squares = await engine.scaled_product(_inner, centred, centred, FRACTION_BITS)
        variance = await self._mean.of(engine, squares, finer=_FINER)
        self._inverse = await self._root(engine, variance)
        self._normal, _ = await together(
            engine.scaled_product(multiply, centred, _spread(self._inverse), STATISTIC_BITS),
            self._follow(engine, mean << _FINER, variance),
        )
        found = await self._scaled(engine, self._normal, self._weight, FRACTION_BITS)
        return found.reshape(*x.shape)

    async def _scored(self, engine: Engine, values: Secret) -> Secret:
        inverse, mean, weight = await together(
            self._root(engine, self.statistics["running_var"]),
            engine.truncate(self.statistics["running_mean"], _FINER),
            coarse(engine, self.parameters["weight"]),
        )
        factor = await engine.scaled_product(multiply, inverse, weight, FRACTION_BITS)
        return await self._scaled(engine, values - _spread(mean), factor, STATISTIC_BITS)

    async def _scaled(self, engine: Engine, values: Secret, weight: Secret, bits: int) -> Secret:
        """Multiply by a weight of so many fraction bits, and add the bias."""
        bias = _spread(self.parameters["bias"]) << FRACTION_BITS + bits - PARAMETER_BITS
        return await engine.scaled_product(multiply, values, _spread(weight), bits, plus=bias)

    async def _root(self, engine: Engine, variance: Secret) -> Secret:
        """Give the variance's inverse root, at 20 bits.

        The root takes v 2^20 for 16 v of 16 bits; (16 v)^-1/2 at 22 bits is v^-1/2 at 20.
        """
        return await inverse_square_root(engine, variance + self._epsilon, newton=1)

    async def _follow(self, engine: Engine, mean: Secret, variance: Secret) -> None:
        """Move the running averages; of variances that of the unbiased estimate, as in torch."""
        count, share = self._mean.count, constant(self._momentum)
        unbiased = constant(self._momentum * count / (count - 1))
        before = stacked(list(self.statistics.values()))
        added = stacked([mean * share, variance * unbiased])
        moved = await engine.truncate(before * ((1 << FRACTION_BITS) - share) + added, FRACTION_BITS)
        self.statistics = {name: moved[index] for index, name in enumerate(self.statistics)}

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """See `Layer`: (weight / deviation) (g - mean of g - x^ mean of g x^), x^ the normalised numbers."""
        values = _by_channel(gradient)
        weight, products = await together(
            engine.scaled_product(multiply, self._inverse, self._weight, FRACTION_BITS),
            engine.scaled_product(_inner, values, self._normal, FRACTION_BITS),
        )
        mean, slope = await together(
            self._mean.of(engine, values.map(_summed)), self._mean.of(engine, products)
        )
        tilted = await engine.scaled_product(multiply, weight, slope, FRACTION_BITS)
        factors = stacked([_spread(weight), _spread(-tilted)])
        both = stacked([values - _spread(mean), self._normal])
        found = await engine.scaled_product(_joined, both, factors, STATISTIC_BITS)
        return found.reshape(*gradient.shape)

    def gradients(self, gradient: Secret) -> Mapping[str, Gradient | Sum]:
        """See `Layer`."""
        values = _by_channel(gradient)
        return {"weight": Gradient(_inner, values, self._normal), "bias": Sum(values.map(_summed))}


@dataclass(frozen=True)
class Mean:
    """The mean of so many numbers of a channel.

    Attributes:
        count: of the numbers, at least two.
    """

    count: int

    async def of(self, engine: Engine, total: Secret, *, finer: int = 0) -> Secret:
        """Divide a sum, and give so many more fraction bits than it has."""
        return await engine.truncate(total * constant(1 / self.count, _SHARE_BITS), _SHARE_BITS - finer)


def _by_channel(images: Secret) -> Secret:
    """Give images as (n, channels, places)."""
    return images.reshape(*images.shape[:2], -1)


def _spread(channels: Secret) -> Secret:
    return channels.reshape(1, -1, 1)


def _summed(values: Tensor) -> Tensor:
    return values.sum((0, 2))


def _inner(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum((0, 2))


def _joined(both: Tensor, factors: Tensor) -> Tensor:
    return (both * factors).sum(0)
