"""What is known of the hardness of Ring-LWE: the table of the homomorphic-encryption standard.

M. Albrecht et al., Homomorphic Encryption Security Standard, HomomorphicEncryption.org, 2018, table 1:
classical attacks, secrets distributed as the errors are (σ = 3.2).
"""

from collections.abc import Mapping
from typing import Final

STANDARD: Final[Mapping[int, Mapping[int, int]]] = {
    1024: {128: 29, 192: 21, 256: 16},
    2048: {128: 56, 192: 39, 256: 31},
    4096: {128: 111, 192: 77, 256: 60},
}
"""By degree and security level, the largest log2 q."""


def standard_bits(degree: int, modulus_bits: int) -> int:
    """Give the highest level at which the standard allows the parameters; 0 for none."""
    allowed = STANDARD.get(degree, {})
    return max((bits for bits, largest in allowed.items() if modulus_bits <= largest), default=0)
