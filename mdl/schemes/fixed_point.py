"""Real values as integers on a grid, so that sums of them are exact."""

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from itertools import count

import numpy as np
from numpy.typing import NDArray

from mdl.errors import OutOfRange
from mdl.vectors import Floats, Integers

MAX_FRACTION_BITS = 32
MAX_LIMIT_BITS = 52


@dataclass(frozen=True)
class FixedPoint:
    """The grid of the multiples of 2^-fraction_bits in [-range, range].

    Attributes:
        range: largest absolute value that is kept; what is larger saturates. Finite, > 0.
        fraction_bits: f in [0, 32]; the error of one value within the range is at most 2^(-f-1).

    Raises:
        ValueError: a field is outside its range, or range * 2^f is below 1 or not below 2^52 (a double has 53
            bits).
    """

    range: float
    fraction_bits: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.range) and self.range > 0):
            raise ValueError(f"range must be finite and above 0, not {self.range}")
        if not 0 <= self.fraction_bits <= MAX_FRACTION_BITS:
            raise ValueError(f"fraction_bits must be 0 to {MAX_FRACTION_BITS}, not {self.fraction_bits}")
        if not 1 <= self.range * 2**self.fraction_bits < 2**MAX_LIMIT_BITS:
            scaled = f"{self.range} * 2^{self.fraction_bits}"
            raise ValueError(f"range * 2^fraction_bits must be in [1, 2^52), not {scaled}")

    @property
    def limit(self) -> int:
        """V = floor(range * 2^f), the largest absolute value of one encoded entry; in [1, 2^52).

        Rounded down, so that no decoded value lies outside ±range.
        """
        return math.floor(self.range * 2.0**self.fraction_bits)

    def bound(self, members: int) -> int:
        """Give the largest absolute value of a sum of `members` entries: members * V."""
        return members * self.limit

    def encode(self, values: Floats) -> tuple[Integers, int]:
        """Round values to the nearest point of the grid (ties to even).

        The product with 2^f is exact in double precision and so is the rounding, hence a value within ±V *
        2^-f errs by at most 2^(-f-1).

        Args:
            values: any shape.

        Returns:
            The encoded values, same shape, in [-V, V], and how many of them saturated.

        Raises:
            OutOfRange: a value is not finite: training has diverged, and no saturation would mend it.
        """
        if not np.isfinite(values).all():
            raise OutOfRange("a value to encode is not finite")
        rounded = np.rint(np.asarray(values, np.float64) * 2.0**self.fraction_bits)
        saturated = int(np.count_nonzero(np.abs(rounded) > self.limit))
        return np.clip(rounded, -self.limit, self.limit).astype(np.int64), saturated

    def decode_mean(self, sum: Integers, members: NDArray[np.integer] | int) -> NDArray[np.float64]:
        """Turn sums into means: sum / members * 2^-f.

        Sums up to 2^53 are exact in double precision, so that one rounding is left, that of the division.

        Args:
            sum: any shape, |sum| <= bound(members).
            members: how many entries each sum has, at least 1; broadcast against `sum`.
        """
        counts = np.asarray(members)
        assert (counts >= 1).all()
        return np.asarray(sum / counts * 2.0**-self.fraction_bits, np.float64)


def what_fits(grid: FixedPoint, members: int, largest: int) -> str:
    """Say which keys keep sums within ±largest.

    Args:
        grid: one whose sums of so many entries are larger.
        members: entries in a sum, at least 1.
        largest: at least 0.

    Returns:
        A range of the largest `limit` that fits with these fraction bits, and the most fraction bits that fit
        with this range, if any do.
    """
    limit = largest // members
    if limit == 0:
        return f"no system.range is small enough for {members} members"
    said = f"with {grid.fraction_bits} fraction bits system.range may be at most {_range_of(limit, grid)}"
    fitting = [bits for bits in range(1, grid.fraction_bits) if 1 <= grid.range * 2**bits < limit + 1]
    if fitting:
        said += f", or with this range system.fraction_bits at most {fitting[-1]}"
    return said


def _range_of(limit: int, grid: FixedPoint) -> str:
    """Write the shortest range that has this limit."""
    scale = 2**grid.fraction_bits
    # Rounded up: one that is rounded down has a smaller limit.
    roundings = (Context(prec=digits, rounding=ROUND_CEILING).divide(limit, scale) for digits in count(1))
    return f"{next(each for each in roundings if float(each) * scale < limit + 1):f}"


def outside(values: Integers, limit: int) -> bool:
    """Tell whether any value is outside ±limit."""
    # Two comparisons, as the absolute value of -2^63, which a peer may send, is -2^63.
    return bool(values.size and (values.max() > limit or values.min() < -limit))
