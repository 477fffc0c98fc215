"""Functions of masks, in the clear, as whoever knows a mask computes them. λ stands for -m: x' = x + λ."""

from typing import Final

import torch
from torch import Tensor

from mdl.mpc.engine import WORD_BITS

DIGIT_BITS: Final = 4
DIGITS: Final = 8
"""Comparisons are of 32-bit words, in digits of four bits."""

_UPPER_HALF: Final = 0xFF00


def quotient(mask: Tensor, drop: int) -> tuple[Tensor, Tensor]:
    """Give minus the quotient of λ, read as an unsigned number, by 2^drop; and the topmost bit of λ.

    The bit is in the type of `wrap_word`.
    """
    unsigned = -mask
    topmost = -(unsigned >> WORD_BITS - 1)
    return -shifted_down(unsigned, drop), topmost.to(wrap_word(drop))


def shifted_down(words: Tensor, drop: int) -> Tensor:
    """Divide by 2^drop what is read as unsigned numbers, int64."""
    return words >> drop & (1 << WORD_BITS - drop) - 1


def wrap_word(drop: int) -> torch.dtype:
    """Give a type that has `drop` bits."""
    return torch.int16 if drop <= 16 else torch.int32


def wrapped(words: Tensor, drop: int) -> Tensor:
    """Give words of `drop` bits as the topmost of 64; higher bits go."""
    return words.to(torch.int64) << WORD_BITS - drop


def digits(words: Tensor, places: int) -> Tensor:
    """Give the `places` lowest bits of words as the topmost of 32, in digits, the lowest first.

    Returns:
        Shape (8, ...), int16, entries in [0, 16).
    """
    low = (words << DIGIT_BITS * DIGITS - places).to(torch.int32)
    return torch.stack(
        [(low >> DIGIT_BITS * place & (1 << DIGIT_BITS) - 1).to(torch.int16) for place in range(DIGITS)]
    )


def tables(mask: Tensor, places: int, *, signed: bool) -> Tensor:
    """Give, for the digits d of λ, words whose bit v answers for any digit v of x': is v below d?

    If `signed` the topmost digit's words tell instead if v - d, modulo 16, is 8 or above.

    Returns:
        Shape (8, ...), int16.
    """
    of_mask = digits(-mask, places).to(torch.int32)
    below = (1 << of_mask) - 1
    if signed:
        top = of_mask[-1]
        below[-1] = (_UPPER_HALF << top) | (_UPPER_HALF >> 16 - top)
    return below.to(torch.int16)


def binary(mask: Tensor) -> Tensor:
    """Give the 32 lowest digits of λ, as a word, int32."""
    return (-mask).to(torch.int32)
