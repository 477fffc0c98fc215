"""Three parties, replicated sharing, one of them malicious: products are verified by post-sacrifice.

Shares are as those of `mdl.mpc.rep3`, but modulo 2^64: x = x_0 + x_1 + x_2, party i holds x_i and x_{i+1}.
There, a party that knows a number shares functions of it, and nobody could verify that. Here, all that is
sent before something is opened are inputs, of which any is valid, and products: of numbers, and of words of
bits. A product is what it should be but for an error that its sender knows (Y. Lindell, A. Nof, A framework
for constructing fast MPC over arithmetic circuits with malicious adversaries and an honest majority, CCS
2017), and it is verified that there is none (`products`, `conjunctions`) before anything is opened.
"""

from mdl.mpc.rep3_malicious.engine import Rep3Malicious
from mdl.mpc.rep3_malicious.setup import begun

__all__ = ["Rep3Malicious", "begun"]
