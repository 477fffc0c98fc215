"""Exponentiation of a base that stays, or is used many times: which table is worth its making.

A table of width w holds, for each digit i of w bits that an exponent may have, the base's powers to all
values of that digit: an exponentiation becomes one product a digit. Wider digits are fewer products, but
more entries to make.
"""

from functools import lru_cache
from typing import Any, Final

from mdl.schemes.prime_order import AnyGroup

KEPT_WIDTH: Final = 8
"""Of tables that are kept: wider ones measured slower, or took many times the memory."""


def bits_of(exponents: range) -> int:
    """Give the bits of the longest exponent, counted from the start of its range."""
    # `len` of a range fails from 2^63 on.
    return (exponents.stop - exponents.start - 1).bit_length()


def best_width(bits: int, uses: int | None, *, entry: float, digit: float, plain: float) -> int:
    """Choose the width of a table that serves so many exponentiations, 1 to 8; 0 where none is worth it.

    Args:
        bits: of the longest exponent.
        uses: how many exponentiations; None for a table that is kept.
        entry: the cost of making an entry,
        digit: of a product,
        plain: and of an exponentiation without a table.
    """
    if uses is None:
        return KEPT_WIDTH

    def each(width: int) -> float:
        digits = -(-bits // width)
        return digits * (digit + entry * (1 << width) / uses) if uses else plain

    best = min(range(1, KEPT_WIDTH + 1), key=each)
    return best if each(best) < plain else 0


@lru_cache(maxsize=8)
def kept_table(group: AnyGroup, base: bytes, exponents: range) -> Any:
    """Build the table of a packed base once per process.

    Eight are kept: those of g and h for a few keys. All of it is public.
    """
    return group.power_table(group.unpack(base), exponents)
