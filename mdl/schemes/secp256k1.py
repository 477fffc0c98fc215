"""The elliptic curve secp256k1 [SEC 2], by libsecp256k1: about 128 bits of security.

Its order is a prime, so every point is an element of the group and no membership test is needed beyond the
curve's equation, which is checked where bytes are read. On the wire a point is 04 | x | y (65 bytes, SEC 1):
the form of 33 bytes would cost a square root to read, fifteen times as much. The neutral element, which is no
point of the plane, is 65 zeros.

The library computes with one point at a time. What makes it fast here is that one call adds up an *array* of
points, at a tenth of the cost of adding them one by one: with a table, a power is one such call. Entries of a
table must not be neutral, as the library has no form for that. So digits are odd and of both signs: for L
digits b_i of w bits,

    e = sum b_i 2^(w i) = sum (2 b_i - (2^w - 1)) / 2 * 2^(w i) + (2^(w L) - 1) / 2,

and an entry is base^((2 b - (2^w - 1)) / 2 * 2^(w i)), 1/2 being an integer modulo the order. Half of the
entries are the inverses of the others, and an inverse costs next to nothing. The last term is one point more.

This module alone touches the library, through the raw bindings of `coincurve`. The library is constant time
where it handles secret scalars of its own; what is used here is not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from coincurve._libsecp256k1 import ffi, lib
from gmpy2 import invert, mpz
from numpy.typing import NDArray

from mdl.schemes.fixed_base import best_width, bits_of
from mdl.schemes.prime_order import Exponents, Group

Points: TypeAlias = NDArray[np.uint8]
"""Shape (k, 64): points as the library holds them, and zeros for the neutral element, which it cannot."""

Addresses: TypeAlias = NDArray[np.uint64]

Flags: TypeAlias = NDArray[np.bool_]

FIELD: Final = (1 << 256) - (1 << 32) - 977
ORDER: Final = mpz(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141)
GENERATOR: Final = bytes.fromhex(
    "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
)

_HELD: Final = 64
_SENT: Final = 65
_CHUNK: Final = 1 << 16
_HALF: Final = int(invert(2, ORDER))
_CONTEXT: Final = lib.secp256k1_context_static


class Factors(NamedTuple):
    """Points that are to be multiplied, row by row.

    Attributes:
        addresses: shape (rows, factors).
        present: which are points and not the neutral element, the same shape.
        points: where they lie; kept here, as addresses do not keep them.
    """

    addresses: Addresses
    present: Flags
    points: Sequence[Points]


@dataclass(frozen=True, eq=False)
class PointTable:
    """A prepared base.

    Attributes:
        width: bits of a digit.
        points: shape (L 2^width + 1, 64): the entries of each digit, the lowest first, and the constant.
    """

    width: int
    points: Points = field(repr=False)

    def factors(self, exponents: Exponents) -> Factors:
        """Give what multiplies to each power: L + 1 factors, none of them neutral."""
        count = len(self.points) >> self.width
        places = np.empty((len(exponents), count + 1), np.uint64)
        places[:, :-1] = exponents.digits(self.width, count)
        places[:, :-1] += np.arange(count, dtype=np.uint64) << np.uint64(self.width)
        places[:, -1] = len(self.points) - 1
        addresses = _first(self.points) + places * np.uint64(_HELD)
        return Factors(addresses, np.ones(addresses.shape, np.bool_), [self.points])


@dataclass(frozen=True, eq=False)
class PlainPoint:
    """A base that is raised too seldom for a table.

    Attributes:
        base: shape (1, 64).
        first: the start of the range of its exponents.
    """

    base: Points
    first: int

    def factors(self, exponents: Exponents) -> Factors:
        """Give each power, one factor."""
        shifted = [self.first + exponent for exponent in exponents]
        return _columns([_scaled(np.repeat(self.base, len(shifted), axis=0), shifted)])


Prepared: TypeAlias = PointTable | PlainPoint


@dataclass(frozen=True)
class Secp256k1(Group[Points, Prepared]):
    """The group of the curve's points, written multiplicatively like every other."""

    name = "secp256k1"
    q = ORDER

    @property
    def description(self) -> str:
        """See `Group`."""
        return "an elliptic curve over a prime field of 256 bits"

    @property
    def security_bits(self) -> int:
        """128: the best known attack takes the square root of the order [NIST SP 800-57 part 1, table 2]."""
        return 128

    @property
    def element_bytes(self) -> int:
        """04 | x | y."""
        return _SENT

    @property
    def nonce_bound(self) -> int:
        """The order: uniform exponents."""
        return int(ORDER)

    @property
    def generator(self) -> Points:
        """See `Group`."""
        return self.unpack(GENERATOR)

    def unpack(self, packed: bytes) -> Points:
        """Read points; each is checked to lie on the curve.

        Raises:
            ValueError: the length is no multiple of 65, or something is neither a point nor 65 zeros.
        """
        if len(packed) % _SENT:
            raise ValueError(f"{len(packed)} bytes are no whole number of {_SENT}-byte points")
        rows = np.frombuffer(packed, np.uint8).reshape(-1, _SENT)
        neutral = rows[:, 0] == 0
        if rows[neutral].any() or (rows[~neutral, 0] != lib.SECP256K1_TAG_PUBKEY_UNCOMPRESSED).any():
            raise ValueError("a point that is not in the form of 65 bytes")
        points, parse = _neutral(len(rows)), lib.secp256k1_ec_pubkey_parse
        to, start = _pointer(points), ffi.from_buffer("unsigned char[]", packed)
        for i in np.flatnonzero(~neutral).tolist():
            if not parse(_CONTEXT, to + i, start + _SENT * i, _SENT):
                raise ValueError("a point that is not on secp256k1")
        return points

    def pack(self, elements: Points) -> bytes:
        """See `Group`."""
        return _sent(elements).tobytes()

    def all_members(self, elements: Points) -> bool:
        """Say yes: every point on the curve is an element."""
        return True

    def multiply(self, columns: Sequence[Points]) -> Points:
        """See `Group`."""
        return _products(_columns(columns))

    def inverses(self, elements: Points) -> Points:
        """See `Group`: the points mirrored."""
        points = np.array(elements)
        _negate(points, np.flatnonzero(_present(points)).tolist())
        return points

    def raised(self, elements: Points, exponent: int) -> Points:
        """See `Group`."""
        return _scaled(np.array(elements), [exponent] * len(elements))

    def powers(self, base: Points, exponents: Exponents) -> Points:
        """See `Group`."""
        return _scaled(np.repeat(base, len(exponents), axis=0), exponents)

    def power_table(self, base: Points, exponents: range, *, uses: int | None = None) -> Prepared:
        """See `Group`. One for 256-bit exponents that is kept takes 0.5 MiB and 10 ms."""
        # Measured, in microseconds. Half of the entries are additions, and half are mirror images.
        width = best_width(bits_of(exponents), uses, entry=1.1, digit=0.17, plain=21)
        if not width or not base.any():
            return PlainPoint(base, exponents.start)
        count = max(1, -(-bits_of(exponents) // width))
        points = _neutral((count << width) + 1)
        _fill(points, width, count, _scaled(np.array(base), [_HALF]))
        constant = (2 * exponents.start + (1 << width * count) - 1) * _HALF
        points[-1] = _scaled(np.array(base), [constant])
        return PointTable(width, points)

    def power_products(self, terms: Sequence[tuple[Prepared, Exponents]]) -> Points:
        """See `Group`: one call of the library for each product."""
        addresses, present, points = zip(*(base.factors(exponents) for base, exponents in terms), strict=True)
        owners = list(chain(*points))
        return _products(Factors(np.concatenate(addresses, 1), np.concatenate(present, 1), owners))

    def keys(self, elements: Points) -> NDArray[np.uint64]:
        """See `Group`: the low bits of y, in which a point differs from its inverse."""
        low: NDArray[np.uint64] = _sent(elements)[:, -8:].copy().view(">u8")[:, 0].astype(np.uint64)
        return low

    def keys_of_powers(self, bound: int) -> NDArray[np.uint64]:
        """See `Group`. 2^20 take about 2 s."""
        keys = np.zeros(2 * bound + 1, np.uint64)
        g = self.power_table(self.generator, range(bound + 1))
        for first in range(1, bound + 1, _CHUNK):
            chunk = range(first, min(first + _CHUNK, bound + 1))
            powers = self.power_products([(g, Exponents(chunk))])
            keys[bound + chunk.start : bound + chunk.stop] = self.keys(powers)
        # The inverse of (x, y) is (x, -y), so its key follows.
        keys[:bound] = (np.uint64(FIELD & ((1 << 64) - 1)) - keys[bound + 1 :])[::-1]
        return keys


# Vectors of points, and the library's calls: each goes through a vector in one loop.


def _neutral(count: int) -> Points:
    return np.zeros((count, _HELD), np.uint8)


def _present(points: Points) -> Flags:
    """Tell which are points: shape (k,)."""
    return np.asarray(points.any(axis=1))


def _first(points: Points) -> np.uint64:
    return np.uint64(points.__array_interface__["data"][0])


def _addresses(points: Points) -> Addresses:
    return _first(points) + np.arange(len(points), dtype=np.uint64) * np.uint64(points.strides[0])


def _pointer(points: Points) -> Any:
    """Give the library a contiguous vector to write to."""
    assert points.flags.c_contiguous
    return ffi.cast("secp256k1_pubkey *", int(_first(points)))


def _columns(columns: Sequence[Points]) -> Factors:
    """Lay columns of equal length side by side."""
    return Factors(
        np.stack([_addresses(column) for column in columns], axis=1),
        np.stack([_present(column) for column in columns], axis=1),
        columns,
    )


def _products(factors: Factors) -> Points:
    """Multiply each row; of no factors, or of what is inverse to each other, comes the neutral element."""
    addresses, present, _ = factors
    counts = present.sum(axis=1)
    if not present.all():
        addresses = np.take_along_axis(addresses, np.argsort(~present, axis=1, kind="stable"), axis=1)
    products, combine = _neutral(len(addresses)), lib.secp256k1_ec_pubkey_combine
    addresses = np.ascontiguousarray(addresses)
    to, start = _pointer(products), _rows(addresses)
    width = addresses.shape[1]
    for i, count in enumerate(counts.tolist()):
        if count:
            # It fails where the product is neutral, and then leaves zeros.
            combine(_CONTEXT, to + i, start + width * i, count)
    return products


def _rows(addresses: Addresses) -> Any:
    return ffi.cast("secp256k1_pubkey **", addresses.__array_interface__["data"][0])


def _scaled(points: Points, exponents: Iterable[int]) -> Points:
    """Raise each, in place, to its own exponent."""
    to, tweak = _pointer(points), lib.secp256k1_ec_pubkey_tweak_mul
    for i, (exponent, there) in enumerate(zip(exponents, _present(points).tolist(), strict=True)):
        if not there:
            continue
        if scalar := int(exponent % ORDER):
            tweak(_CONTEXT, to + i, scalar.to_bytes(32, "big"))
        else:
            points[i] = 0
    return points


def _negate(points: Points, places: Iterable[int]) -> None:
    """Invert some, in place; none of them neutral."""
    to, negate = _pointer(points), lib.secp256k1_ec_pubkey_negate
    for place in places:
        negate(_CONTEXT, to + place)


def _sent(points: Points) -> Points:
    """Give the form on the wire, shape (k, 65)."""
    points = np.ascontiguousarray(points)
    rows = np.zeros((len(points), _SENT), np.uint8)
    of, to = _pointer(points), ffi.cast("unsigned char *", int(_first(rows)))
    size, form = ffi.new("size_t *", _SENT), lib.SECP256K1_EC_UNCOMPRESSED
    serialise = lib.secp256k1_ec_pubkey_serialize
    for i in np.flatnonzero(_present(points)).tolist():
        serialise(_CONTEXT, to + _SENT * i, size, of + i, form)
    return rows


def _fill(points: Points, width: int, count: int, unit: Points) -> None:
    """Make the entries of a table: unit^((2 b - (2^width - 1)) 2^(width i)), for each digit i and value b."""
    half = 1 << (width - 1)
    points[half] = unit
    places = _additions(width, count)
    addresses = _first(points) + places[:, 1:] * np.uint64(_HELD)
    to, start, combine = _pointer(points), _rows(addresses), lib.secp256k1_ec_pubkey_combine
    for i, place in enumerate(places[:, 0].tolist()):
        combine(_CONTEXT, to + place, start + 2 * i, 2)
    digits = points[:-1].reshape(count, 2 * half, _HELD)
    digits[:, :half] = digits[:, : half - 1 : -1]
    _negate(points, np.flatnonzero(np.arange(count << width) % (2 * half) < half).tolist())


@lru_cache
def _additions(width: int, count: int) -> NDArray[np.uint64]:
    """Give the additions that fill the upper half of each digit's entries, in order: where to, of what two.

    The upper half has the odd multiples u, 3u, 5u ... of its digit's unit u; 2u lies for a while in the
    digit's lowest place. The last multiple and u make the next digit's unit.
    """
    half, places = 1 << (width - 1), []
    for lowest in range(0, count << width, 2 * half):
        first = lowest + half
        if lowest:
            places.append((first, lowest - 1, lowest - half))
        places.append((lowest, first, first))
        places += [(first + t, first + t - 1, lowest) for t in range(1, half)]
    return np.array(places, np.uint64)
