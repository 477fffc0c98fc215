"""Units modulo a number that need not be prime: on the wire, multiplied, inverted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gmpy2 import gcd, invert, mpz

from mdl.errors import InvalidShare
from mdl.party import PartyId


@dataclass(frozen=True)
class Residues:
    """The units modulo a number.

    Attributes:
        modulus: what everything is reduced by.
    """

    modulus: mpz

    @property
    def width(self) -> int:
        """Bytes of a residue on the wire."""
        return -(-int(self.modulus.bit_length()) // 8)

    def pack(self, residues: Iterable[mpz]) -> bytes:
        """Write residues at fixed width, big-endian."""
        width = self.width
        return b"".join([residue.to_bytes(width, "big") for residue in residues])

    def unpack(self, packed: bytes, count: int, culprits: Sequence[PartyId]) -> list[mpz]:
        """Read `count` residues of fixed width. Ranges are checked; whether they are units is not.

        Raises:
            InvalidShare: the length is another, or an integer is not in [1, modulus).
        """
        width, read = self.width, mpz.from_bytes
        if len(packed) != count * width:
            raise InvalidShare(f"{len(packed)} bytes are not {count} residues of {width} bytes", culprits)
        residues = [read(packed[at : at + width], "big") for at in range(0, len(packed), width)]
        if residues and not (min(residues) >= 1 and max(residues) < self.modulus):
            raise InvalidShare("an integer outside the range of the residues", culprits)
        return residues

    def are_units(self, residues: Iterable[mpz]) -> bool:
        """Tell whether all of these have inverses: whether their product has one."""
        product = mpz(1)
        for residue in residues:
            product = product * residue % self.modulus
        return bool(gcd(product, self.modulus) == 1)

    def check_units(self, columns: Mapping[PartyId, Sequence[mpz]]) -> None:
        """Make sure that all have inverses.

        Raises:
            InvalidShare: with the senders of what has none.
        """
        if culprits := [sender for sender, column in columns.items() if not self.are_units(column)]:
            raise InvalidShare("a residue that is no unit", culprits)

    def multiply_sent(self, columns: Mapping[PartyId, Sequence[mpz]]) -> list[mpz]:
        """Multiply what the senders sent, row by row.

        Raises:
            InvalidShare: with the senders of what is no unit.
        """
        products = self.multiply(list(columns.values()))
        if not self.are_units(products):
            self.check_units(columns)
        return products

    def multiply(self, columns: Sequence[Sequence[mpz]]) -> list[mpz]:
        """Multiply columns of equal length row by row; at least one column."""
        products = list(columns[0])
        for column in columns[1:]:
            products = [x * y % self.modulus for x, y in zip(products, column, strict=True)]
        return products

    def inverses(self, units: Sequence[mpz]) -> list[mpz]:
        """Invert many units by one inversion and three products each (Montgomery's trick)."""
        prefixes = [mpz(1)]
        for unit in units:
            prefixes.append(prefixes[-1] * unit % self.modulus)
        rest, inverted = invert(prefixes.pop(), self.modulus), []
        for unit, prefix in zip(reversed(units), reversed(prefixes), strict=True):
            inverted.append(rest * prefix % self.modulus)
            rest = rest * unit % self.modulus
        return inverted[::-1]
