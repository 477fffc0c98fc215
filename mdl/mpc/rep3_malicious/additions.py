"""What comes of the three components of a number when they are added in binary.

Components are words of bits; each is known to two parties, and so is a sharing of itself. Three words become
two by a carry-save adder, their sum without carries and twice their majority, and these are added as in
`mdl.mpc.adders`.
"""

import torch
from torch import Tensor

from mdl.mpc import adders
from mdl.mpc.rep3_malicious.conjunctions import Conjunctions
from mdl.mpc.rep3_malicious.member import Member, Pair
from mdl.mpc.ring import Ring
from mdl.mpc.rounds import together


class Additions:
    """One party's side.

    Args:
        member: the party.
        conjunctions: what it computes them by.
        ring: of the numbers.
    """

    def __init__(self, member: Member, conjunctions: Conjunctions, ring: Ring) -> None:
        self._member, self._conjunctions, self._ring = member, conjunctions, ring

    async def conjunction(self, one: Tensor, two: Tensor) -> Tensor:
        """Give the bitwise and, with components along a first axis."""
        return torch.stack(await self._conjunctions.of(_pair(one), _pair(two)))

    async def negative(self, words: Tensor) -> Tensor:
        """Tell whether the sum of three words, int32, is negative: 7 rounds.

        Args:
            words: the party's two, along a first axis.
        """
        twice = await self._majority(words) << 1
        # The topmost digit goes to the place of the lowest.
        bits = self._ring.compared_bits
        one, two = (adders.ordered(each >> bits - 1 & 1 ^ each << 1, bits) for each in (words, twice))
        g, p = await self.conjunction(one, two), one ^ two
        carry = await adders.carried(g & -2, p, self.conjunction, bits)
        return carry ^ (p & 1).to(torch.uint8)

    async def summed(self, words: Tensor) -> Tensor:
        """Give all bits of the sum of three words, int32: 7 rounds."""
        twice = await self._majority(words) << 1
        g = await self.conjunction(words, twice)
        return await adders.summed(g, words ^ twice, self.conjunction, self._ring.compared_bits)

    async def overflows(self, numbers: Tensor, drop: int) -> Tensor:
        """Tell how often the sum of three numbers overflows, at 2^drop and at 2^64.

        Args:
            numbers: the party's two, along a first axis, int64; their sum modulo 2^64 is below 2^63 + 2^32.
            drop: in [1, 32].

        Returns:
            Four bits, uint8, along the second axis: the sum of two of them is how often the lowest digits
            overflow, the sum of the other two how often all do.
        """
        low, top = await together(self._low(numbers, drop), self._top(numbers))
        return torch.stack((*low, *top), 1)

    async def _low(self, numbers: Tensor, drop: int) -> tuple[Tensor, Tensor]:
        """Carry from the lowest digits, moved to the upper end of a word."""
        bits, word = self._ring.compared_bits, torch.int32
        if drop <= bits // 2:
            bits, word = bits // 2, torch.int16
        words = (numbers << bits - drop).to(word)
        majority = await self._majority(words)
        one, two = (adders.ordered(each, bits) for each in (words, majority << 1))
        g = await self.conjunction(one, two)
        carry = await adders.carried(g, one ^ two, self.conjunction, bits)
        return (majority >> bits - 1 & 1).to(torch.uint8), carry

    async def _top(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Count overflows by the three topmost bits of each.

        With T their sum, the sum S of the numbers is T 2^61 and less than 3 2^61 more; and it is x + w 2^64,
        with x < 2^63 + 2^32. So T + 2 is in [8w, 8w + 6], and w = (T + 2) >> 3. With T = s + 2k, s the sum
        without carries and k the majority, that is ((s >> 1) + k + 1) >> 2: the third bit of k, and the carry
        out of the two below it, where 1 is carried in.
        """
        words = (numbers >> self._ring.word_bits - 3 & 7).to(torch.uint8)
        majority = await self._majority(words)
        half = words >> 1
        g, p = await self.conjunction(half, majority & 3), half ^ majority & 3
        carry = (g ^ p) & 1
        carry = await self.conjunction(p >> 1, carry) ^ g >> 1
        return majority >> 2 & 1, carry & 1

    async def _majority(self, words: Tensor) -> Tensor:
        """Give x_0 + (x_0 + x_1) (x_0 + x_2)."""
        held = _pair(words)
        one, two = (torch.stack(self._member.only(held, 0, other)) for other in (1, 2))
        return await self.conjunction(one, two) ^ torch.stack(self._member.only(held, 0))


def _pair(held: Tensor) -> Pair:
    mine, following = held
    return mine, following
