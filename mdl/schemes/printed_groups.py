"""Groups of every key size in the paper's figures, for times alone: no key of a run is taken from these."""

from collections.abc import Mapping
from typing import Final

from gmpy2 import mpz

from mdl.schemes.modular import SafePrimeGroup

BELOW: Final[Mapping[int, int]] = {
    256: 36_113,
    384: 59_057,
    512: 38_117,
    1024: 1_093_337,
    2048: 1_942_289,
    3072: 1_103_717,
}
"""2^b less this is a safe prime of b bits, the largest."""


def printed_group(bits: int) -> SafePrimeGroup:
    """Give the group modulo the largest safe prime of so many bits, one of `BELOW`."""
    p = mpz((1 << bits) - BELOW[bits])
    return SafePrimeGroup(name=f"printed{bits}", p=p, q=p >> 1, g=mpz(2))
