"""Which grids gradients may be encoded on, where the file leaves the choice."""

import math
from typing import Final, Literal

from mdl.privacy.settings import AnyNoise, coarsest_bits
from mdl.schemes.fixed_point import MAX_FRACTION_BITS, MAX_LIMIT_BITS, FixedPoint

DEFAULT_RANGE: Final = 16.0
DEFAULT_BITS: Final = 12


def grids(
    largest: float | Literal["auto"], bits: int | Literal["auto"], noise: AnyNoise | None
) -> list[FixedPoint]:
    """Give the grids that are left to choose from, from the finest to the coarsest; at least one.

    What is given holds. Without noise the rest is as ever; with noise the range is what clip and noise need,
    and the grid has at most `DEFAULT_BITS` fraction bits, or as many as the clip needs at least.

    Raises:
        ValueError: there is no such grid.
    """
    if largest == "auto":
        largest = noise.reach if noise else DEFAULT_RANGE
    if bits != "auto":
        return [FixedPoint(largest, bits)]
    if noise is None:
        return [FixedPoint(largest, DEFAULT_BITS)]
    coarsest = coarsest_bits(noise)
    finest = min(max(DEFAULT_BITS, coarsest), MAX_FRACTION_BITS, MAX_LIMIT_BITS - math.frexp(largest)[1])
    if finest < coarsest:
        raise ValueError(
            f"no grid holds a clip of {noise.clip:g} beside values up to {largest:.3g}: "
            "raise privacy.epsilon (less noise), or change privacy.clip"
        )
    return [FixedPoint(largest, each) for each in range(finest, coarsest - 1, -1)]
