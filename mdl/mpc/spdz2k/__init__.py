"""Two to ten parties with a dealer, n - 1 of whom may deviate: additive sharing with MACs.

As in `mdl.mpc.dealer`, all holders know x' and each a share of the mask m, x = x' + m; but modulo 2^104, of
which the lowest 64 bits count [CDESX18]. There is a key a = a_0 + ... + a_{n-1}, of which holder i knows a_i,
uniform in [0, 2^40); the dealer knows it, and shares a m with every m. So holders have shares of a x' + a m,
the MAC of x, and whatever they open they verify: first they compare what they have seen, and then a random
combination of all MACs with that of what was opened (`mdl.mpc.spdz2k.checks`). Who makes others open wrong
lowest 64 bits is found out but for a probability of 2^(-40 + log2 41), below 2^-34.

Words of bits are shared by exclusive or, and have 40 MACs, which are words too: the key's bit d_k says
whether the kth one shares the mask or zero. So all that is linear is done with MACs as with shares. Who
makes others open a wrong bit is found out but for a probability below 2^-39.

Keys live for one start. Secrets that were kept get MACs under the next one's (`mdl.mpc.spdz2k.kept`).

Holders that deviate learn nothing by it, and before a result is opened to them or others the run ends; then
engines are of no further use, as the key may be known. Once it is opened, it may be that they know it and
keep it from others. The dealer must follow the protocol, and not collude.

[CDESX18] R. Cramer, I. Damgård, D. Escudero, P. Scholl, C. Xing, SPDZ2k: efficient MPC mod 2^k for dishonest
majority, CRYPTO 2018.
"""

from mdl.mpc.spdz2k.dealer import AuthenticatingDealer
from mdl.mpc.spdz2k.holder import AuthenticatedHolder
from mdl.mpc.spdz2k.setup import begun

__all__ = ["AuthenticatedHolder", "AuthenticatingDealer", "begun"]
