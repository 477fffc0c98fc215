"""Random numbers that nobody knows, shared as integers and their lowest digits as bits too [edaBits].

t + 1 dealers choose one each; the mask R is their sum, over the integers. Opened, x + R hides x: of one of
the summands nothing is known. With summands below 2^B, two values of x that differ by D are told apart with a
probability of at most D / 2^B.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import Residues
from mdl.mpc.ring import Ring
from mdl.mpc.rounds import Exchange
from mdl.mpc.shamir.circle import Circle
from mdl.mpc.shamir.sharing import Sharing
from mdl.mpc.wide import Wide


@dataclass(frozen=True)
class Mask:
    """Shares of a mask.

    Attributes:
        whole: of R.
        quotient: of the sum of the dealers' summands, each divided by 2^digits and rounded down.
        words: by dealer, of its summand's lowest digits, int32; the highest of them is the ring's topmost bit
            that is compared.
    """

    whole: Wide
    quotient: Wide
    words: list[Tensor]


@dataclass(frozen=True)
class Maker:
    """Has masks, and random bits, made.

    Attributes:
        circle: the parties.
        prime: sharing of integers.
        binary: sharing of bits.
        own: the party's own keystream.
        residues: modulo the prime.
        ring: of what is hidden.
    """

    circle: Circle
    prime: Sharing[Wide]
    binary: Sharing[Tensor]
    own: Keystream
    residues: Residues
    ring: Ring

    @property
    def summand_bits(self) -> int:
        """B: t + 1 summands and 2^63 together are below the modulus."""
        return self.residues.modulus.bit_length() - (self.circle.threshold + 1).bit_length()

    async def mask(self, count: int, digits: int, *, divided: bool) -> Mask:
        """Make a mask, of which so many of the lowest digits are known as bits; one round.

        Args:
            count: of the entries.
            digits: in [1, 32].
            divided: whether the quotient is wanted; else it is empty.
        """
        low, high = words_below(self.own, count, self.summand_bits)
        whole = self._number(low, high)
        below = low >> digits & (1 << 64 - digits) - 1
        quotient = self._number(below | high << 64 - digits, high >> digits)
        word = (low << self.ring.compared_bits - digits).to(torch.int32)
        kept = [whole, quotient] if divided else [whole]
        numbers, words = await self._dealt(self.prime.field.joined(kept), word)
        total = _total(numbers)
        return Mask(total[:count], total[count:], words)

    async def bits(self, count: int) -> tuple[list[Wide], Tensor]:
        """Make random bits, as the parities of one bit of each dealer; one round.

        Returns:
            By dealer, its bits as integers; and the parities over GF(2^k), uint8.
        """
        bit = self.own.draw(torch.Size([count]), torch.uint8) & 1
        numbers, words = await self._dealt(Wide.of(bit.to(torch.int64), self.residues), bit)
        parity = words[0]
        for word in words[1:]:
            parity = parity ^ word
        return numbers, parity

    def _number(self, low: Tensor, high: Tensor) -> Wide:
        return Wide(self.residues.of_words(low, high), self.residues)

    async def _dealt(self, numbers: Wide, words: Tensor) -> tuple[list[Wide], list[Tensor]]:
        planes = self.binary.field.zeros(words.shape[0], words.unsqueeze(0))
        planes[0] = words
        dealers = self.circle.dealers
        first = self.prime.hand(dealers, numbers, numbers.shape[0])
        second = self.binary.hand(dealers, planes, words.shape[0])
        received = await Exchange([*first.sends, *second.sends], [*first.wants, *second.wants])
        wanted = len(first.wants)
        return first.shares(received[:wanted]), second.shares(received[wanted:])


def words_below(stream: Keystream, count: int, bits: int) -> tuple[Tensor, Tensor]:
    """Draw integers that are uniform below 2^bits, bits > 64: their 64 lowest bits, and those above."""
    low, high = stream.draw(torch.Size([2, count]))
    return low, high.bitwise_and_((1 << bits - 64) - 1)


def _total(numbers: Sequence[Wide]) -> Wide:
    total = numbers[0]
    for each in numbers[1:]:
        total = total + each
    return total
