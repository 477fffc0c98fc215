"""Many small integers in one large one, side by side, so that sums of the large are the sums of the small.

An entry v in [-V, V] is written as v + V, in a slot of w bits, w the bit length of 2 V k for at most k
members. The sum of a slot over k' <= k members is in [0, 2 V k'], below 2^w: nothing is ever carried into the
next slot. With s = floor((L - 1) / w) slots in a plaintext modulo N, N of L bits, every sum of plaintexts is
below 2^(w s) <= 2^(L - 1) < N: it is never reduced. So sums come back exactly, once k' V is taken off each.
"""

from dataclasses import dataclass

import numpy as np
from gmpy2 import mpz, pack, unpack

from mdl.errors import OutOfRange
from mdl.schemes.fixed_point import FixedPoint
from mdl.vectors import Integers


@dataclass(frozen=True)
class Packing:
    """How the entries of a block become plaintexts.

    Attributes:
        modulus_bits: L, the bit length of N.
        fixed_point: the grid of the entries; V is its limit.
        members_limit: k, size of the largest active set.
    """

    modulus_bits: int
    fixed_point: FixedPoint
    members_limit: int

    @property
    def slot_bits(self) -> int:
        """The width w of a slot."""
        return (2 * self.fixed_point.bound(self.members_limit)).bit_length()

    @property
    def slots(self) -> int:
        """Entries that a plaintext holds."""
        return (self.modulus_bits - 1) // self.slot_bits

    def problems(self) -> list[str]:
        """Say why sums do not fit; [] if they do."""
        # Sums are read into signed words of 64 bits; and a slot has to fit into a plaintext.
        room = min(63, self.modulus_bits - 1)
        if self.slot_bits > room:
            return [
                f"sums of {self.members_limit} entries within ±{self.fixed_point.limit:,} take slots of "
                f"{self.slot_bits} bits, but {room} fit: lower range or fraction_bits"
            ]
        return []

    def plaintexts(self, block: int) -> int:
        """Give the number of plaintexts that a block of so many entries takes."""
        return -(-block // self.slots)

    def write(self, entries: Integers) -> list[list[mpz]]:
        """Pack blocks of entries within ±V, shape (blocks, block): the plaintexts of each block."""
        rows, slots, width = (entries + self.fixed_point.limit).tolist(), self.slots, self.slot_bits
        return [[pack(row[at : at + slots], width) for at in range(0, len(row), slots)] for row in rows]

    def read(self, plaintexts: list[list[mpz]], block: int, members: int) -> Integers:
        """Unpack the sums of so many members' plaintexts: shape (len(plaintexts), block).

        Raises:
            OutOfRange: a plaintext is no such sum.
        """
        largest = 2 * self.fixed_point.bound(members)
        # A plaintext that uses more slots than it should gives more values than it should.
        slots = [min(self.slots, block - at) for at in range(0, block, self.slots)]
        rows = [
            [value for sums, count in zip(row, slots, strict=True) for value in self._values(sums, count)]
            for row in plaintexts
        ]
        total = np.array(rows, np.int64).reshape(len(rows), block)
        if total.size and total.max() > largest:
            raise OutOfRange(f"a plaintext holds no sums of {members} entries: a share or a body is wrong")
        return total - self.fixed_point.bound(members)

    def _values(self, plaintext: mpz, count: int) -> list[int]:
        values = unpack(plaintext, self.slot_bits)
        if len(values) > count:
            raise OutOfRange("a plaintext is larger than any sum: a share or a body is wrong")
        return [*values, *[0] * (count - len(values))]
