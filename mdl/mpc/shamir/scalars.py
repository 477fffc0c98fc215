"""Single elements of the two fields, as Python's integers, and interpolation with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol, TypeAlias

Matrix: TypeAlias = tuple[tuple[int, ...], ...]
"""Elements of a field, by rows."""


class Scalars(Protocol):
    """A field."""

    def __hash__(self) -> int: ...

    def minus(self, one: int, two: int) -> int:
        """Subtract."""

    def times(self, one: int, two: int) -> int:
        """Multiply."""

    def inverse(self, one: int) -> int:
        """Invert what is not zero."""


@dataclass(frozen=True)
class PrimeScalars:
    """Integers modulo a prime.

    Attributes:
        prime: the modulus.
    """

    prime: int

    def minus(self, one: int, two: int) -> int:
        """See `Scalars`."""
        return (one - two) % self.prime

    def times(self, one: int, two: int) -> int:
        """See `Scalars`."""
        return one * two % self.prime

    def inverse(self, one: int) -> int:
        """See `Scalars`."""
        return pow(one, -1, self.prime)


IRREDUCIBLE: Final = {2: 0b111, 3: 0b1011, 4: 0b10011}
"""By degree, a polynomial over GF(2) that has no factors; bit i is the coefficient of X^i."""


@dataclass(frozen=True)
class BinaryScalars:
    """GF(2^k): polynomials over GF(2) modulo an irreducible one; bit i is the coefficient of X^i.

    Attributes:
        degree: k, a key of `IRREDUCIBLE`.
    """

    degree: int

    def minus(self, one: int, two: int) -> int:
        """See `Scalars`."""
        return one ^ two

    def times(self, one: int, two: int) -> int:
        """See `Scalars`."""
        product = 0
        for place in range(self.degree):
            product ^= (one << place) * (two >> place & 1)
        for place in reversed(range(self.degree, 2 * self.degree - 1)):
            product ^= (IRREDUCIBLE[self.degree] << place - self.degree) * (product >> place & 1)
        return product

    def inverse(self, one: int) -> int:
        """See `Scalars`: its power 2^k - 2."""
        found = 1
        for _ in range((1 << self.degree) - 2):
            found = self.times(found, one)
        return found


@cache
def interpolation(field: Scalars, known: tuple[int, ...], wanted: tuple[int, ...]) -> Matrix:
    """Give what to multiply a polynomial's values by, to have its values elsewhere (Lagrange).

    Args:
        field: of the points.
        known: points, one more than the polynomial's degree, all different.
        wanted: points.

    Returns:
        A row of factors for each of the wanted points.
    """
    return tuple(tuple(_basis(field, known, point, at) for point in known) for at in wanted)


def _basis(field: Scalars, known: Sequence[int], point: int, at: int) -> int:
    above, below = 1, 1
    for other in known:
        if other != point:
            above = field.times(above, field.minus(at, other))
            below = field.times(below, field.minus(point, other))
    return field.times(above, field.inverse(below))


@cache
def powers(field: Scalars, points: tuple[int, ...], count: int) -> Matrix:
    """Give the first powers of points, a row for each exponent from zero on (Vandermonde)."""
    rows = [(1,) * len(points)]
    for _ in range(count - 1):
        rows.append(tuple(field.times(power, at) for power, at in zip(rows[-1], points, strict=True)))
    return tuple(rows)
