"""Vectors over the two fields that are shared: integers modulo 2^89 - 1, and words of bits over GF(2^k)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor

from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import FIELD_89
from mdl.mpc.rounds import Wanted
from mdl.mpc.shamir.scalars import IRREDUCIBLE, BinaryScalars, PrimeScalars, Scalars
from mdl.mpc.wide import Wide, bilinear, combined
from mdl.party import PartyId

V = TypeVar("V")
"""A vector."""

Matrix: TypeAlias = Sequence[Sequence[int]]
"""Constants of the field, by rows."""


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

    def packed(self, vector: V) -> Tensor:
        """Write a vector for a message."""

    def unpacked(self, data: Tensor) -> V:
        """Read a message."""

    def wanted(self, sender: PartyId, count: int, like: V) -> Wanted:
        """Say what comes when a vector is sent, of the type that another one has."""


@dataclass(frozen=True)
class Prime:
    """Integers modulo 2^89 - 1."""

    @property
    def scalars(self) -> Scalars:
        """See `Field`."""
        return PrimeScalars(FIELD_89.modulus)

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
        modulus = FIELD_89.modulus
        centred = [[(factor + modulus // 2) % modulus - modulus // 2 for factor in row] for row in matrix]
        if max(sum(map(abs, row)) for row in centred) <= _SMALL:
            factors = torch.tensor(centred)
            found = combined(vectors, lambda limbs: factors @ torch.stack(list(limbs)))
        else:
            wide = Wide.constants([factor for row in centred for factor in row], FIELD_89)
            rows = combined(vectors, lambda limbs: torch.stack(list(limbs)))
            found = bilinear(torch.matmul, wide.reshape(len(matrix), len(vectors)), rows)
        return [found[index] for index in range(len(matrix))]

    def cut(self, vector: Wide, part: slice) -> Wide:
        """See `Field`."""
        return vector[part]

    def joined(self, vectors: Sequence[Wide]) -> Wide:
        """See `Field`."""
        return combined(vectors, lambda limbs: torch.cat(list(limbs)))

    def packed(self, vector: Wide) -> Tensor:
        """See `Field`."""
        return vector.packed()

    def unpacked(self, data: Tensor) -> Wide:
        """See `Field`."""
        return Wide.unpacked(data, FIELD_89)

    def wanted(self, sender: PartyId, count: int, like: Wide) -> Wanted:
        """See `Field`."""
        return Wanted(sender, torch.Size([count, like.residues.size_bytes]), torch.uint8)


_SMALL: Final = 1 << 38


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
        """Multiply entries, bit by bit."""
        k = self.degree
        product = torch.zeros(2 * k - 1, *one.shape[1:], dtype=one.dtype)
        for place in range(k):
            product[place : place + k] ^= one[place] & two
        for place in reversed(range(k, 2 * k - 1)):
            for power in range(k):
                if IRREDUCIBLE[k] >> power & 1:
                    product[place - k + power] ^= product[place]
        return product[:k]

    def combined(self, matrix: Matrix, vectors: Sequence[Tensor]) -> list[Tensor]:
        """See `Field`."""
        found = []
        for row in matrix:
            total = torch.zeros_like(vectors[0])
            for factor, vector in zip(row, vectors, strict=True):
                for power in range(self.degree):
                    # What a coefficient of X^power becomes.
                    image = self.scalars.times(factor, 1 << power)
                    for place in range(self.degree):
                        if image >> place & 1:
                            total[place] ^= vector[power]
            found.append(total)
        return found

    def cut(self, vector: Tensor, part: slice) -> Tensor:
        """See `Field`."""
        return vector[:, part]

    def joined(self, vectors: Sequence[Tensor]) -> Tensor:
        """See `Field`."""
        return torch.cat(list(vectors), 1)

    def packed(self, vector: Tensor) -> Tensor:
        """See `Field`."""
        return vector

    def unpacked(self, data: Tensor) -> Tensor:
        """See `Field`."""
        return data

    def wanted(self, sender: PartyId, count: int, like: Tensor) -> Wanted:
        """See `Field`."""
        return Wanted(sender, torch.Size([self.degree, count]), like.dtype)
