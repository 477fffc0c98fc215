"""What a layer on secrets does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from mdl.mpc.engine import Bilinear, Engine
from mdl.mpc.fixed import FRACTION_BITS, PARAMETER_BITS
from mdl.mpc.secret import Secret

STATISTIC_BITS: Final = 20


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

    async def divided(
        self, engine: Engine, drop: int, *, times: int = 1, plus: Secret | None = None
    ) -> Secret:
        """Multiply by a public factor, add `plus`, and divide by 2^drop: rounded once."""
        two = self.two if times == 1 else self.two.times(times)
        return await engine.scaled_product(self.bilinear, self.one, two, drop, plus=plus)


@dataclass(frozen=True)
class Sum:
    """A gradient that is no product, at the usual fraction bits."""

    whole: Secret

    async def divided(
        self, engine: Engine, drop: int, *, times: int = 1, plus: Secret | None = None
    ) -> Secret:
        """See `Gradient`."""
        raised = self.whole * (times << FRACTION_BITS)
        return await engine.truncate(raised if plus is None else raised + plus, drop)


async def coarse(engine: Engine, weight: Secret) -> Secret:
    """Round weights to the usual fraction bits, where they are few, and what they are multiplied by is much.

    A product is divided the cheaper the fewer bits are dropped, and where it is large it has room for them.
    """
    return await engine.truncate(weight, PARAMETER_BITS - FRACTION_BITS)


class Layer(Protocol):
    """A layer, with what it must remember from its values to its gradients."""

    parameters: dict[str, Secret]
    """What gradients move."""

    statistics: dict[str, Secret]
    """What batches leave behind, for scoring: of `STATISTIC_BITS` fraction bits, by torch's names."""

    async def forward(self, engine: Engine, x: Secret, *, training: bool) -> Secret:
        """Give the values of a batch, first axis n; in `training` as torch does in training."""

    async def backward(self, engine: Engine, gradient: Secret) -> Secret:
        """Give the gradient by the layer's input, from that by its values."""

    def gradients(self, gradient: Secret) -> Mapping[str, Gradient | Sum]:
        """Give the gradients by the layer's parameters, summed over the batch, of the last batch."""


class Unweighted:
    """The part of a layer that has neither parameters nor statistics."""

    def __init__(self) -> None:
        self.parameters: dict[str, Secret] = {}
        self.statistics: dict[str, Secret] = {}

    def gradients(self, gradient: Secret) -> Mapping[str, Gradient | Sum]:
        """See `Layer`."""
        del gradient
        return {}
