"""Products of matrices modulo 2^64, by whichever way is the faster one on this processor.

Where torch multiplies int64 by vector instructions, that is the fastest. Where it does not, products of
floating-point numbers are, of which exact integers can be made: every entry is cut into three signed digits
of 22 bits, and the digits' products are added up exactly.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Final, TypeAlias

import torch
from torch import Tensor

Product: TypeAlias = Callable[[Tensor, Tensor], Tensor]

_DIGIT_BITS: Final = 22
_DIGITS: Final = 3

_EXACT_LENGTH: Final = 1 << 53 - 2 * (_DIGIT_BITS - 1)
"""Products of digits are at most 2^42; so many add up to at most 2^53, which float64 holds exactly."""

_STRIP: Final = 1024
"""Columns that are multiplied at once, so that such a strip stays in the cache."""

_NARROW: Final = 32
"""Columns that torch multiplies at once, also where there are fewer. Multiplied by a matrix's transpose, they
had better be rows of the transposed product, which take as long as they are many."""

_TRIED: Final = 128
"""The side of the matrices that are tried."""

_TRIALS: Final = 3


def matmul(one: Tensor, two: Tensor) -> Tensor:
    """Multiply int64 matrices, modulo 2^64. The first call finds out how; it takes some milliseconds."""
    return _fastest()(one, two)


def by_words(one: Tensor, two: Tensor) -> Tensor:
    """Multiply as torch does: a strip of many columns after the other, few columns by a transpose as rows."""
    columns = two.shape[1]
    if columns <= _NARROW < one.shape[0] and one.stride(0) == 1:
        return (two.t() @ one.t()).t()
    if columns <= 2 * _STRIP:
        return one @ two
    found = torch.empty(one.shape[0], columns, dtype=torch.int64)
    for first in range(0, columns, _STRIP):
        strip = slice(first, first + _STRIP)
        torch.mm(one, two[:, strip], out=found[:, strip])
    return found


def by_digits(one: Tensor, two: Tensor) -> Tensor:
    """Multiply by products of digits: six, as the other three are multiples of 2^64."""
    found = torch.zeros(one.shape[0], two.shape[1], dtype=torch.int64)
    for first in range(0, one.shape[1], _EXACT_LENGTH):
        part = slice(first, first + _EXACT_LENGTH)
        left, right = _digits(one[:, part]), _digits(two[part])
        for i in range(_DIGITS):
            for j in range(_DIGITS - i):
                found += (left[i] @ right[j]).to(torch.int64) << _DIGIT_BITS * (i + j)
    return found


def _digits(words: Tensor) -> list[Tensor]:
    """Cut words into digits in [-2^21, 2^21), the lowest first, float64; the highest is what remains."""
    half = 1 << _DIGIT_BITS - 1
    found = []
    for _ in range(_DIGITS - 1):
        digit = (words + half & 2 * half - 1) - half
        found.append(digit.to(torch.float64))
        words = (words - digit) >> _DIGIT_BITS
    return [*found, words.to(torch.float64)]


@cache
def _fastest() -> Product:
    """Try both ways on one pair of matrices, which they must agree on."""
    generator = torch.Generator().manual_seed(0)
    one, two = (torch.randint(-(2**63), 2**63 - 1, (_TRIED, _TRIED), generator=generator) for _ in range(2))
    assert torch.equal(by_words(one, two), by_digits(one, two))
    return min((by_words, by_digits), key=lambda product: _seconds(product, one, two))


def _seconds(product: Product, one: Tensor, two: Tensor) -> float:
    found = []
    for _ in range(_TRIALS):
        begun = time.perf_counter()
        product(one, two)
        found.append(time.perf_counter() - begun)
    return min(found)
