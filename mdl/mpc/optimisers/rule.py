"""What all optimisers have in common: parameters by name, gradients in order, secrets to keep."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from mdl.mpc.engine import Engine
from mdl.mpc.layers import Gradient, Layer, Sum
from mdl.mpc.secret import Secret

Slot: TypeAlias = tuple[int, str]
"""A parameter: its layer's number, its name."""

Back: TypeAlias = Sequence[tuple[int, Secret]]
"""Each layer's number with the gradient by its values, as `mdl.mpc.networks.Network.backward` gives them."""


class Optimiser(Protocol):
    """A rule by which parameters move. What it remembers is secret, but for the count of its steps."""

    async def step(self, engine: Engine, layers: Sequence[Layer], back: Back) -> None:
        """Move all parameters by a batch's gradients."""

    def state(self, layers: Sequence[Layer]) -> Mapping[str, Secret]:
        """Give what it remembers, by name; zeros before its first step."""

    def restore(self, state: Mapping[str, Secret], steps: int) -> None:
        """Take up a state, which it had after so many steps."""


def gradients(layers: Sequence[Layer], back: Back) -> list[tuple[Slot, Gradient | Sum]]:
    """Give all gradients of a batch, summed over it, with the parameters that they are of."""
    return [
        ((number, name), found)
        for number, gradient in back
        for name, found in layers[number].gradients(gradient).items()
    ]


def move(layers: Sequence[Layer], slots: Sequence[Slot], steps: Secret) -> None:
    """Subtract from the parameters of `slots`, in order, what follows each other in `steps`."""
    first = 0
    for number, name in slots:
        before = layers[number].parameters[name]
        count = before.shape.numel()
        layers[number].parameters[name] = before - steps[first : first + count].reshape(*before.shape)
        first += count


def slots(layers: Sequence[Layer]) -> list[Slot]:
    """Give all parameters, in the order in which gradients come back."""
    return [
        (number, name) for number, layer in reversed(list(enumerate(layers))) for name in layer.parameters
    ]
