"""Groups of prime order q in which discrete logarithms are hard (or, for the insecure ones, are not).

Two kinds. In a *safe-prime* group, p = 2q + 1, any integer in [1, (p-1)/2] is an element: that is what lets a
ciphertext hold exp(gradient) itself. In a *Schnorr* group, p = 2qr + 1 with q of 256 bits, exponents are
eight times shorter.

The paper writes p = 2kq + 1 and leaves k open. Nothing here is constant time; Python could not keep such a
promise.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeAlias, get_args

from gmpy2 import invert, jacobi, mpz, powmod

from mdl.schemes.group_constants import CONSTANTS

GroupName: TypeAlias = Literal[
    "schnorr2048",
    "schnorr3072",
    "ffdhe2048",
    "ffdhe3072",
    "insecure256",
    "insecure64",
    "insecure_schnorr96",
]
GROUP_NAMES: Final[tuple[str, ...]] = get_args(GroupName)

SHORT_EXPONENT_BITS = 256

SECURITY_BITS = {2048: 112, 3072: 128}
"""Security level by the bits of p [NIST SP 800-57 part 1, table 2]; q of 256 bits suffices for both."""


class Group(ABC):
    """A group of prime order q, its elements integers modulo p.

    Attributes:
        name: as in an experiment file.
        p: the modulus.
        q: the order.
        g: the generator, canonical.
    """

    name: str
    p: mpz
    q: mpz
    g: mpz

    @abstractmethod
    def canonical(self, x: mpz) -> mpz:
        """Give the representative of x in [1, p) under which the element is held and sent."""

    @property
    @abstractmethod
    def largest(self) -> mpz:
        """The largest integer that may stand for an element; the smallest is 1."""

    @abstractmethod
    def is_member(self, x: mpz) -> bool:
        """Tell whether an integer in [1, largest] is an element, as far as safety needs to know."""

    @property
    @abstractmethod
    def nonce_bound(self) -> int:
        """Nonces are drawn from [0, nonce_bound)."""

    @property
    def bits(self) -> int:
        """Bits of p."""
        return int(self.p.bit_length())

    @property
    def security_bits(self) -> int:
        """Security level in bits; 0 for groups that a person can break."""
        return SECURITY_BITS.get(self.bits, 0)

    @property
    def insecure(self) -> bool:
        """Whether this is a group for tests and for reproducing figures only."""
        return self.security_bits == 0

    @property
    def element_bytes(self) -> int:
        """Bytes of an element on the wire."""
        return -(-self.bits // 8)

    @property
    def scalar_bytes(self) -> int:
        """Bytes of an integer in [0, q)."""
        return -(-int(self.q.bit_length()) // 8)


@dataclass(frozen=True)
class SafePrimeGroup(Group):
    """Z_p* / {1, -1} for p = 2q + 1, a group of prime order q.

    x and p - x are one element, held as the smaller of the two. An integer in [1, q] is the smaller one of
    exactly one pair, so the range is the whole membership test and every small integer is an element. (The
    squares modulo p are the same group: one of x, p - x is a square, as p = 3 mod 4. But to find out which
    costs a Jacobi symbol.)

    Nonces are short: uniform in [0, 2^256) where q is longer. That rests on the assumption that discrete
    logarithms stay hard for short exponents (DLSE) [van Oorschot, Wiener, EUROCRYPT '96; Koshiba, Kurosawa,
    PKC 2004]: the best known attack takes 2^128 steps. RFC 7919 counts on it with 225 and 275 bits.
    """

    name: str
    p: mpz
    q: mpz
    g: mpz

    def canonical(self, x: mpz) -> mpz:
        """Give min(x, p - x)."""
        return x if x <= self.q else self.p - x

    @property
    def largest(self) -> mpz:
        """Halfway: (p - 1) / 2."""
        return self.q

    def is_member(self, x: mpz) -> bool:
        """Say yes: the range was the test."""
        return True

    @property
    def nonce_bound(self) -> int:
        """The order, or 2^256 if that is smaller."""
        return min(int(self.q), 1 << SHORT_EXPONENT_BITS)


@dataclass(frozen=True)
class SchnorrGroup(Group):
    """The subgroup of order q of Z_p*, p = 2qr + 1 with r prime as well."""

    name: str
    p: mpz
    q: mpz
    g: mpz

    def canonical(self, x: mpz) -> mpz:
        """Give x: every element has one representative."""
        return x

    @property
    def largest(self) -> mpz:
        """Give p - 1."""
        return self.p - 1

    def is_member(self, x: mpz) -> bool:
        """Test the Jacobi symbol, which is a twentieth of the cost of x^q = 1."""
        # Z_p* is the product of groups of order 2, q and r, all prime. An alien element is dangerous where it
        # lies in a *small* subgroup, as its power then tells the exponent modulo that small order. Here the
        # only small one is {1, -1}, and the symbol +1 excludes it. What may remain is a part of order r, of
        # 1791 bits or more: to read an exponent off it is a discrete logarithm no easier than those we rely
        # on.
        return bool(jacobi(x, self.p) == 1)

    @property
    def nonce_bound(self) -> int:
        """The order: uniform exponents, no assumption beyond the group's."""
        return int(self.q)


@cache
def group(name: str) -> Group:
    """Look a group up by its name, one of GROUP_NAMES.

    Raises:
        ValueError: there is no such group.
    """
    if name not in GROUP_NAMES:
        raise ValueError(f"no group is called {name!r}; there are {', '.join(GROUP_NAMES)}")
    if name in FFDHE:
        return _safe_prime(name, _ffdhe_prime(*FFDHE[name]) >> 1)
    q = mpz(CONSTANTS[f"{name} q"], 16)
    if f"{name} r" not in CONSTANTS:
        return _safe_prime(name, q)
    return _schnorr(name, q, mpz(CONSTANTS[f"{name} r"], 16))


FFDHE = {"ffdhe2048": (2048, 560316), "ffdhe3072": (3072, 2625351)}
"""Bits and the constant X of the groups of RFC 7919, appendices A.1 and A.2."""


def unpack(group: Group, packed: bytes) -> list[mpz]:
    """Read elements of fixed width, big-endian. Ranges are checked, membership is not: see `not_members`.

    Raises:
        ValueError: the length is no multiple of the width, or an integer is outside [1, largest].
    """
    width, largest, read = group.element_bytes, group.largest, mpz.from_bytes
    if len(packed) % width:
        raise ValueError(f"{len(packed)} bytes are no whole number of {width}-byte elements")
    elements = [read(packed[i : i + width], "big") for i in range(0, len(packed), width)]
    if elements and not (min(elements) >= 1 and max(elements) <= largest):
        raise ValueError(f"an integer outside the range of the elements of {group.name}")
    return elements


def pack(group: Group, elements: Iterable[mpz]) -> bytes:
    """Write canonical elements at fixed width, big-endian."""
    width = group.element_bytes
    return b"".join([element.to_bytes(width, "big") for element in elements])


def all_members(group: Group, elements: Iterable[mpz]) -> bool:
    """Tell whether integers in [1, largest] are all elements."""
    return all(map(group.is_member, elements))


def multiply(group: Group, columns: Sequence[Sequence[mpz]]) -> list[mpz]:
    """Multiply columns of equal length row by row; at least one column."""
    p, canonical = group.p, group.canonical
    products = list(columns[0])
    for column in columns[1:]:
        products = [x * y % p for x, y in zip(products, column, strict=True)]
    return [canonical(x) for x in products]


def inverses(group: Group, elements: Sequence[mpz]) -> list[mpz]:
    """Invert many elements by one inversion and three products each (Montgomery's trick)."""
    p, canonical = group.p, group.canonical
    prefixes = [mpz(1)]
    for element in elements:
        prefixes.append(prefixes[-1] * element % p)
    rest, inverted = invert(prefixes.pop(), p), []
    for element, prefix in zip(reversed(elements), reversed(prefixes), strict=True):
        inverted.append(canonical(rest * prefix % p))
        rest = rest * element % p
    return inverted[::-1]


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
