"""Bits that are told from a fair coin's tosses only by ones too many or too few."""

from math import sqrt

from torch import Tensor


def is_fair(bits: Tensor) -> bool:
    """Tell if ones are as many as a fair coin's within six deviations: once in 5 * 10^8 they are not."""
    count = bits.numel()
    assert count >= 1000, "of few, whatever they are, too many may be alike"
    return abs(int(bits.sum()) - count / 2) < 6 * sqrt(count) / 2
