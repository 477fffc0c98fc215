"""Carries of an addition in binary, over replicated bits; no roles here, all three parties do the same."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import torch

from mdl.mpc.secret import Bits, stacked_bits

And: TypeAlias = Callable[[Bits, Bits], Awaitable[Bits]]
"""The bitwise and of words, of their own type."""

_SWAPS: Final = ((15, 0x0000AAAA), (6, 0x00CC00CC))
"""Exchanges of bits (distance, mask) that reverse the five digits of every bit's position in a word."""

_WORDS: Final = {16: torch.int16, 8: torch.uint8, 4: torch.uint8, 2: torch.uint8}
"""By h, a type that holds h bits."""


async def carried(g: Bits, p: Bits, conjunction: And) -> Bits:
    """Give the carry out of 32-bit words, as uint8 words of one bit: five rounds.

    Neighbouring bits (g, p) and (g', p') merge to (g OR p g', p p'), which is (g XOR p g', p p'), in a tree.
    With positions' digits reversed, the bits to merge in a level are a word's upper and lower half, and one
    conjunction of half words does both products.
    """
    g, p = g.map(_reversed), p.map(_reversed)
    for half, word in _WORDS.items():
        reach = _upper(p, half)
        before = _lower(g, half) ^ _moved(_lower(p, half), half)
        product = await conjunction(reach ^ _moved(reach, half), before)
        g, p = _as(_upper(g, half) ^ _lower(product, half), word), _as(_upper(product, half), word)
    return _upper(g, 1) ^ _lower(await conjunction(_upper(p, 1), _lower(g, 1)), 1)


async def summed(g: Bits, p: Bits, conjunction: And) -> Bits:
    """Give all 32 bits of a sum of words, int32: five rounds (Kogge and Stone)."""
    carries, reach = g, p
    for distance in (1, 2, 4, 8):
        both = reach.map(lambda part: torch.stack((part, part)))
        before = stacked_bits([_moved(carries, distance), _moved(reach, distance)])
        product = await conjunction(both, before)
        carries, reach = carries ^ product[0], product[1]
    carries ^= await conjunction(reach, _moved(carries, 16))
    return p ^ _moved(carries, 1)


def _reversed(words: torch.Tensor) -> torch.Tensor:
    for distance, mask in _SWAPS:
        moved = (words ^ words >> distance) & mask
        words = words ^ moved ^ moved << distance
    return words


def _as(bits: Bits, word: torch.dtype) -> Bits:
    return bits.map(lambda part: part.to(word))


def _upper(bits: Bits, half: int) -> Bits:
    return bits.map(lambda part: part >> half & (1 << half) - 1)


def _lower(bits: Bits, half: int) -> Bits:
    return bits.map(lambda part: part & (1 << half) - 1)


def _moved(bits: Bits, places: int) -> Bits:
    return bits.map(lambda part: part << places)
