"""Stochastic gradient descent, in secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from torch import Tensor

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import FRACTION_BITS, PARAMETER_BITS, constant
from mdl.mpc.layers import Layer
from mdl.mpc.optimisers.rule import Back, Slot, gradients, slots
from mdl.mpc.rounds import together
from mdl.mpc.secret import Secret

_DROP: Final = 2 * FRACTION_BITS
"""Digits that are rounded away: of the gradients, whose fraction they are, and of the velocities' product."""


@dataclass
class Sgd:
    """Stochastic gradient descent with momentum: v <- 0.9 v + rate g / batch, then p <- p - v.

    g is the sum over the batch. The rate goes into the velocity, as Sutskever et al., ICML 2013, write it: so
    one rounding is enough, of 0.9 v and the gradient together. A velocity is below 32.

    The gradient's factor is an integer: rate / batch in units of 2^-24. Where that is none, steps take one of
    the two next to it, so that the factors of all steps add up to what they should.

    Attributes:
        rate: the learning rate.
        batch_bits: log2 of the examples in a batch.
        momentum: in [0, 1).
        steps: taken so far.
        velocities: v of each parameter, as far as there is one, in the fraction bits of parameters.
    """

    rate: float
    batch_bits: int
    momentum: float = 0.9
    steps: int = 0
    velocities: dict[Slot, Secret] = field(default_factory=dict)

    async def step(self, engine: Engine, layers: Sequence[Layer], back: Back) -> None:
        """See `Optimiser`."""
        found = gradients(layers, back)
        factor = self._factors(self.steps + 1) - self._factors(self.steps)
        self.steps += 1
        kept = partial(_times, factor=constant(self.momentum, _DROP))
        velocities: list[Secret] = await together(
            *(
                gradient.divided(engine, _DROP, times=factor, plus=self._before(layers, slot).map(kept))
                for slot, gradient in found
            )
        )
        self.velocities = {slot: velocity for (slot, _), velocity in zip(found, velocities, strict=True)}
        for (number, name), velocity in self.velocities.items():
            layers[number].parameters[name] -= velocity

    def _factors(self, steps: int) -> int:
        """Give what the factors of so many steps add up to."""
        return round(steps * self.rate * 2.0 ** (PARAMETER_BITS - self.batch_bits))

    def state(self, layers: Sequence[Layer]) -> Mapping[str, Secret]:
        """See `Optimiser`."""
        return {_name(slot): self._before(layers, slot) for slot in slots(layers)}

    def restore(self, state: Mapping[str, Secret], steps: int) -> None:
        """See `Optimiser`."""
        self.velocities = {_slot(name): secret for name, secret in state.items()}
        self.steps = steps

    def _before(self, layers: Sequence[Layer], slot: Slot) -> Secret:
        number, name = slot
        return self.velocities.get(slot, layers[number].parameters[name] * 0)


def _times(part: Tensor, factor: int) -> Tensor:
    return part * factor


def _name(slot: Slot) -> str:
    number, name = slot
    return f"{number}.{name}.velocity"


def _slot(name: str) -> Slot:
    number, parameter, _ = name.split(".")
    return int(number), parameter
