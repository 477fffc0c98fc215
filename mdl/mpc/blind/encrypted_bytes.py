"""How `mdl.mpc.blind.encrypted` cuts batches, and the bytes that it sends: functions of public sizes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from mdl.mpc.blind.lattice import factors, masks
from mdl.mpc.blind.lattice.coefficients import WHOLE_BYTES
from mdl.mpc.blind.lattice.layout import Layout, layout, most_rows
from mdl.mpc.blind.lattice.sizes import Sizes
from mdl.mpc.blind.plan import Quadratic, Shape, Step
from mdl.mpc.keystream import KEY_BYTES

DEGREE: Final = 8192
"""N. Below it the schemes hide nothing."""

_POLYNOMIALS_AT_ONCE: Final = 16
"""Of factors: what is computed of so many takes some tens of megabytes."""


@dataclass(frozen=True)
class OfStep:
    """What is sent for a step.

    Attributes:
        product: of the weights.
        squares: of all its quadratic activations.
    """

    product: Sizes
    squares: Sizes


def key_bytes(degree: int = DEGREE) -> int:
    """Say what `begun` sends to the other party."""
    return KEY_BYTES + degree * (WHOLE_BYTES + factors.KEY_WORDS_BYTES)


def offline_bytes(steps: Sequence[Step], rows: int, degree: int = DEGREE) -> Sequence[OfStep]:
    """Say what `prepared` sends, for each step: everything, as messages have no headers."""
    return [
        OfStep(
            sum((masks.sizes(each) for each in laid_out(step, rows, degree)), Sizes()),
            sum((square_bytes(torch.Size([rows, *shape]), degree) for shape in squared(step)), Sizes()),
        )
        for step in steps
    ]


def check_fits(steps: Sequence[Step]) -> None:
    """Make sure that examples are not too large for polynomials.

    Raises:
        ValueError: those of a step are.
    """
    for step in steps:
        most_rows(step.affine, step.masked, DEGREE)


def square_bytes(shape: torch.Size, degree: int = DEGREE) -> Sizes:
    """Say what is sent for squares of a shape."""
    return factors.sizes(-(-shape.numel() // degree), degree)


def squared(step: Step) -> Iterator[Shape]:
    """Give the shapes of what is squared in a step, of one example."""
    for activation, shape in zip(step.activations, step.activated, strict=True):
        if isinstance(activation, Quadratic):
            yield shape


def batches(count: int, degree: int) -> list[int]:
    """Cut so many slots into polynomials, and these into batches: how many each one has."""
    polynomials = -(-count // degree)
    full, rest = divmod(polynomials, _POLYNOMIALS_AT_ONCE)
    return [_POLYNOMIALS_AT_ONCE] * full + [rest] * bool(rest)


def laid_out(step: Step, rows: int, degree: int) -> Iterator[Layout]:
    """Cut a batch into parts that fit, and say how each is laid out: as few parts as possible, of equal size.

    Raises:
        ValueError: not even one example fits.
    """
    most = most_rows(step.affine, step.masked, degree)
    parts = -(-rows // most)
    for part in range(parts):
        count = rows * (part + 1) // parts - rows * part // parts
        yield layout(step.affine, step.masked, count, degree, masks.COSTS)
