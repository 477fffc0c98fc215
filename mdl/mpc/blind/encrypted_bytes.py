"""How `mdl.mpc.blind.encrypted` cuts batches, and the bytes that it sends: functions of public sizes."""

from collections.abc import Iterator
from typing import Final

import torch

from mdl.mpc.blind.lattice import factors, masks
from mdl.mpc.blind.lattice.coefficients import WHOLE_BYTES
from mdl.mpc.blind.lattice.layout import Layout, layout, most_rows
from mdl.mpc.blind.plan import Step
from mdl.mpc.keystream import KEY_BYTES

DEGREE: Final = 8192
"""N. Below it the schemes hide nothing."""

_POLYNOMIALS_AT_ONCE: Final = 16
"""Of factors: what is computed of so many takes some tens of megabytes."""


def key_bytes(degree: int = DEGREE) -> int:
    """Say what `begun` sends to the other party."""
    return KEY_BYTES + degree * (WHOLE_BYTES + factors.KEY_WORDS_BYTES)


def product_bytes(step: Step, rows: int, degree: int = DEGREE) -> tuple[int, int]:
    """Say what asker and owner send for a product."""
    sizes = [masks.sizes(each) for each in laid_out(step, rows, degree)]
    return sum(size.asked for size in sizes), sum(size.replied for size in sizes)


def square_bytes(shape: torch.Size, degree: int = DEGREE) -> tuple[int, int]:
    """Say what asker and owner send for squares."""
    return factor_bytes(-(-shape.numel() // degree), degree)


def factor_bytes(polynomials: int, degree: int) -> tuple[int, int]:
    """Say what asker and owner send for so many polynomials of factors."""
    slots = polynomials * degree
    return slots * factors.ASKED_BYTES, slots * factors.REPLIED_BITS // 8


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
