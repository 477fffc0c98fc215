"""How an integer becomes an element of the group, and how a product of elements becomes the sum again.

*Lifted*: g^v. Sums come back from a table of every possible sum, and any group will do.

*Exponential*: the paper's exp(gradient), an integer near 2^F exp(v 2^-f). Sums come back as logarithms, so
there is no table and the range may be wide, but every factor takes room below p / 2, and only a safe-prime
group will do.

Both give back exactly the sum of the integers that went in. What fits is proved here and told by
`explain_capacity`.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from mdl.errors import OutOfRange
from mdl.schemes.fixed_base import kept_table
from mdl.schemes.fixed_point import FixedPoint, what_fits
from mdl.schemes.modular import Elements, ModularGroup, Prepared, SafePrimeGroup
from mdl.schemes.prime_order import AnyGroup, Exponents
from mdl.vectors import Integers

EncodingName: TypeAlias = Literal["lifted", "exponential"]

TABLE_LIMIT: Final = 1 << 22
"""Sums that a decoding table may hold: at 2048 bits 2^22 take about 7 s to build and then 48 MiB."""

EXP_BITS: Final = 1000
"""The largest exp(v 2^-f) 2^F, as a power of two, that is safely below the largest double, 2^1024."""


@dataclass(frozen=True)
class Lifted:
    """v as g^v. Products of elements are sums of exponents.

    Attributes:
        group: any.
        fixed_point: the grid; entries are in [-V, V].
        members: the largest number of entries in a sum.
    """

    group: AnyGroup
    fixed_point: FixedPoint
    members: int

    @property
    def sums(self) -> int:
        """How many sums are possible: 2 * bound + 1."""
        return 2 * self.fixed_point.bound(self.members) + 1

    def problems(self) -> list[str]:
        """Say why this cannot work, [] if it can."""
        possible = f"{self.members} members with range {self.fixed_point.range:g} and "
        possible += f"{self.fixed_point.fraction_bits} fraction bits have {self.sums:,} possible sums"
        if self.sums >= self.group.q:
            return [f"{possible}, but {self.group.name} has only {int(self.group.q):,} elements"]
        if self.sums > TABLE_LIMIT:
            fits = what_fits(self.fixed_point, self.members, (TABLE_LIMIT - 1) // 2)
            return [f"{possible}, but a decoding table holds {TABLE_LIMIT:,}: {fits}"]
        return []

    def explain(self) -> str:
        """Say why it fits."""
        return f"{self.sums:,} possible sums, of {TABLE_LIMIT:,} that a decoding table may hold"

    def elements(self, values: Integers) -> Any:
        """Give g^v for v in [-V, V], a vector of the group; shape (rows,)."""
        return self.group.power_products([self._term(values)])

    def masked(self, values: Integers, base: Any, nonces: Exponents) -> Any:
        """Give g^v * h^r for each pair, h a prepared base of the group."""
        return self.group.power_products([(base, nonces), self._term(values)])

    def decode(self, elements: Any, members: int) -> Integers:
        """Find the sums of `members` entries each that these elements stand for; shape (rows,).

        Raises:
            OutOfRange: an element stands for no such sum.
        """
        keys, sums = _sum_table(self.group, self.fixed_point.bound(self.members))
        wanted = self.group.keys(elements)
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found = sums[places].astype(np.int64)
        # An alien element has a key of the table by chance once in 2^64 / TABLE_LIMIT = 2^42.
        _refuse_any((keys[places] != wanted) | (np.abs(found) > self.fixed_point.bound(members)), members)
        return found

    def _term(self, values: Integers) -> tuple[Any, Exponents]:
        # Counted from g^-V, exponents are small and not negative: three products each, where v mod q would
        # take 32.
        limit, group = self.fixed_point.limit, self.group
        base = kept_table(group, group.pack(group.generator), range(-limit, limit + 1))
        return base, Exponents((values + limit).tolist())


@dataclass(frozen=True)
class Exponential:
    """v as M = round(2^F exp(x)), x = v 2^-f: products of elements are exponentials of sums.

    Let k be the number of members and R = V 2^-f the largest |x|.

    *The product is read without wrapping* if k (F + R log2 e) + 1 <= log2 p - 1: each M is at most 2^F e^R +
    1, and the k ones together add less than the one bit, as 2^F >= 2k. So the product is below p / 2, and is
    the representative of its element.

    *The sum is exact.* M = 2^F exp(x) (1 + d), where |d| <= 2^-50 + 2^(-F-1) e^R: the exponential in double
    precision errs by at most 4 units of 2^-52, and the rounding by 1/2. So ln(product) - k F ln 2 is the sum,
    up to k |d| / (1 - |d|), and up to 2^-39 for six roundings of numbers of at most 3072 ln 2. With

        F >= f + 1 + log2 k + R log2 e

    k 2^(-F-1) e^R is at most 2^(-f-2). As f <= 32, and k < 2^12 by the room in 3072 bits, k 2^-50 is at most
    2^(-f-4). Hence k |d| <= 0.3125 * 2^-f, and the whole error is below 0.4546 * 2^-f + 2^-39 < 2^(-f-1):
    less than half the distance of two sums.

    Attributes:
        group: a safe-prime group. In a Schnorr group c^q = M^q, and M is read from its ciphertext without a
            key.
        fixed_point: the grid; entries are in [-V, V].
        members: the largest number of entries in a sum.
    """

    group: AnyGroup
    fixed_point: FixedPoint
    members: int

    @property
    def scale_bits(self) -> int:
        """F, the least that makes sums exact."""
        return math.ceil(self.fixed_point.fraction_bits + 1 + math.log2(self.members) + self._range_bits)

    @property
    def factor_bits(self) -> float:
        """Bits of the largest factor: F + R log2 e."""
        return self.scale_bits + self._range_bits

    @property
    def product_bits(self) -> float:
        """Bits of the largest product, one to spare: k (F + R log2 e) + 1."""
        return self.members * self.factor_bits + 1

    @property
    def room_bits(self) -> float:
        """Bits below p / 2: log2 p - 1."""
        assert isinstance(self.group, SafePrimeGroup)
        return math.log2(int(self.group.p)) - 1

    @property
    def _range_bits(self) -> float:
        """R log2 e: how many bits exp(x) spans above 1, and as many below."""
        return self.fixed_point.limit * 2.0**-self.fixed_point.fraction_bits * math.log2(math.e)

    def problems(self) -> list[str]:
        """Say why this cannot work, [] if it can."""
        if not isinstance(self.group, ModularGroup):
            return [
                f"the exponential encoding multiplies integers, and {self.group.name} has none: "
                'set system.scheme.encoding = "lifted"'
            ]
        if not isinstance(self.group, SafePrimeGroup):
            return [
                f"the exponential encoding needs a safe-prime group: in {self.group.name} a gradient can be "
                "read off its ciphertext without a key; use the lifted encoding"
            ]
        if self.product_bits > self.room_bits or self.factor_bits > EXP_BITS:
            return [
                f"{self.members} members with range {self.fixed_point.range:g} and "
                f"{self.fixed_point.fraction_bits} fraction bits make a product of {self.product_bits:.1f} "
                f"bits, but {self.group.name} has room for {self.room_bits:.1f} (and {EXP_BITS} a factor): "
                "lower range or fraction_bits, or take a larger group"
            ]
        return []

    def explain(self) -> str:
        """Say why it fits."""
        return (
            f"{self.members} factors of {self.factor_bits:.1f} bits make a product of "
            f"{self.product_bits:.1f} bits, of {self.room_bits:.1f} below p / 2"
        )

    def elements(self, values: Integers) -> Elements:
        """Give M for v in [-V, V]; shape (rows,)."""
        x = values * 2.0**-self.fixed_point.fraction_bits
        return [mpz(M) for M in np.rint(np.ldexp(np.exp(x), self.scale_bits)).tolist()]

    def masked(self, values: Integers, base: Prepared, nonces: Exponents) -> Elements:
        """Give M * h^r for each pair, h a prepared base of the group."""
        assert isinstance(self.group, SafePrimeGroup)
        return self.group.power_products([(base, nonces)], starts=self.elements(values))

    def decode(self, elements: Elements, members: int) -> Integers:
        """Find the sums of `members` entries each that these elements stand for; shape (rows,).

        Raises:
            OutOfRange: an element stands for no such sum. (Not every wrong element does: where the product
                takes nearly all the room, most of the group decodes to some sum.)
        """
        # math.log of an mpz fails above 1024 bits; of an int it does not.
        logarithms = np.array([math.log(int(element)) for element in elements])
        offset = members * self.scale_bits * math.log(2)
        sums = np.rint((logarithms - offset) * 2.0**self.fixed_point.fraction_bits).astype(np.int64)
        _refuse_any(np.abs(sums) > self.fixed_point.bound(members), members)
        return sums


def encoding(
    name: EncodingName, group: AnyGroup, fixed_point: FixedPoint, members: int
) -> Lifted | Exponential:
    """Choose an encoding by its name in the experiment file."""
    kind = Lifted if name == "lifted" else Exponential
    return kind(group=group, fixed_point=fixed_point, members=members)


def capacity_problems(
    name: EncodingName, group: AnyGroup, fixed_point: FixedPoint, members: int
) -> list[str]:
    """Say in words and numbers why sums of `members` entries do not fit; [] if they do."""
    return encoding(name, group, fixed_point, members).problems()


def explain_capacity(name: EncodingName, group: AnyGroup, fixed_point: FixedPoint, members: int) -> str:
    """Say in words and numbers why sums of `members` entries fit, or why not."""
    chosen = encoding(name, group, fixed_point, members)
    return "; ".join(chosen.problems()) or chosen.explain()


@lru_cache(maxsize=2)
def _sum_table(group: AnyGroup, bound: int) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Build the table of g^v for v in [-bound, bound], once per process: ascending keys, the v of each."""
    keys = group.keys_of_powers(bound)
    order = np.argsort(keys)
    keys = keys[order]
    # Constants decide this, not luck at run time: two of 2^22 keys agree with probability 2^-21.
    assert (keys[1:] != keys[:-1]).all()
    return keys, (order - bound).astype(np.int32)


def _refuse_any(wrong: NDArray[np.bool_], members: int) -> None:
    if wrong.any():
        count = int(np.count_nonzero(wrong))
        raise OutOfRange(
            f"{count} of {wrong.size} elements are no sums of {members} entries: a share or a body is wrong"
        )
