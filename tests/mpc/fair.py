"""Bits that are told from a fair coin's tosses only by ones too many or too few."""

from math import sqrt

from torch import Tensor


def is_fair(bits: Tensor, deviations: float = 6.0) -> bool:
    """Tell if ones are as many as a fair coin's within six deviations: once in 5 * 10^8 they are not."""
    count = bits.numel()
    return abs(int(bits.sum()) - count / 2) < deviations * sqrt(count) / 2
