"""How parameters move, in secret."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import FRACTION_BITS, constant
from mdl.mpc.layers import Layer
from mdl.mpc.rounds import together
from mdl.mpc.secret import Secret, concatenated

_RATE_BITS: Final = 22

Slot: TypeAlias = tuple[int, str]
"""A parameter: its layer's number, its name."""


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

    async def step(self, engine: Engine, layers: Sequence[Layer], back: Sequence[tuple[int, Secret]]) -> None:
        """Move all parameters by a batch's gradients, as `mdl.mpc.layers.backward` gave them."""
        slots: list[Slot] = []
        updates = []
        for number, gradient in back:
            layer = layers[number]
            for name, found in layer.gradients(gradient).items():
                before = self.momenta.get((number, name), layer.parameters[name] * 0)
                slots.append((number, name))
                updates.append(found.divided(engine, FRACTION_BITS, before * constant(self.momentum)))
        momenta: list[Secret] = await together(*updates)
        flat = concatenated([each.reshape(-1) for each in momenta])
        steps = await engine.truncate(flat * constant(self.rate, _RATE_BITS), _RATE_BITS + self.batch_bits)
        first = 0
        for slot, momentum in zip(slots, momenta, strict=True):
            number, name = slot
            count = momentum.shape.numel()
            step = steps[first : first + count].reshape(*momentum.shape)
            layers[number].parameters[name] = layers[number].parameters[name] - step
            self.momenta[slot] = momentum
            first += count
