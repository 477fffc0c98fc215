"""Groups of integers modulo a prime p.

Two kinds. In a *safe-prime* group, p = 2q + 1, any integer in [1, (p-1)/2] is an element: that is what lets a
ciphertext hold exp(gradient) itself. In a *Schnorr* group, p = 2qr + 1 with q of 256 bits, exponents are
eight times shorter.

The paper writes p = 2kq + 1 and leaves k open.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from gmpy2 import invert, jacobi, mpz, powmod, powmod_base_list, powmod_exp_list
from numpy.typing import NDArray

from mdl.schemes.fixed_base import best_width, bits_of
from mdl.schemes.prime_order import Exponents, Group

Elements: TypeAlias = Sequence[mpz]

SHORT_EXPONENT_BITS = 256

SECURITY_BITS = {2048: 112, 3072: 128}
"""Security level by the bits of p [NIST SP 800-57 part 1, table 2]; q of 256 bits suffices for both."""

KEY_MODULUS: Final = mpz((1 << 64) - 59)
"""The largest prime of 64 bits; an element's key is its residue. Plain low bits would not do: with generator
2, g^64, g^65 ... have none that are set."""


@dataclass(frozen=True, eq=False)
class PowerTable:
    """A prepared base.

    Attributes:
        p: the modulus.
        width: bits of a digit.
        rows: base^(d * 2^(width i)) for each digit i, the lowest first, and each value d of it; the entries
            of the lowest are multiplied by the first power of the range.
    """

    p: mpz
    width: int
    rows: Sequence[Elements] = field(repr=False)

    def times_powers(self, starts: Elements, exponents: Exponents) -> list[mpz]:
        """Compute start * base^exponent for each pair, not canonical."""
        # One exponent is 32 turns of the inner loop or more: everything that can be is outside it.
        p, rows = self.p, self.rows
        powers = []
        for power, digits in zip(starts, exponents.digits(self.width, len(rows)).tolist(), strict=True):
            for row, digit in zip(rows, digits, strict=True):
                power = power * row[digit] % p
            powers.append(power)
        return powers


@dataclass(frozen=True, eq=False)
class PlainBase:
    """A base that is raised too seldom for a table.

    Attributes:
        p: the modulus.
        base: to be raised.
        first: the first power of the range.
    """

    p: mpz
    base: mpz
    first: mpz

    def times_powers(self, starts: Elements, exponents: Exponents) -> list[mpz]:
        """Compute start * base^exponent for each pair, not canonical."""
        powers = powmod_exp_list(self.base, list(exponents), self.p)
        return [start * self.first * power % self.p for start, power in zip(starts, powers, strict=True)]


Prepared: TypeAlias = PowerTable | PlainBase


class ModularGroup(Group[Elements, Prepared]):
    """A group of integers modulo p.

    Attributes:
        p: the modulus.
        g: the generator, canonical.
    """

    p: mpz
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
    def kind(self) -> str:
        """``"safe-prime"`` or ``"Schnorr"``."""

    @property
    def bits(self) -> int:
        """Bits of p."""
        return int(self.p.bit_length())

    @property
    def description(self) -> str:
        """See `Group`."""
        return f"a {self.kind} group modulo a prime of {self.bits} bits"

    @property
    def security_bits(self) -> int:
        """See `Group`."""
        return SECURITY_BITS.get(self.bits, 0)

    @property
    def element_bytes(self) -> int:
        """Bytes of p."""
        return -(-self.bits // 8)

    @property
    def generator(self) -> list[mpz]:
        """See `Group`."""
        return [self.g]

    def unpack(self, packed: bytes) -> list[mpz]:
        """Read integers, big-endian. Ranges are checked, membership is not.

        Raises:
            ValueError: the length is no multiple of the width, or an integer is outside [1, largest].
        """
        width, largest, read = self.element_bytes, self.largest, mpz.from_bytes
        if len(packed) % width:
            raise ValueError(f"{len(packed)} bytes are no whole number of {width}-byte elements")
        elements = [read(packed[i : i + width], "big") for i in range(0, len(packed), width)]
        if elements and not (min(elements) >= 1 and max(elements) <= largest):
            raise ValueError(f"an integer outside the range of the elements of {self.name}")
        return elements

    def pack(self, elements: Elements) -> bytes:
        """Write canonical elements, big-endian."""
        width = self.element_bytes
        return b"".join([element.to_bytes(width, "big") for element in elements])

    def all_members(self, elements: Elements) -> bool:
        """Tell whether integers in [1, largest] are all elements."""
        return all(map(self.is_member, elements))

    def multiply(self, columns: Sequence[Elements]) -> list[mpz]:
        """See `Group`; the factors need not be canonical."""
        p, products = self.p, list(columns[0])
        for column in columns[1:]:
            products = [x * y % p for x, y in zip(products, column, strict=True)]
        return self._canonical(products)

    def inverses(self, elements: Elements) -> list[mpz]:
        """Invert many elements by one inversion and three products each (Montgomery's trick)."""
        p, canonical = self.p, self.canonical
        prefixes = [mpz(1)]
        for element in elements:
            prefixes.append(prefixes[-1] * element % p)
        rest, inverted = invert(prefixes.pop(), p), []
        for element, prefix in zip(reversed(elements), reversed(prefixes), strict=True):
            inverted.append(canonical(rest * prefix % p))
            rest = rest * element % p
        return inverted[::-1]

    def raised(self, elements: Elements, exponent: int) -> list[mpz]:
        """See `Group`."""
        # The list calls release the interpreter's lock for all of it.
        return self._canonical(powmod_base_list(list(elements), exponent, self.p))

    def powers(self, base: Elements, exponents: Exponents) -> list[mpz]:
        """See `Group`."""
        (x,) = base
        return self._canonical(powmod_exp_list(x, list(exponents), self.p))

    def power_table(self, base: Elements, exponents: range, *, uses: int | None = None) -> Prepared:
        """See `Group`. At 2048 bits one for 256-bit exponents that is kept takes 2.4 MiB and 12 ms."""
        (x,) = base
        first, bits = powmod(x, exponents.start, self.p), bits_of(exponents)
        # A product of gmpy2's from Python costs as much as two inside powmod, or nearly.
        width = best_width(bits, uses, entry=1, digit=1, plain=bits / 2)
        if not width:
            return PlainBase(self.p, x, first)
        p, rows = self.p, []
        for _ in range(max(1, -(-bits // width))):
            power = mpz(1)
            rows.append([power, *(power := power * x % p for _ in range((1 << width) - 1))])
            x = power * x % p
        rows[0] = [first * entry % self.p for entry in rows[0]]
        return PowerTable(self.p, width, rows)

    def power_products(
        self, terms: Sequence[tuple[Prepared, Exponents]], starts: Elements | None = None
    ) -> list[mpz]:
        """See `Group`; `starts` are multiplied in."""
        products = starts or [mpz(1)] * len(terms[0][1])
        for base, exponents in terms:
            products = base.times_powers(products, exponents)
        return self._canonical(products)

    def keys(self, elements: Elements) -> NDArray[np.uint64]:
        """See `Group`: the residues modulo a prime."""
        return self._keys(elements, len(elements))

    def keys_of_powers(self, bound: int) -> NDArray[np.uint64]:
        """See `Group`. 2^20 take about 1.5 s at 2048 bits."""
        count = 2 * bound + 1
        return self._keys(self._consecutive(-bound, count), count)

    def _keys(self, elements: Iterable[mpz], count: int) -> NDArray[np.uint64]:
        return np.fromiter((int(element % KEY_MODULUS) for element in elements), np.uint64, count)

    def _consecutive(self, first: int, count: int) -> Iterator[mpz]:
        """Yield g^first, g^(first + 1) ...; the elements themselves would fill a gigabyte."""
        element = powmod(self.g, first, self.p)
        for _ in range(count):
            yield self.canonical(element)
            element = element * self.g % self.p

    def _canonical(self, elements: Iterable[mpz]) -> list[mpz]:
        return [self.canonical(x) for x in elements]


@dataclass(frozen=True)
class SafePrimeGroup(ModularGroup):
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
    def kind(self) -> str:
        """See `ModularGroup`."""
        return "safe-prime"

    @property
    def nonce_bound(self) -> int:
        """The order, or 2^256 if that is smaller."""
        return min(int(self.q), 1 << SHORT_EXPONENT_BITS)


@dataclass(frozen=True)
class SchnorrGroup(ModularGroup):
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
    def kind(self) -> str:
        """See `ModularGroup`."""
        return "Schnorr"

    @property
    def nonce_bound(self) -> int:
        """The order: uniform exponents, no assumption beyond the group's."""
        return int(self.q)
