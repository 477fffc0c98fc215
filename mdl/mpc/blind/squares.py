"""Squares of hidden values by a random number's, modulo primes.

Of an x that is shared as x_0 + x_1 in integers, the residues of x_0 and x_1 are shares modulo P; and of
shares modulo P of x², uniform each by itself, the residues nearest to zero add up to x² in integers but with
probability x² / P [MZ17, theorem 1]. P is 2^62. That x_0 + x_1 is x in integers, and not only modulo 2^64, is
what `quotient` leaves; of uniform shares it is so but with probability |x| / 2^63.

[MZ17] P. Mohassel, Y. Zhang, SecureML, IEEE S&P 2017.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mdl.mpc.blind.lattice.factors import Slots, read, written
from mdl.mpc.blind.lattice.primes import PLAIN, centred, minus, plus, reduced, times
from mdl.mpc.blind.sources import Side
from mdl.mpc.rounds import Exchange, Wanted


@dataclass(frozen=True, eq=False)
class PrimeSquare:
    """Shares modulo P of uniform numbers and of their squares; see `mdl.mpc.blind.sources.Square`.

    Attributes:
        root: residues modulo each prime of P, shape (count,).
        square: likewise.
    """

    root: Slots
    square: Slots

    @staticmethod
    def of(factors: Slots, products: Slots) -> "PrimeSquare":
        """Make it of this party's factors, and of its shares of their products with the other one's."""
        squares = [
            plus(times(factor, factor, prime), plus(product, product, prime), prime)
            for factor, product, prime in zip(factors, products, PLAIN, strict=True)
        ]
        return PrimeSquare(factors, squares)

    async def squared(self, side: Side, share: Tensor) -> Tensor:
        """See `Square`: both open x less the root."""
        values = share.reshape(-1).numpy()
        own = [minus(reduced(values, p), root, p) for p, root in zip(PLAIN, self.root, strict=True)]
        sent, other = torch.from_numpy(written(own)), 1 - side.party
        (received,) = await Exchange([(other, sent)], [Wanted(other, sent.shape, torch.uint8)])
        theirs = read(received.numpy(), values.shape, PLAIN)
        found = []
        for place, prime in enumerate(PLAIN):
            opened, root = plus(own[place], theirs[place], prime), self.root[place]
            # (opened + root)², less the part of opened² that is the other one's to add.
            factor = plus(plus(root, root, prime), opened if side.party == 0 else opened * 0, prime)
            found.append(plus(self.square[place], times(opened, factor, prime), prime))
        return torch.from_numpy(centred(found)).view(share.shape)
