"""Exponentiation of one base modulo any number by a comb: few products a power, from a table of any size.

[LimLee94] C. Lim, P. Lee, More flexible exponentiation with precomputation, CRYPTO '94. An exponent is cut
into `teeth` rows of `tables` * `steps` bits, written below one another. A column of bits, one of each tooth,
is a digit: it names an entry of a table, which is the product of the powers of the base that its bits stand
for. A power takes tables * steps products, and steps - 1 squarings:

- few tables and many steps suit bases that stay, in their hundreds: the tables are kept;
- one step, as many tables as digits, suits a base that is raised to some hundred exponents and forgotten.

Nothing here is constant time; Python could not keep such a promise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from gmpy2 import mpz, powmod_exp_list
from numpy.typing import NDArray

Digits = NDArray[np.intp]

MOST_TEETH: Final = 8
"""Tables of more than 2^8 entries take longer to build than they save."""

LADDER_COST: Final = 1.15
"""What a bit of an exponent costs in `gmpy2.powmod`, in products of 4096 bits that Python asks for singly."""


@dataclass(frozen=True)
class Shape:
    """How exponents are cut.

    Attributes:
        bits: exponents are in [0, 2^bits).
        teeth: bits of a digit.
        tables: digits looked up between two squarings.
    """

    bits: int
    teeth: int
    tables: int

    @property
    def steps(self) -> int:
        """Digits that share a table."""
        return -(-self.bits // (self.teeth * self.tables))

    def digits(self, exponents: Sequence[int]) -> Digits:
        """Cut exponents into digits, shape (len(exponents), steps, tables), in the order of their use."""
        columns = self.tables * self.steps
        width = -(-self.teeth * columns // 8)
        written = b"".join(exponent.to_bytes(width, "little") for exponent in exponents)
        octets = np.frombuffer(written, np.uint8).reshape(-1, width)
        bits = np.unpackbits(octets, axis=1, count=self.teeth * columns, bitorder="little")
        rows = bits.reshape(-1, self.teeth, self.tables, self.steps).astype(np.intp)
        digits: Digits = np.einsum("eijs,i->esj", rows, 1 << np.arange(self.teeth))
        return digits[:, ::-1]


@dataclass(frozen=True, eq=False)
class Comb:
    """Powers of one base.

    Attributes:
        modulus: what everything is reduced by.
        shape: how exponents are cut.
        entries: a table for each digit between two squarings; 2^teeth entries each.
    """

    modulus: mpz
    shape: Shape
    entries: tuple[tuple[mpz, ...], ...] = field(repr=False)

    def power(self, digits: Sequence[Sequence[int]]) -> mpz:
        """Raise the base to the exponent that `Shape.digits` cut into these, as lists."""
        modulus, power = self.modulus, mpz(1)
        for step in digits:
            power = power * power % modulus
            for table, digit in zip(self.entries, step, strict=True):
                power = power * table[digit] % modulus
        return power


def comb(base: mpz, modulus: mpz, shape: Shape) -> Comb:
    """Build the tables: shape.bits squarings, and 2^teeth products a table."""
    steps, columns = shape.steps, shape.tables * shape.steps
    powers = [base]
    for _ in range(shape.teeth * columns - 1):
        powers.append(powers[-1] * powers[-1] % modulus)
    teeth = [powers[place::columns] for place in range(0, columns, steps)]
    return Comb(modulus, shape, tuple(_subset_products(bases, modulus) for bases in teeth))


def powers(base: mpz, modulus: mpz, exponents: Sequence[int], bits: int) -> list[mpz]:
    """Raise one base to many exponents in [0, 2^bits), by a table that is then forgotten."""
    teeth = min(range(1, MOST_TEETH + 1), key=lambda teeth: _products(teeth, bits, len(exponents)))
    if _products(teeth, bits, len(exponents)) > LADDER_COST * bits * len(exponents):
        # The call for a list releases the interpreter's lock for all of it.
        return list(powmod_exp_list(base, list(exponents), modulus))
    shape = Shape(bits, teeth, tables=-(-bits // teeth))
    table = comb(base, modulus, shape)
    return [table.power(digits) for digits in shape.digits(exponents).tolist()]


def _products(teeth: int, bits: int, exponents: int) -> int:
    """Count the products of building a table of one step, and of using it."""
    return bits + -(-bits // teeth) * ((1 << teeth) + exponents)


def _subset_products(bases: Sequence[mpz], modulus: mpz) -> tuple[mpz, ...]:
    """Multiply the bases of every subset; bit i of a place tells whether bases[i] is in it."""
    products = [mpz(1)]
    for base in bases:
        products += [product * base % modulus for product in products]
    return tuple(products)
