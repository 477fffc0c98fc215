"""Carries of an addition in binary, over replicated bits: all that is asked of an engine is a conjunction.

Tensors have a first axis, for the components that a party holds. Words are of `bits` binary digits, a
power of two; what is above these has no meaning.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Final, TypeAlias

import torch
from torch import Tensor

from mdl.mpc.ring import scalar

And: TypeAlias = Callable[[Tensor, Tensor], Awaitable[Tensor]]
"""The bitwise and of shared words, of their own type; fresh memory."""

_WORDS: Final = {16: torch.int16, 8: torch.uint8, 4: torch.uint8, 2: torch.uint8}
"""By h, a type that holds h bits."""


def ordered(words: Tensor, bits: int) -> Tensor:
    """Put the digits of words, int32, where `carried` wants them: positions' digits are reversed.

    The first and the last stay where they are.
    """
    for distance, mask in _swaps(bits):
        by, low, both = (scalar(each, words.dtype) for each in (distance, mask, 1 + (1 << distance)))
        moved = (words >> by).bitwise_xor_(words).bitwise_and_(low)
        words = moved.mul_(both).bitwise_xor_(words)
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


async def carried(g: Tensor, p: Tensor, conjunction: And, bits: int) -> Tensor:
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
        by, lower = scalar(half, p.dtype), scalar((1 << half) - 1, p.dtype)
        reach = (p >> by).bitwise_and_(lower).mul_(scalar(1 + (1 << half), p.dtype))
        product = await conjunction(reach, (p << by).bitwise_xor_(g & lower))
        g = (g >> by).bitwise_xor_(product).to(_WORDS[half])
        p = (product >> by).to(_WORDS[half])
        half //= 2
    one = scalar(1, p.dtype)
    product = await conjunction((p >> one).to(torch.uint8), g.to(torch.uint8))
    return (g >> one).to(torch.uint8).bitwise_xor_(product).bitwise_and_(scalar(1, torch.uint8))


async def summed(g: Tensor, p: Tensor, conjunction: And, bits: int) -> Tensor:
    """Give all bits of a sum of words, int32: log2 bits rounds (Kogge and Stone)."""
    spans = torch.stack((g, p), 1)  # from a place down: is a carry generated, or handed on?
    distance = 1
    while distance < bits // 2:
        product = await conjunction(spans[:, 1:], spans << scalar(distance, spans.dtype))
        product[:, 0] ^= spans[:, 0]
        spans, distance = product, 2 * distance
    carries, reach = spans.unbind(1)
    carries = (await conjunction(reach, carries << scalar(distance, p.dtype))).bitwise_xor_(carries)
    return carries.bitwise_left_shift_(scalar(1, p.dtype)).bitwise_xor_(p)
