"""Sums of several 32-bit words of shared bits: what is carried out of them, and their bits."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from mdl.mpc.rep3.adders import And
from mdl.mpc.secret import Bits


@dataclass(frozen=True)
class Sum:
    """A sum modulo 2^32 in two words, not yet added.

    Attributes:
        one: a summand.
        two: the other one.
        carries: bits already carried out, uint8; each stands for 2^32.
    """

    one: Bits
    two: Bits
    carries: tuple[Bits, ...] = ()

    async def both(self, conjunction: And) -> tuple[Bits, Bits]:
        """Give the words' and, and their exclusive or."""
        return await conjunction(self.one, self.two), self.one ^ self.two

    async def plus(self, word: Bits, conjunction: And) -> "Sum":
        """Add a third word: sums and majorities, bit by bit."""
        differ = self.one ^ word
        majority = await conjunction(differ, self.two ^ word) ^ word
        return self._saved(differ ^ self.two, majority)

    def plus_public(self, generated: Bits, word: Tensor) -> "Sum":
        """Add a public word, int32, where the and of the two is known."""
        differ = self.one ^ self.two
        majority = generated ^ differ.map(lambda part: part & word)
        return self._saved(with_public(differ, word), majority)

    def _saved(self, bits: Bits, majority: Bits) -> "Sum":
        return Sum(bits, majority.shifted(1), (*self.carries, majority.digit(31)))


def with_public(bits: Bits, word: Tensor) -> Bits:
    """Give the exclusive or with public words."""
    pairs = zip(bits.parts, bits.units, strict=True)
    return Bits(tuple(part ^ word if unit else part for part, unit in pairs), bits.units)


async def compressed(words: Sequence[Bits], conjunction: And) -> Sum:
    """Bring two or more words down to two that have the same sum."""
    total = Sum(words[0], words[1])
    for word in words[2:]:
        total = await total.plus(word, conjunction)
    return total
