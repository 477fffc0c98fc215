"""Activations that cost little where a network is computed in secret."""

from torch import Tensor, nn


class Quadratic(nn.Module):
    """(x² + linear x) / 2^power: one product, and in fixed point one rounding.

    The usual one, x²/8 + x/2, is close to what others call 0.1 x² + 0.5 x.

    Args:
        power: at least 0.
        linear: an integer.
    """

    def __init__(self, power: int = 3, linear: int = 4) -> None:
        super().__init__()
        self.power, self.linear = power, linear

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to each entry."""
        found: Tensor = (x * x + self.linear * x) / (1 << self.power)
        return found

    def extra_repr(self) -> str:
        """Say how it is set."""
        return f"power={self.power}, linear={self.linear}"
