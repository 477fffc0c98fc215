"""The groups that an experiment file may name."""

from functools import cache
from typing import Final, Literal, TypeAlias, get_args

from gmpy2 import mpz, powmod

from mdl.schemes.group_constants import CONSTANTS
from mdl.schemes.modular import ModularGroup, SafePrimeGroup, SchnorrGroup
from mdl.schemes.prime_order import AnyGroup
from mdl.schemes.secp256k1 import Secp256k1

GroupName: TypeAlias = Literal[
    "secp256k1",
    "schnorr2048",
    "schnorr3072",
    "ffdhe2048",
    "ffdhe3072",
    "insecure256",
    "insecure64",
    "insecure_schnorr96",
]
GROUP_NAMES: Final[tuple[str, ...]] = get_args(GroupName)
MODULAR_NAMES: Final = tuple(name for name in GROUP_NAMES if name != "secp256k1")

FFDHE = {"ffdhe2048": (2048, 560316), "ffdhe3072": (3072, 2625351)}
"""Bits and the constant X of the groups of RFC 7919, appendices A.1 and A.2."""


def group(name: str) -> AnyGroup:
    """Look a group up by its name, one of GROUP_NAMES.

    Raises:
        ValueError: there is no such group.
    """
    if name not in GROUP_NAMES:
        raise ValueError(f"no group is called {name!r}; there are {', '.join(GROUP_NAMES)}")
    return Secp256k1() if name == "secp256k1" else modular_group(name)


@cache
def modular_group(name: str) -> ModularGroup:
    """Look up a group of integers modulo a prime.

    Raises:
        ValueError: there is no such group.
    """
    if name not in MODULAR_NAMES:
        raise ValueError(f"no such group is called {name!r}; there are {', '.join(MODULAR_NAMES)}")
    if name in FFDHE:
        return _safe_prime(name, _ffdhe_prime(*FFDHE[name]) >> 1)
    q = mpz(CONSTANTS[f"{name} q"], 16)
    if f"{name} r" not in CONSTANTS:
        return _safe_prime(name, q)
    return _schnorr(name, q, mpz(CONSTANTS[f"{name} r"], 16))


def _safe_prime(name: str, q: mpz) -> SafePrimeGroup:
    # The order is prime, so any element but 1 generates.
    return SafePrimeGroup(name=name, p=2 * q + 1, q=q, g=mpz(2))


def _schnorr(name: str, q: mpz, r: mpz) -> SchnorrGroup:
    p = 2 * q * r + 1
    return SchnorrGroup(name=name, p=p, q=q, g=powmod(2, 2 * r, p))


def _ffdhe_prime(bits: int, X: int) -> mpz:
    """Compute p = 2^b - 2^(b-64) + (floor(2^(b-130) e) + X) 2^64 - 1 [RFC 7919, appendix A]."""
    return mpz((1 << bits) - (1 << (bits - 64)) + ((_scaled_e(bits - 130) + X) << 64) - 1)


def _scaled_e(bits: int) -> int:
    """Compute floor(2^bits e) by the series of 1/n!, with 64 guard bits against its ~500 roundings."""
    total, term, n = 0, 1 << (bits + 64), 0
    while term:
        total += term
        n += 1
        term //= n
    return total >> 64
