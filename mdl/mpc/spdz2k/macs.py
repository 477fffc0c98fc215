"""Keys of MACs, and what is shared of a mask together with its MAC."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from mdl.mpc.engine import Bilinear
from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import RING_104
from mdl.mpc.wide import Wide, bilinear, combined

MAC_BITS: Final = 40
"""s: bits of a key, of numbers and of words."""

CHECKED_ENTRIES: Final = 1 << 18
"""Opened entries after which all that was opened is verified, so that it need not be kept."""


@dataclass(frozen=True)
class Key:
    """A share of the key, or for the dealer the whole key.

    Attributes:
        number: a_i, modulo 2^104; shape ().
        word: d_k for k from 0 to 39, as 0 or -1; shape (40,), int64.
    """

    number: Wide
    word: Tensor

    @classmethod
    def drawn(cls, stream: Keystream) -> "Key":
        """Draw a share."""
        number, word = ((int(each) & (1 << MAC_BITS) - 1) for each in stream.draw(torch.Size([2])))
        places = torch.arange(MAC_BITS)
        return cls(Wide.constants([number], RING_104).reshape(), -(torch.tensor(word) >> places & 1))

    @classmethod
    def joined(cls, shares: Sequence["Key"]) -> "Key":
        """Give the whole key."""
        number, word = shares[0].number, shares[0].word
        for share in shares[1:]:
            number, word = number + share.number, word ^ share.word
        return cls(number, word)

    def words(self, dtype: torch.dtype, dimensions: int) -> Tensor:
        """Give the 40 bits as words of a type, to go before so many other dimensions."""
        return self.word.to(dtype).reshape(MAC_BITS, *(1,) * dimensions)

    def of_number(self, numbers: Wide) -> Wide:
        """Give the MACs of numbers."""
        return numbers * self.number

    def of_words(self, words: Tensor) -> Tensor:
        """Give the MACs of words, shape (40, ...)."""
        return words & self.words(words.dtype, words.dim())


def stacked(numbers: Sequence[Wide]) -> Wide:
    """Join numbers along a new first axis."""
    return combined(numbers, lambda parts: torch.stack(list(parts)))


def unstacked(numbers: Wide) -> list[Wide]:
    """Take the first axis apart."""
    return [numbers[index] for index in range(numbers.shape[0])]


def chosen(factor: Tensor, numbers: Wide) -> Wide:
    """Multiply by 0, 1 or -1."""
    return numbers.map(lambda limb: limb * factor)


def multiplied(product: Bilinear, x: Wide, b: Wide, a: Wide, y: Wide) -> Wide:
    """Give x b + a y."""
    return bilinear(product, x, b) + bilinear(product, a, y)
