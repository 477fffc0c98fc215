"""Functions of masks, in the clear, as whoever knows a mask computes them. λ stands for -m: x' = x + λ."""

import torch
from torch import Tensor

from mdl.mpc.ring import RING_64, WORD_BITS, Ring


def quotient(mask: Tensor, drop: int, ring: Ring = RING_64) -> tuple[Tensor, Tensor]:
    """Give minus the quotient of λ, read as an unsigned number, by 2^drop; and the topmost bit of λ.

    The bit is in the type of `wrap_word`.
    """
    unsigned = ring.signed(-mask)
    topmost = -(unsigned >> WORD_BITS - 1)
    return -shifted_down(unsigned, drop, ring), topmost.to(wrap_word(drop))


def shifted_down(words: Tensor, drop: int, ring: Ring = RING_64) -> Tensor:
    """Divide by 2^drop what is read as unsigned numbers, int64."""
    return words >> drop & (1 << ring.word_bits - drop) - 1


def wrap_word(drop: int) -> torch.dtype:
    """Give a type that has `drop` bits."""
    return torch.int16 if drop <= 16 else torch.int32


def wrapped(words: Tensor, drop: int, ring: Ring = RING_64) -> Tensor:
    """Give words of `drop` bits as the topmost of a number; higher bits go."""
    return words.to(torch.int64) << ring.word_bits - drop


def digits(words: Tensor, places: int, ring: Ring = RING_64) -> Tensor:
    """Give the `places` lowest bits of words as the topmost of those compared, in digits, the lowest first.

    Returns:
        Shape (digits, ...), int16, entries in [0, 2^digit_bits).
    """
    low = (words << ring.compared_bits - places).to(torch.int32)
    bits = ring.digit_bits
    return torch.stack(
        [(low >> bits * place & (1 << bits) - 1).to(torch.int16) for place in range(ring.digits)]
    )


def tables(mask: Tensor, places: int, *, signed: bool, ring: Ring = RING_64) -> Tensor:
    """Give, for the digits d of λ, words whose bit v answers for any digit v of x': is v below d?

    If `signed` the topmost digit's words tell instead if v - d, as a digit, has its topmost bit set.

    Returns:
        Shape (digits, ...), int16, of 2^digit_bits bits.
    """
    of_mask = digits(-mask, places, ring).to(torch.int32)
    below = (1 << of_mask) - 1
    if signed:
        top, size = of_mask[-1], 1 << ring.digit_bits
        upper_half = (1 << size) - (1 << size // 2)
        below[-1] = (upper_half << top) | (upper_half >> size - top)
    return below.to(torch.int16)


def binary(mask: Tensor) -> Tensor:
    """Give the 32 lowest digits of λ, as a word, int32."""
    return (-mask).to(torch.int32)
