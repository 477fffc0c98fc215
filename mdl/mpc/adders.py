"""Carries of an addition in binary, over replicated bits: all that is asked of an engine is a conjunction.

Words are tensors or arrays, as the engine's are; they have a first axis, for the components that a party
holds. They are of `bits` binary digits, a power of two; what is above these has no meaning.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from mdl.mpc.ring import W

And: TypeAlias = Callable[[W, W], Awaitable[W]]
"""The bitwise and of shared words, of their own type; fresh memory."""

_Kind: TypeAlias = tuple[torch.dtype, np.dtype[Any]]

_BYTE: Final[_Kind] = (torch.uint8, np.dtype(np.uint8))
_SHORT: Final[_Kind] = (torch.int16, np.dtype(np.int16))
_WORDS: Final = {16: _SHORT, 8: _BYTE, 4: _BYTE, 2: _BYTE}
"""By h, a type that holds h bits."""


def ordered(words: W, bits: int) -> W:
    """Put the digits of words, int32, where `carried` wants them: positions' digits are reversed.

    The first and the last stay where they are.
    """
    for distance, mask in _swaps(bits):
        moved = words >> distance
        moved ^= words
        moved &= mask
        moved *= 1 + (1 << distance)
        moved ^= words
        words = moved
    return words


@cache
def _swaps(bits: int) -> list[tuple[int, int]]:
    """Give exchanges of bits (distance, mask) that reverse the digits of every bit's position in a word."""
    digits = bits.bit_length() - 1
    return [
        (
            (1 << digits - 1 - low) - (1 << low),
            sum(
                1 << place for place in range(bits) if place >> low & 1 and not place >> digits - 1 - low & 1
            ),
        )
        for low in range(digits // 2)
    ]


async def carried(g: W, p: W, conjunction: And[W], bits: int) -> W:
    """Give the carry out of words, uint8 of one bit: log2 bits rounds.

    Neighbouring bits (g, p) and (g', p') merge to (g OR p g', p p'), which is (g XOR p g', p p'), in a tree.
    With positions' digits reversed, the bits to merge in a level are a word's upper and lower half, and one
    conjunction of words does both products.

    Args:
        g: where a carry is generated, int32, its digits `ordered`.
        p: where one is handed on.
        conjunction: of shared words.
        bits: of a word.
    """
    half = bits // 2
    while half > 1:
        lower = (1 << half) - 1
        reach = p >> half
        reach &= lower
        reach *= 1 + (1 << half)
        below = g & lower
        below ^= p << half
        product = await conjunction(reach, below)
        g = _cast((g >> half) ^ product, _WORDS[half])
        p = _cast(product >> half, _WORDS[half])
        half //= 2
    carry = await conjunction(_cast(p >> 1, _BYTE), _cast(g, _BYTE))
    carry ^= _cast(g >> 1, _BYTE)
    carry &= 1
    return carry


async def summed(g: W, p: W, conjunction: And[W], bits: int) -> W:
    """Give all bits of a sum of words, int32: log2 bits rounds (Kogge and Stone)."""
    spans = _beside(g, p)  # from a place down: is a carry generated, or handed on?
    distance = 1
    while distance < bits // 2:
        product = await conjunction(spans[:, 1:], spans << distance)
        product[:, 0] ^= spans[:, 0]
        spans, distance = product, 2 * distance
    carries, reach = spans[:, 0], spans[:, 1]
    found = await conjunction(reach, carries << distance)
    found ^= carries
    found <<= 1
    found ^= p
    return found


def _cast(words: W, kind: _Kind) -> W:
    """Give words as another type, modulo its width."""
    if isinstance(words, Tensor):
        return words.to(kind[0])
    return words.astype(kind[1])


def _beside(one: W, two: W) -> W:
    """Join along a new second axis."""
    if isinstance(one, Tensor):
        return torch.stack((one, two), 1)
    return np.stack((one, two), 1)
