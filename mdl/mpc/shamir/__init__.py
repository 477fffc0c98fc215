"""Any number of parties, Shamir's sharing, honest majority, semi-honest.

Of n parties any t = (n - 1) // 2 learn nothing. Integers are shared modulo the prime p = 2^127 - 1: party i
has f(i + 1), f a polynomial of degree t with the secret at zero. Bits are shared alike over GF(2^k), the
smallest with more than n elements.

[DN07] I. Damgård, J. B. Nielsen, Scalable and unconditionally secure multiparty computation, CRYPTO 2007.
[ATLAS] V. Goyal, H. Li, R. Ostrovsky, A. Polychroniadou, Y. Song, ATLAS: efficient and scalable MPC in the
honest majority setting, CRYPTO 2021.
[edaBits] D. Escudero, S. Ghosh, M. Keller, R. Rachuri, P. Scholl, Improved primitives for MPC over mixed
arithmetic-binary circuits, CRYPTO 2020.
"""

from mdl.mpc.shamir.engine import Shamir
from mdl.mpc.shamir.setup import begun

__all__ = ["Shamir", "begun"]
