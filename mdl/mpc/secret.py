"""Secrets as a party holds them: shares on which whatever is linear is computed locally."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor

Linear: TypeAlias = Callable[[Tensor], Tensor]
"""A map that is linear over the ring: slices, permutations, sums, products with what is public."""


@dataclass(frozen=True, eq=False)
class Secret:
    """Integers modulo 2^64, as one party holds them.

    Attributes:
        parts: this party's components, int64, all of the secret's shape.
        units: for each, 1 if what is added publicly goes into that component, else 0.
    """

    parts: tuple[Tensor, ...]
    units: tuple[int, ...]

    def __repr__(self) -> str:
        return f"Secret(shape={tuple(self.shape)})"

    @property
    def shape(self) -> torch.Size:
        """Of the secret."""
        return self.parts[0].shape

    def map(self, linear: Linear) -> Self:
        """Apply a linear map to the secret."""
        return type(self)(tuple(linear(part) for part in self.parts), self.units)

    def __add__(self, other: "Secret | Tensor | int") -> Self:
        if isinstance(other, Secret):
            pairs = zip(self.parts, other.parts, strict=True)
            return type(self)(tuple(one + two for one, two in pairs), self.units)
        pairs_of_units = zip(self.parts, self.units, strict=True)
        return type(self)(tuple(part + unit * other for part, unit in pairs_of_units), self.units)

    def __sub__(self, other: "Secret | Tensor | int") -> Self:
        if isinstance(other, Secret):
            pairs = zip(self.parts, other.parts, strict=True)
            return type(self)(tuple(one - two for one, two in pairs), self.units)
        return self + -other

    def __neg__(self) -> Self:
        return self.map(torch.neg)

    def __mul__(self, factor: Tensor | int) -> Self:
        """Multiply by public integers."""
        return self.map(lambda part: part * factor)

    def __lshift__(self, bits: int) -> Self:
        return self.map(lambda part: part << bits)

    def __getitem__(self, index: Any) -> Self:
        return self.map(lambda part: part[index])

    def reshape(self, *shape: int) -> Self:
        """Reshape it."""
        return self.map(lambda part: part.reshape(*shape))

    def expand(self, *shape: int) -> Self:
        """Repeat it along axes of length one."""
        return self.map(lambda part: part.expand(*shape))

    def sum(self, axis: int) -> Self:
        """Add along an axis."""
        return self.map(lambda part: part.sum(axis))


@dataclass(frozen=True, eq=False)
class Bits:
    """Words of bits, shared so that the components' exclusive or is the secret.

    Attributes:
        parts: this party's components, of an integer type, all of the secret's shape.
        units: for each, 1 if what is added publicly goes into that component, else 0.
        kept: what an engine has made of them and may use again.
    """

    parts: tuple[Tensor, ...]
    units: tuple[int, ...]
    kept: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Bits(shape={tuple(self.shape)})"

    @property
    def shape(self) -> torch.Size:
        """Of the secret."""
        return self.parts[0].shape

    def map(self, linear: Linear) -> "Bits":
        """Apply a map that is linear over exclusive or."""
        return Bits(tuple(linear(part) for part in self.parts), self.units)

    def __xor__(self, other: "Bits | int") -> "Bits":
        if isinstance(other, Bits):
            return Bits(
                tuple(one ^ two for one, two in zip(self.parts, other.parts, strict=True)), self.units
            )
        pairs = zip(self.parts, self.units, strict=True)
        return Bits(tuple(part ^ other if unit else part for part, unit in pairs), self.units)

    def __getitem__(self, index: Any) -> "Bits":
        return self.map(lambda part: part[index])

    def digit(self, place: int) -> "Bits":
        """Give one binary digit of each word, as words of one bit, uint8."""
        return self.map(lambda part: (part >> place & 1).to(torch.uint8))

    def shifted(self, places: int) -> "Bits":
        """Move the digits of 32-bit words up, or down if `places` is negative; what comes in is zero."""
        if places >= 0:
            return self.map(lambda part: part << places)
        kept = (1 << 32 + places) - 1
        return self.map(lambda part: part >> -places & kept)


def concatenated(secrets: Sequence[Secret], axis: int = 0) -> Secret:
    """Join secrets along an axis."""
    columns = zip(*(secret.parts for secret in secrets), strict=True)
    return Secret(tuple(torch.cat(column, axis) for column in columns), secrets[0].units)


def stacked(secrets: Sequence[Secret], axis: int = 0) -> Secret:
    """Join secrets along a new axis."""
    columns = zip(*(secret.parts for secret in secrets), strict=True)
    return Secret(tuple(torch.stack(column, axis) for column in columns), secrets[0].units)


def stacked_bits(bits: Sequence[Bits], axis: int = 0) -> Bits:
    """Join words of bits along a new axis."""
    columns = zip(*(each.parts for each in bits), strict=True)
    return Bits(tuple(torch.stack(column, axis) for column in columns), bits[0].units)
