"""Conjunctions of words of bits, and their verification by cut and choose.

After J. Furukawa, Y. Lindell, A. Nof, O. Weinstein, High-throughput secure three-party computation for
malicious adversaries and an honest majority, EUROCRYPT 2017, and T. Araki et al., Optimized honest-majority
MPC for malicious adversaries, S&P 2017. They permute triples at random; here they are rotated.

Whatever a party does, a conjunction c = ab + d comes out (of bits, + is the exclusive or), with an error d
that it knows. To verify conjunctions, parties make two arrays of random triples x, y, z = xy + e, by the same
protocol and with errors too. With a + x and b + y opened, for each array, c + z + (a + x)(b + y) + (a + x) y
+ (b + y) x is d + e, and must be zero.

Words are cut into units of some bytes, and filled up with conjunctions of zeros, which nobody can falsify, to
a prime number M of units, by one at least. Unit j is compared with unit j + s modulo M of an array, where s
is tossed after all triples have been made. Let D be the units with an error, some but not all, and E those of
the array: it hides them only if E = D + s. If two numbers s did, then D would not change when it is moved by
their difference, nor by multiples of that, which are all numbers modulo the prime: it would be none or all.
So of M numbers one at most hides them, in each array; both do with a probability of M^-2 (but for the bias of
s, 2^-43 of that), which is below 2^-40, as M is above 2^20.
"""

from functools import cache
from itertools import count
from math import isqrt
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from mdl.mpc.keystream import Keystream
from mdl.mpc.rep3_malicious.member import Member, Pair

UNITS: Final = 1 << 20
"""Below the number of units: errors pass with a probability of UNITS^-2."""

_ARRAYS: Final = 2


class Conjunctions:
    """One party's side of conjunctions.

    Args:
        member: the party.
        units: errors pass with a probability below units^-2.

    Attributes:
        size_bytes: of what is to be verified.
    """

    def __init__(self, member: Member, units: int = UNITS) -> None:
        self._member, self._units = member, units
        self._made: list[Tensor] = []
        self.size_bytes = 0

    async def of(self, one: Pair, two: Pair) -> Pair:
        """Give the bitwise and of words, in memory of its own, and remember it: one round, of one word."""
        own = self._summand(one, two)
        others = await self._member.passed(own, own.shape)
        made = torch.stack([_bytes_of(each.expand(own.shape)) for each in (*one, *two, own, others)])
        self._made.append(made)
        self.size_bytes += made.numel()
        return own, others

    def _summand(self, one: Pair, two: Pair) -> Tensor:
        """Give this party's summand, masked by its share of zero."""
        (a, after_a), (b, after_b) = one, two
        own = (b ^ after_b).bitwise_and_(a).bitwise_xor_(after_a & b)
        mine, following = self._member.drawn(own.shape, own.dtype)
        return own.bitwise_xor_(mine).bitwise_xor_(following)

    async def verified(self) -> None:
        """Verify all that was made since the last time: four rounds, or none if there is nothing.

        Raises:
            CheatingDetected: a conjunction is wrong.
        """
        if not self._made:
            return
        words, self._made, self.size_bytes = torch.cat(self._made, 1), [], 0
        unit = max(1, words.shape[1] // self._units)
        units = prime_from(max(self._units, -(-words.shape[1] // unit) + 1))
        words = pad(words, (0, units * unit - words.shape[1]))
        a, b, c = ((words[place], words[place + 1]) for place in (0, 2, 4))

        member, shape = self._member, torch.Size([_ARRAYS, units * unit])
        x, y = member.drawn(shape, torch.uint8), member.drawn(shape, torch.uint8)
        own = self._summand(x, y)
        others = await member.passed(own, own.shape)
        rotations = [unit * each for each in tossed_rotations(await member.coins(), units)]
        x, y, z = (rotated(each, rotations) for each in (x, y, (own, others)))
        held = [torch.stack((a[part] ^ x[part], b[part] ^ y[part])) for part in (0, 1)]
        sigma, tau = held[0] ^ held[1] ^ await member.lacking(held[0], held[1], held[0].shape)
        mine, following = (
            (sigma & y[part])
            .bitwise_xor_(tau & x[part])
            .bitwise_xor_(z[part])
            .bitwise_xor_(c[part])
            .bitwise_xor_((sigma & tau) * unit_)
            for part, unit_ in enumerate(member.units)
        )
        await member.compare_zeros(mine, following, mine ^ following)


def tossed_rotations(coins: Keystream, units: int) -> list[int]:
    """Toss by how many units the arrays are rotated."""
    return [int(word) % units for word in coins.draw(torch.Size([_ARRAYS]))]


def rotated(held: Pair, places: list[int]) -> Pair:
    """Rotate the rows of arrays, each by so many bytes."""
    one, two = (torch.stack([row.roll(-by) for row, by in zip(part, places, strict=True)]) for part in held)
    return one, two


@cache
def prime_from(first: int) -> int:
    """Give the first prime from a number on."""
    return next(n for n in count(max(2, first)) if all(n % divisor for divisor in range(2, isqrt(n) + 1)))


def _bytes_of(words: Tensor) -> Tensor:
    return words.contiguous().view(-1).view(torch.uint8)
