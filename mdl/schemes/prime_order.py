"""The interface of a group of prime order q in which discrete logarithms are hard.

A scheme is written once, for every group, over *vectors of elements*. What a vector is, only its group knows;
others may ask for its length and cut slices out of it. Operations take whole vectors, so that a call's cost
is spread over its elements. Groups are written multiplicatively, as the papers are.

Nothing here is constant time; Python could not keep such a promise.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

V = TypeVar("V")
"""A vector of elements: what its group makes of it."""

T = TypeVar("T")
"""What a group keeps to raise one base to many powers."""


@dataclass(frozen=True, eq=False)
class Exponents:
    """Integers that are to be exponents, cut into digits once for all the bases that are raised to them.

    Attributes:
        values: not negative. They do not print.
    """

    values: Sequence[int] = field(repr=False)
    _digits: dict[tuple[int, int], NDArray[np.uint8]] = field(init=False, default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[int]:
        return iter(self.values)

    def digits(self, width: int, count: int) -> NDArray[np.uint8]:
        """Write each as `count` digits of `width` bits (1 to 8), the lowest first: shape (len, count).

        Raises:
            OverflowError: one needs more digits, or is negative.
        """
        if (width, count) not in self._digits:
            self._digits[width, count] = _cut(self.values, width, count)
        return self._digits[width, count]


def _cut(values: Sequence[int], width: int, count: int) -> NDArray[np.uint8]:
    if width < 8 and any(value >> width * count for value in values):
        raise OverflowError(f"an exponent has more than {count} digits of {width} bits")
    size = -(-width * count // 8)
    packed = b"".join([value.to_bytes(size, "little") for value in values])
    rows = np.frombuffer(packed, np.uint8).reshape(len(values), size)
    if width == 8:
        return rows
    bits = np.unpackbits(rows, axis=1, count=width * count, bitorder="little")
    return np.packbits(bits.reshape(len(values), count, width), axis=2, bitorder="little")[:, :, 0]


class Group(ABC, Generic[V, T]):
    """A group of prime order.

    Attributes:
        name: as in an experiment file.
        q: the order.
    """

    name: str
    q: mpz

    @property
    @abstractmethod
    def description(self) -> str:
        """What kind of group it is, and how large: ``"a Schnorr group modulo a prime of 2048 bits"``."""

    @property
    @abstractmethod
    def security_bits(self) -> int:
        """Security level in bits; 0 for groups that a person can break."""

    @property
    def insecure(self) -> bool:
        """Whether this is a group for tests and for reproducing figures only."""
        return self.security_bits == 0

    @property
    @abstractmethod
    def element_bytes(self) -> int:
        """Bytes of an element on the wire."""

    @property
    def scalar_bytes(self) -> int:
        """Bytes of an integer in [0, q)."""
        return -(-int(self.q.bit_length()) // 8)

    @property
    @abstractmethod
    def nonce_bound(self) -> int:
        """Nonces are drawn from [0, nonce_bound)."""

    @property
    @abstractmethod
    def generator(self) -> V:
        """A vector of one: g."""

    @abstractmethod
    def unpack(self, packed: bytes) -> V:
        """Read elements of fixed width. What can be told of them cheaply is checked: see `all_members`.

        Raises:
            ValueError: the length is no multiple of the width, or something is not the one form under which
                an element is sent.
        """

    @abstractmethod
    def pack(self, elements: V) -> bytes:
        """Write elements at fixed width."""

    @abstractmethod
    def all_members(self, elements: V) -> bool:
        """Tell whether what `unpack` let pass are elements, as far as safety needs to know."""

    @abstractmethod
    def multiply(self, columns: Sequence[V]) -> V:
        """Multiply columns of equal length row by row; at least one column."""

    @abstractmethod
    def inverses(self, elements: V) -> V:
        """Invert each."""

    @abstractmethod
    def raised(self, elements: V, exponent: int) -> V:
        """Raise each to one exponent, not negative."""

    @abstractmethod
    def powers(self, base: V, exponents: Exponents) -> V:
        """Raise a vector of one to each exponent, with no preparation."""

    @abstractmethod
    def power_table(self, base: V, exponents: range, *, uses: int | None = None) -> T:
        """Prepare a vector of one to be raised to exponents in a range.

        Args:
            base: g, h...
            exponents: a range of step 1 that is not empty. It may begin below zero.
            uses: for how many exponentiations; None if it will be kept.
        """

    @abstractmethod
    def power_products(self, terms: Sequence[tuple[T, Exponents]]) -> V:
        """Multiply powers of several bases, row by row.

        Args:
            terms: at least one base, prepared, with exponents counted from the start of its range: the first
                of ``range(-3, 4)`` is 0. Equally many for each base.
        """

    @abstractmethod
    def keys(self, elements: V) -> NDArray[np.uint64]:
        """Give 64 bits of each element, by which to find it: shape (len(elements),)."""

    @abstractmethod
    def keys_of_powers(self, bound: int) -> NDArray[np.uint64]:
        """Give the keys of g^v for v in [-bound, bound], in that order; all of them differ."""


AnyGroup: TypeAlias = Group[Any, Any]
