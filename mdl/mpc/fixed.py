"""Real numbers as integers: multiples of 2^-16, parameters of 2^-24; within ±2^14."""

from typing import Final

from torch import Tensor

from mdl.errors import OutOfRange

FRACTION_BITS: Final = 16
"""f, as in Keller and Sun: a secret number is an integer over 2^f."""

PARAMETER_BITS: Final = 24
"""Fraction bits of parameters. A step moves them by little, and what it moves them by is rounded once."""

LARGEST: Final = float(1 << 31 - 1 - FRACTION_BITS)
"""Numbers are below this in absolute value: their differences fit the 32 bits of a comparison."""


def encoded(values: Tensor, *, fraction_bits: int = FRACTION_BITS) -> Tensor:
    """Round real numbers to the grid; int64.

    Raises:
        OutOfRange: one is not below `LARGEST`.
    """
    if not bool((values.abs() < LARGEST).all()):
        raise OutOfRange(f"a number is outside ±{LARGEST:g}")
    return (values.double() * 2.0**fraction_bits).round().long()


def decoded(values: Tensor, *, fraction_bits: int = FRACTION_BITS) -> Tensor:
    """Give the real numbers back; float64."""
    return values.double() * 2.0**-fraction_bits


def constant(value: float, fraction_bits: int = FRACTION_BITS) -> int:
    """Encode a public constant."""
    return round(value * (1 << fraction_bits))
