"""Exponentiation of a base that stays: a table turns it into one product a byte of the exponent.

The table holds T[i][d] = base^(d * 256^i). Bytes are the digits, because `int.to_bytes` cuts an exponent into
them in one call; other radices measured slower or took many times the memory. At 2048 bits a table for
256-bit exponents takes 2.4 MiB and 12 ms.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from gmpy2 import mpz

from mdl.schemes.groups import Group


@dataclass(frozen=True)
class FixedBase:
    """Powers of one base.

    Attributes:
        group: where the base lives.
        rows: T, a row for each byte of an exponent, the lowest first; 256 entries each.
    """

    group: Group
    rows: tuple[tuple[mpz, ...], ...] = field(repr=False)

    def times_powers(self, starts: Sequence[mpz], exponents: Sequence[int]) -> list[mpz]:
        """Compute start * base^exponent for each pair.

        Args:
            starts: integers modulo p.
            exponents: one for each start, in [0, 256^len(rows)).

        Returns:
            Canonical elements.
        """
        # One exponent of 32 bytes is 32 turns of the inner loop: everything that can be is outside it.
        p, rows, canonical = self.group.p, self.rows, self.group.canonical
        width = max((exponent.bit_length() + 7) // 8 for exponent in exponents) if exponents else 0
        assert width <= len(rows)
        powers = []
        for power, exponent in zip(starts, exponents, strict=True):
            for row, digit in zip(rows, exponent.to_bytes(width, "little"), strict=False):
                power = power * row[digit] % p
            powers.append(canonical(power))
        return powers

    def powers(self, exponents: Sequence[int]) -> list[mpz]:
        """Compute base^exponent for each exponent in [0, 256^len(rows)), canonical."""
        return self.times_powers([mpz(1)] * len(exponents), exponents)


@lru_cache(maxsize=8)
def fixed_base(group: Group, base: mpz) -> FixedBase:
    """Build the table for exponents below the group's nonce bound, once per process and base.

    Eight tables are kept: g and h of a few keys. All of it is public.
    """
    rows = []
    for _ in range(-(-(group.nonce_bound - 1).bit_length() // 8)):
        row = [mpz(1)]
        for _ in range(255):
            row.append(row[-1] * base % group.p)
        rows.append(tuple(row))
        base = row[-1] * base % group.p
    return FixedBase(group=group, rows=tuple(rows))
