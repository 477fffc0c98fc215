"""Vectors over the two fields that are shared: integers modulo a prime, and words of bits over GF(2^k)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import isqrt, lcm
from typing import Final, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import FIELD_127, Residues
from mdl.mpc.rounds import Wanted
from mdl.mpc.shamir.scalars import IRREDUCIBLE, BinaryScalars, Matrix, PrimeScalars, Scalars
from mdl.mpc.wide import Wide, combined
from mdl.party import PartyId

V = TypeVar("V")
"""A vector."""


class Field(Protocol, Generic[V]):
    """Computes with vectors."""

    @property
    def scalars(self) -> Scalars:
        """The field itself."""

    def size(self, vector: V) -> int:
        """Count the entries."""

    def drawn(self, stream: Keystream, count: int, like: V) -> V:
        """Draw uniform entries, of the type that another vector has."""

    def zeros(self, count: int, like: V) -> V:
        """Give zeros, of the type that another vector has."""

    def plus(self, one: V, two: V) -> V:
        """Add."""

    def minus(self, one: V, two: V) -> V:
        """Subtract."""

    def combined(self, matrix: Matrix, vectors: Sequence[V]) -> list[V]:
        """Give linear combinations of vectors: one for each row of factors."""

    def cut(self, vector: V, part: slice) -> V:
        """Give some entries."""

    def joined(self, vectors: Sequence[V]) -> V:
        """Put vectors one after the other."""

    def packed(self, vector: V, parts: Sequence[slice]) -> list[Tensor]:
        """Write messages with so many parts of a vector."""

    def unpacked(self, messages: Sequence[Tensor]) -> list[V]:
        """Read messages, all of the same length."""

    def wanted(self, sender: PartyId, count: int, like: V) -> Wanted:
        """Say what comes when a vector is sent, of the type that another one has."""


@dataclass(frozen=True)
class Prime:
    """Integers modulo a prime.

    Attributes:
        residues: how they are computed with.
    """

    residues: Residues = FIELD_127

    @property
    def scalars(self) -> Scalars:
        """See `Field`."""
        return PrimeScalars(self.residues.modulus)

    def size(self, vector: Wide) -> int:
        """See `Field`."""
        return vector.shape.numel()

    def drawn(self, stream: Keystream, count: int, like: Wide) -> Wide:
        """See `Field`."""
        return Wide.drawn(stream, torch.Size([count]), like.residues)

    def zeros(self, count: int, like: Wide) -> Wide:
        """See `Field`."""
        return Wide.of(torch.zeros(count, dtype=torch.int64), like.residues)

    def plus(self, one: Wide, two: Wide) -> Wide:
        """See `Field`."""
        return one + two

    def minus(self, one: Wide, two: Wide) -> Wide:
        """See `Field`."""
        return one - two

    def combined(self, matrix: Matrix, vectors: Sequence[Wide]) -> list[Wide]:
        """See `Field`."""
        factors = _factors(matrix, self.residues)
        found = combined(vectors, lambda limbs: factors.above @ torch.stack(list(limbs)))
        if factors.below is not None:
            found = found * factors.below
        return [found[index] for index in range(len(matrix))]

    def cut(self, vector: Wide, part: slice) -> Wide:
        """See `Field`."""
        return vector[part]

    def joined(self, vectors: Sequence[Wide]) -> Wide:
        """See `Field`."""
        return combined(vectors, lambda limbs: torch.cat(list(limbs)))

    def packed(self, vector: Wide, parts: Sequence[slice]) -> list[Tensor]:
        """See `Field`."""
        data = vector.packed()
        return [data[part] for part in parts]

    def unpacked(self, messages: Sequence[Tensor]) -> list[Wide]:
        """See `Field`."""
        if not messages:
            return []
        rows = Wide.unpacked(torch.stack(list(messages)), self.residues)
        return [rows[index] for index in range(len(messages))]

    def wanted(self, sender: PartyId, count: int, like: Wide) -> Wanted:
        """See `Field`."""
        return Wanted(sender, torch.Size([count, like.residues.size_bytes]), torch.uint8)


@dataclass(frozen=True)
class _Fractions:
    """Elements of a prime field, as fractions of small integers.

    Attributes:
        above: the numerators, int64; limbs may be multiplied by a row of them and added up.
        below: the inverse of the common denominator; None if that is one.
    """

    above: Tensor
    below: Wide | None


@cache
def _factors(matrix: Matrix, residues: Residues) -> _Fractions:
    """Prepare factors. They are fractions of small integers, as parties' points are small."""
    prime = residues.modulus
    # Where f = N / D modulo p, N and D being below half the root of p, f / p is N / D p away from a fraction
    # with denominator D, and further from all others whose denominators are up to the root.
    root = isqrt(prime)
    below = lcm(*(Fraction(f, prime).limit_denominator(root).denominator for row in matrix for f in row))
    above = [[(f * below + prime // 2) % prime - prime // 2 for f in row] for row in matrix]
    assert max(sum(map(abs, row)) for row in above) <= 1 << residues.factor_bits
    inverse = Wide.constants([pow(below, -1, prime)], residues).reshape()
    return _Fractions(torch.tensor(above), None if below == 1 else inverse)


@dataclass(frozen=True)
class Binary:
    """Words of bits, each bit an element of GF(2^k): k planes of words, shape (k, count).

    Plane i has the coefficients of X^i, so that a word's elements are computed with at once.

    Attributes:
        degree: k.
    """

    degree: int

    @property
    def scalars(self) -> Scalars:
        """See `Field`."""
        return BinaryScalars(self.degree)

    def size(self, vector: Tensor) -> int:
        """See `Field`."""
        return vector.shape[1]

    def drawn(self, stream: Keystream, count: int, like: Tensor) -> Tensor:
        """See `Field`."""
        return stream.draw(torch.Size([self.degree, count]), like.dtype)

    def zeros(self, count: int, like: Tensor) -> Tensor:
        """See `Field`."""
        return torch.zeros(self.degree, count, dtype=like.dtype)

    def plus(self, one: Tensor, two: Tensor) -> Tensor:
        """See `Field`."""
        return one ^ two

    def minus(self, one: Tensor, two: Tensor) -> Tensor:
        """See `Field`."""
        return one ^ two

    def times(self, one: Tensor, two: Tensor) -> Tensor:
        """Multiply entries, bit by bit. Shapes broadcast after the first axis."""
        k = self.degree
        product = torch.zeros(2 * k - 1, *(one[0] & two[0]).shape, dtype=one.dtype)
        for place in range(k):
            product[place : place + k] ^= one[place] & two
        for place in reversed(range(k, 2 * k - 1)):
            for power in range(k):
                if IRREDUCIBLE[k] >> power & 1:
                    product[place - k + power] ^= product[place]
        return product[:k]

    def combined(self, matrix: Matrix, vectors: Sequence[Tensor]) -> list[Tensor]:
        """See `Field`."""
        table = _summands(self.degree, matrix)
        given = torch.cat([*vectors, torch.zeros_like(vectors[0][:1])])
        step = max(1, _BLOCK // table.numel())
        parts = [given[:, first : first + step] for first in range(0, max(1, given.shape[1]), step)]
        found = torch.cat([_folded(part[table]) for part in parts], 1)
        return list(found.reshape(len(matrix), self.degree, -1))

    def cut(self, vector: Tensor, part: slice) -> Tensor:
        """See `Field`."""
        return vector[:, part]

    def joined(self, vectors: Sequence[Tensor]) -> Tensor:
        """See `Field`."""
        return torch.cat(list(vectors), 1)

    def packed(self, vector: Tensor, parts: Sequence[slice]) -> list[Tensor]:
        """See `Field`."""
        return [vector[:, part] for part in parts]

    def unpacked(self, messages: Sequence[Tensor]) -> list[Tensor]:
        """See `Field`."""
        return list(messages)

    def wanted(self, sender: PartyId, count: int, like: Tensor) -> Wanted:
        """See `Field`."""
        return Wanted(sender, torch.Size([self.degree, count]), like.dtype)


_BLOCK: Final = 1 << 18
"""Words that are combined at once: few enough for a cache."""


def _folded(words: Tensor) -> Tensor:
    """Give the exclusive or along the second axis, whose length is a power of two."""
    while (half := words.shape[1] // 2) > 0:
        words = words[:, :half] ^ words[:, half:]
    return words[:, 0]


@cache
def _summands(degree: int, matrix: Matrix) -> Tensor:
    """Give which planes of all vectors add up to each plane of the results, filled up with one of zeros."""
    field, powers = BinaryScalars(degree), range(degree)
    found = [
        [
            index * degree + power
            for index, factor in enumerate(row)
            for power in powers
            if field.times(factor, 1 << power) >> place & 1
        ]
        for row in matrix
        for place in powers
    ]
    width = 1 << (max(map(len, found)) - 1).bit_length()
    zero = degree * len(matrix[0])
    return torch.tensor([each + [zero] * (width - len(each)) for each in found])
