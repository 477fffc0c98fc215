"""Stochastic gradient descent, in secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import FRACTION_BITS, constant
from mdl.mpc.layers import Layer
from mdl.mpc.optimisers.rule import Back, Slot, gradients, move, slots
from mdl.mpc.rounds import together
from mdl.mpc.secret import Secret, concatenated

_RATE_BITS: Final = 22


@dataclass
class Sgd:
    """Stochastic gradient descent with momentum: m <- 0.9 m + g, then p <- p - rate m / batch.

    g is the sum over the batch; the momentum is rounded together with it, once.

    Attributes:
        rate: the learning rate.
        batch_bits: log2 of the examples in a batch.
        momentum: in [0, 1).
        momenta: m of each parameter, as far as there is one.
    """

    rate: float
    batch_bits: int
    momentum: float = 0.9
    momenta: dict[Slot, Secret] = field(default_factory=dict)

    async def step(self, engine: Engine, layers: Sequence[Layer], back: Back) -> None:
        """See `Optimiser`."""
        found = gradients(layers, back)
        momenta: list[Secret] = await together(
            *(
                gradient.divided(
                    engine, FRACTION_BITS, plus=self._before(layers, slot) * constant(self.momentum)
                )
                for slot, gradient in found
            )
        )
        self.momenta = {slot: momentum for (slot, _), momentum in zip(found, momenta, strict=True)}
        flat = concatenated([each.reshape(-1) for each in momenta])
        steps = await engine.truncate(flat * constant(self.rate, _RATE_BITS), _RATE_BITS + self.batch_bits)
        move(layers, list(self.momenta), steps)

    def state(self, layers: Sequence[Layer]) -> Mapping[str, Secret]:
        """See `Optimiser`."""
        return {_name(slot): self._before(layers, slot) for slot in slots(layers)}

    def restore(self, state: Mapping[str, Secret], steps: int) -> None:
        """See `Optimiser`."""
        del steps
        self.momenta = {_slot(name): secret for name, secret in state.items()}

    def _before(self, layers: Sequence[Layer], slot: Slot) -> Secret:
        number, name = slot
        return self.momenta.get(slot, layers[number].parameters[name] * 0)


def _name(slot: Slot) -> str:
    number, name = slot
    return f"{number}.{name}.moved"


def _slot(name: str) -> Slot:
    number, parameter, _ = name.split(".")
    return int(number), parameter
