"""Two to ten parties with a dealer: additive sharing, dishonest majority, semi-honest.

x = x' + m_0 + ... + m_{n-1} modulo 2^64. All n holders know the public part x', holder i alone knows m_i,
and a dealer, who is one party more, knows the mask m = m_0 + ... + m_{n-1} and nothing else. Every number
that holders send each other is masked by such an m that nobody used before: any n - 1 of them learn nothing.
The dealer receives nothing at all, from anybody, and must not collude with a holder.

The dealer runs the same program as the holders, and so knows which functions of the masks they need: it
shares these. Holders derive their shares from keys in common with the dealer; only the last one is sent the
difference. As the masks of inputs are known when those of outputs are made, a product takes one message of
each holder to each other one, as large as the result, whatever the inner length [BNO19, PSSY21].

[BNO19] A. Ben-Efraim, M. Nielsen, E. Omri, Turbospeedz: double your online SPDZ! Improving SPDZ using
function dependent preprocessing, ACNS 2019. [PSSY21] A. Patra, T. Schneider, A. Suresh, H. Yalame, ABY2.0:
improved mixed-protocol secure two-party computation, USENIX Security 2021.
"""

from mdl.mpc.dealer.dealer import Dealer
from mdl.mpc.dealer.holder import Holder
from mdl.mpc.dealer.setup import begun

__all__ = ["Dealer", "Holder", "begun"]
