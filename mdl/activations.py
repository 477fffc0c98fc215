"""Layers that take additions and one product at most: cheap where values are hidden.

A comparison of hidden numbers costs many times a product, which rules out ReLU where messages count. A square
in its place was CryptoNets' (R. Gilad-Bachrach et al., ICML 2016). With a linear part, the slope at zero is
not zero, which deeper networks need to begin learning.
"""

import torch
from torch import nn


class Quadratic(nn.Module):
    """y = (x² + linear · x) / 2^power, of each value.

    To divide by a power of two is one truncation of a fixed-point number, and exact in floating point. By
    default y = x²/8 + x/2.

    Args:
        power: m of the divisor 2^m, at least 0.
        linear: the whole number that x is multiplied by before the division.

    Raises:
        ValueError: the power is negative.
    """

    def __init__(self, power: int = 3, linear: int = 4) -> None:
        super().__init__()
        if power < 0:
            raise ValueError(f"power should be at least 0, not {power}")
        self.power, self.linear = power, linear

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Apply it to values of any shape."""
        return values * (values + self.linear) / (1 << self.power)

    def extra_repr(self) -> str:
        """Say which parabola it is, for the printed network."""
        return f"power={self.power}, linear={self.linear}"


class Square(Quadratic):
    """y = x²: the parabola without a linear part."""

    def __init__(self) -> None:
        super().__init__(power=0, linear=0)

    def extra_repr(self) -> str:
        """Nothing needs to be said."""
        return ""


class Centred(nn.Module):
    """y = (x - middle) 2^power, of each value: images in [0, 1) around zero.

    By default they are in [-2, 2), where networks learn faster.

    Args:
        middle: a multiple of 2^-12.
        power: at least 0.

    Raises:
        ValueError: it is no such number.
    """

    def __init__(self, middle: float = 0.5, power: int = 2) -> None:
        super().__init__()
        if power < 0 or not float(middle * 4096).is_integer():
            raise ValueError(f"middle should be a multiple of 2^-12, power at least 0, not {middle}, {power}")
        self.middle, self.power = middle, power

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Apply it to values of any shape."""
        return (values - self.middle) * (1 << self.power)

    def extra_repr(self) -> str:
        """Say how it is set, for the printed network."""
        return f"middle={self.middle}, power={self.power}"
