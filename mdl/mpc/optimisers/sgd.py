"""Stochastic gradient descent, in secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import FRACTION_BITS, PARAMETER_BITS, constant
from mdl.mpc.layers import Layer
from mdl.mpc.optimisers.rule import Back, Slot, gradients, slots
from mdl.mpc.rounds import together
from mdl.mpc.secret import Secret

_DROP: Final = 2 * FRACTION_BITS
"""Binary digits that are rounded away.

Gradients have 32 fraction bits and their factor 24, velocities 24 and theirs 32: both products have 56.
"""


@dataclass
class Sgd:
    """Stochastic gradient descent with momentum: v <- 0.9 v + rate g / batch, then p <- p - v.

    g is the sum over the batch. The rate goes into the velocity, as Sutskever et al., ICML 2013, write it: so
    one rounding is enough, of 0.9 v and the gradient together. A velocity is below 32.

    The gradient's factor is an integer: rate / batch in units of 2^-24, rounded up in some steps and down in
    others, so that the sum of all is off by half a unit at most.

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
        factor = self._sum_of_factors(self.steps + 1) - self._sum_of_factors(self.steps)
        self.steps += 1
        kept = constant(self.momentum, _DROP)
        velocities: list[Secret] = await together(
            *(
                gradient.divided(engine, _DROP, times=factor, plus=self._before(layers, slot).times(kept))
                for slot, gradient in found
            )
        )
        self.velocities = {slot: velocity for (slot, _), velocity in zip(found, velocities, strict=True)}
        for (number, name), velocity in self.velocities.items():
            layers[number].parameters[name] -= velocity

    def _sum_of_factors(self, steps: int) -> int:
        """Give what the gradients' factors of so many steps add up to."""
        return round(steps * self.rate * 2.0 ** (PARAMETER_BITS - self.batch_bits))

    def state(self, layers: Sequence[Layer]) -> Mapping[str, Secret]:
        """See `Optimiser`."""
        return {_name(slot): self._before(layers, slot) for slot in slots(layers)}

    def restore(self, state: Mapping[str, Secret], steps: int) -> None:
        """See `Optimiser`."""
        self.velocities = {_slot(name): secret for name, secret in state.items()}
        self.steps = steps

    def _before(self, layers: Sequence[Layer], slot: Slot) -> Secret:
        if slot in self.velocities:
            return self.velocities[slot]
        number, name = slot
        return layers[number].parameters[name] * 0


def _name(slot: Slot) -> str:
    number, name = slot
    return f"{number}.{name}.velocity"


def _slot(name: str) -> Slot:
    number, parameter, _ = name.split(".")
    return int(number), parameter
