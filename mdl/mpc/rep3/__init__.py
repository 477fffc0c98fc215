"""Three parties, replicated sharing, honest majority, semi-honest.

x = x_0 + x_1 + x_2 modulo 2^63; party i holds x_i and x_{i+1} (indices modulo 3), and a key for each
component it holds: any two parties know x, one learns nothing. [Araki16] T. Araki, J. Furukawa, Y.
Lindell, A. Nof, K. Ohara, High-throughput semi-honest secure three-party computation with an honest majority,
CCS 2016.
"""

from mdl.mpc.rep3.engine import Rep3
from mdl.mpc.rep3.setup import begun

__all__ = ["Rep3", "begun"]
