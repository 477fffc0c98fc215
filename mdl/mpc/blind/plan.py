"""What a network looks like from outside: its layers' shapes, which both parties know. Free of torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

Shape: TypeAlias = tuple[int, ...]

MOST_ENTRIES: Final = 1 << 24
"""Of any layer's input, output or weights, for one example: a plan that asks for more is refused."""

MOST_POWER: Final = 32
MOST_FACTOR: Final = 1 << 20


class _Stage(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of what a plan is made of. The tag on the wire is the class's name."""

    def output(self, shape: Shape) -> Shape:
        """Give the shape of its output for an input's."""
        return shape


class _Pooling(_Stage, frozen=True):
    """Base of what makes one number of each square of an image."""

    size: int
    stride: int

    def output(self, shape: Shape) -> Shape:
        """Give the shape of its output for an input's."""
        if len(shape) != 3:
            raise ValueError(f"{self} does not take {shape}")
        return (shape[0], *((side - self.size) // self.stride + 1 for side in shape[1:]))


class Convolution(_Stage, frozen=True):
    """A convolution with square windows, of weights that its owner alone knows.

    Attributes:
        channels: of its input.
        outputs: channels of its output.
        size: of the window's sides.
        stride: by how much it moves.
        padding: zeros around the image.
    """

    channels: int
    outputs: int
    size: int
    stride: int
    padding: int

    @property
    def weight_shape(self) -> Shape:
        """Of the weights, as they are multiplied."""
        return (self.outputs, self.channels * self.size**2)

    def output(self, shape: Shape) -> Shape:
        """Give the shape of its output for an input's."""
        if len(shape) != 3 or shape[0] != self.channels:
            raise ValueError(f"{self} does not take {shape}")
        side = [(each + 2 * self.padding - self.size) // self.stride + 1 for each in shape[1:]]
        return (self.outputs, *side)


class Dense(_Stage, frozen=True):
    """A product with a matrix that its owner alone knows.

    Attributes:
        inputs: entries of its input.
        outputs: of its output.
    """

    inputs: int
    outputs: int

    @property
    def weight_shape(self) -> Shape:
        """Of the weights, as they are multiplied."""
        return (self.outputs, self.inputs)

    def output(self, shape: Shape) -> Shape:
        """Give the shape of its output for an input's."""
        if shape != (self.inputs,):
            raise ValueError(f"{self} does not take {shape}")
        return (self.outputs,)


class Flatten(_Stage, frozen=True):
    """All entries of an example in a row."""

    def output(self, shape: Shape) -> Shape:
        """Give the shape of its output for an input's."""
        return (_entries(shape),)


class Centre(_Stage, frozen=True):
    """(x - middle) 2^power, of images: a plan may begin with it.

    Attributes:
        middle: in units of an image's last fraction bit.
        power: at least 0.
    """

    middle: int
    power: int


class Sums(_Pooling, frozen=True):
    """Sums over squares of images: mean pooling, but for the division, which the next weights contain.

    Attributes:
        size: of the squares' sides.
        stride: by how much they move.
    """


class Quadratic(_Stage, frozen=True):
    """(x² + linear x) / 2^power.

    Attributes:
        power: at least 0.
        linear: an integer.
    """

    power: int
    linear: int


class Relu(_Stage, frozen=True):
    """The larger one of x and 0."""


class MaxPool(_Pooling, frozen=True):
    """Maxima over squares of images.

    Attributes:
        size: of the squares' sides.
        stride: by how much they move.
    """


Affine: TypeAlias = Convolution | Dense
Local: TypeAlias = Centre | Flatten | Sums
"""What each party does to its share, without the other."""
Activation: TypeAlias = Quadratic | Relu | MaxPool
Stage: TypeAlias = Affine | Local | Activation

Plan: TypeAlias = tuple[Stage, ...]


@dataclass(frozen=True)
class Step:
    """Weights, with what comes before them and after them.

    Attributes:
        local: what is done to the input first.
        affine: the weights' product.
        activations: what is done to the product, one after the other.
        masked: the shape of what is multiplied, of one example.
        product: the shape of the product.
        activated: the shape of each activation's input.
        output: the shape of what comes out.
    """

    local: Sequence[Local]
    affine: Affine
    activations: Sequence[Activation]
    masked: Shape
    product: Shape
    activated: Sequence[Shape]
    output: Shape


def steps(plan: Plan, shape: Shape) -> Sequence[Step]:
    """Cut a plan into steps, for examples of a shape.

    Raises:
        ValueError: it is no plan of a network for such examples.
    """
    found: list[Step] = []
    rest = list(plan)
    while rest:
        local: list[Local] = []
        while rest and isinstance(rest[0], Centre | Flatten | Sums):
            if isinstance(rest[0], Centre) and len(rest) < len(plan):
                raise ValueError("a plan that centres what is no image")
            local.append(stage := rest.pop(0))  # type: ignore[arg-type]
            shape = _checked(stage, shape)
        if not rest or not isinstance(rest[0], Convolution | Dense):
            raise ValueError(f"a plan whose stage {len(plan) - len(rest)} should have weights, and has none")
        masked, affine = shape, rest.pop(0)
        product = shape = _checked(affine, shape)
        activations: list[Activation] = []
        activated: list[Shape] = []
        while rest and isinstance(rest[0], Quadratic | Relu | MaxPool):
            activations.append(stage := rest.pop(0))  # type: ignore[arg-type]
            activated.append(shape)
            shape = _checked(stage, shape)
        assert isinstance(affine, Convolution | Dense)
        found.append(Step(local, affine, activations, masked, product, activated, shape))
    if not found or found[-1].activations or len(shape) != 1:
        raise ValueError("a plan that does not end with a score for each class")
    return found


def compares(plan: Plan) -> bool:
    """Say whether the network compares numbers."""
    return any(isinstance(stage, Relu | MaxPool) for stage in plan)


def _checked(stage: Stage, shape: Shape) -> Shape:
    numbers = {name: getattr(stage, name) for name in stage.__struct_fields__}
    bounds = {"padding": (0, numbers.get("size", 1)), "power": (0, MOST_POWER)}
    bounds |= dict.fromkeys(("linear", "middle"), (-MOST_FACTOR, MOST_FACTOR))
    for name, value in numbers.items():
        least, most = bounds.get(name, (1, MOST_ENTRIES))
        if not least <= value <= most:
            raise ValueError(f"{stage}: {name} is not in [{least}, {most}]")
    found = stage.output(shape)
    weights = _entries(stage.weight_shape) if isinstance(stage, Convolution | Dense) else 0
    if min(found) < 1 or max(_entries(found), weights) > MOST_ENTRIES:
        raise ValueError(f"{stage} makes {found} of {shape}")
    return found


def _entries(shape: Shape) -> int:
    found = 1
    for side in shape:
        found *= side
    return found
