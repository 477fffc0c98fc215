"""Numbers about shapes: slopes, ratios, and the words that say them."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Give the slope of the least-squares line."""
    return float(np.polyfit(x, y, 1)[0])


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """Give the power of x that y grows with: the slope of the least-squares line of logarithms."""
    return slope(np.log(x).tolist(), np.log(y).tolist())


def correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Give Pearson's r."""
    return float(np.corrcoef(x, y)[0, 1])


def rises(values: Sequence[float], tolerance: float = 0.0) -> bool:
    """Say whether no value lies below the one before it by more than so much."""
    return all(after >= before - tolerance for before, after in pairwise(values))


def listed(values: Sequence[float], digits: int = 3) -> str:
    """Write numbers one after the other."""
    return ", ".join(f"{value:.{digits}g}" for value in values)
