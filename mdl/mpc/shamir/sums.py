"""Sums of several words of shared bits, of 32 or fewer: what is carried out of them, and their bits.

Words are int32, with a first axis for the planes of their shares; what is public goes into the first plane.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from mdl.mpc import adders

And: TypeAlias = adders.And[Tensor]


@dataclass(frozen=True)
class Sum:
    """A sum modulo 2^bits in two words, not yet added.

    Attributes:
        one: a summand.
        two: the other one.
        bits: of a word, a power of two; those above are of no meaning.
        carries: words whose topmost bit has been carried out, and stands for 2^bits.
    """

    one: Tensor
    two: Tensor
    bits: int
    carries: tuple[Tensor, ...] = ()

    async def plus(self, word: Tensor, conjunction: And) -> "Sum":
        """Add a third word: sums and majorities, bit by bit."""
        differ = self.one ^ word
        majority = await conjunction(differ, self.two ^ word) ^ word
        return self._saved(differ ^ self.two, majority)

    def plus_public(self, generated: Tensor, word: Tensor) -> "Sum":
        """Add a public word, where the and of the two is known."""
        differ = self.one ^ self.two
        return self._saved(with_public(differ, word), generated ^ differ & word)

    async def carried(self, conjunction: And) -> Tensor:
        """Give all that is carried out, uint8: by word of `carries`, and in the end by the sum of the two."""
        carry = await self._carry(conjunction)
        return torch.stack([*(self._topmost(word) for word in self.carries), carry], 1)

    async def topmost(self, conjunction: And) -> Tensor:
        """Give the topmost bit of the sum, uint8."""
        carry = await self._carry(conjunction, places=1)
        return self._topmost(self.one ^ self.two) ^ carry

    async def whole(self, conjunction: And) -> Tensor:
        """Give the sum."""
        generated = await conjunction(self.one, self.two)
        return await adders.summed(generated, self.one ^ self.two, conjunction, self.bits)

    def _saved(self, bits: Tensor, majority: Tensor) -> "Sum":
        return Sum(bits, majority << 1, self.bits, (*self.carries, majority))

    async def _carry(self, conjunction: And, places: int = 0) -> Tensor:
        """Give the carry out of the sum of the two words, but for so many of the highest places."""
        one, two = self.one << places, self.two << places
        generated = adders.ordered(await conjunction(one, two), self.bits)
        return await adders.carried(generated, adders.ordered(one ^ two, self.bits), conjunction, self.bits)

    def _topmost(self, words: Tensor) -> Tensor:
        return (words >> self.bits - 1 & 1).to(torch.uint8)


def with_public(words: Tensor, public: Tensor | int) -> Tensor:
    """Give the exclusive or with public words."""
    found = words.clone()
    found[0] ^= public
    return found


async def compressed(words: Sequence[Tensor], conjunction: And, bits: int) -> Sum:
    """Bring two or more words down to two that have the same sum."""
    total = Sum(words[0], words[1], bits)
    for word in words[2:]:
        total = await total.plus(word, conjunction)
    return total
