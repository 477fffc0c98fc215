"""Four parties, replicated sharing, one of them malicious: a wrong message ends the run.

x = x_0 + x_1 + x_2 + x_3 modulo 2^64; party i lacks x_i and holds the other three, so any two parties know x
and one learns nothing. Whatever is sent is known to a second party, the witness, whose hash of it the
receiver gets in the next round. [DEK21] A. Dalskov, D. Escudero, M. Keller, Fantastic four: honest-majority
four-party secure computation with malicious security, USENIX Security 2021.
"""

from mdl.mpc.rep4.engine import Rep4
from mdl.mpc.rep4.setup import begun

__all__ = ["Rep4", "begun"]
