"""Keys for pseudo-random secret sharing [CDI05]: workers share any number of secrets and send nothing.

[CDI05] R. Cramer, I. Damgård, Y. Ishai, Share conversion, pseudorandom secret-sharing and applications to
secure computation, TCC 2005.

For every set T of m - 1 workers the authority draws a key K_T, and gives it to all workers *outside* T. A
dealer i has keys of its own derived from these, K_{i,T} = KDF(K_T, i), for all T: where it is in T itself,
the authority gives it that derived key alone. Now for every input x:

- the dealer knows its secret, the sum over all T of F(K_{i,T}, x), for any function F of a key and an input;
- worker j holds a share of it: the sum over T without j of f_T(j) F(K_{i,T}, x), where f_T is the polynomial
  of degree m - 1 over Z_p with f_T(0) = 1 and f_T(t) = 0 for t in T. Any m shares are interpolated to the
  secret at zero.

m - 1 workers C lack K_C, hence K_{i,C} of each dealer i that is not among them, which masks the dealer's
secret from them. With their own shares and the secret itself they compute all other shares, so these tell
them nothing more.

Every worker stores C(n, m-1) keys of 16 bytes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import combinations
from math import comb
from typing import Final

from mdl.errors import InvalidShare, NotEnoughShares
from mdl.party import PartyId
from mdl.schemes.prf import KEY_BYTES, Prf, derive
from mdl.system import Randomness

KEYS_LIMIT: Final = 1000
"""More keys a worker than this are refused: a share costs a pass over nearly all of them."""

_POINT_BYTES: Final = 2
_DIGEST_BYTES: Final = 32

Subset = tuple[PartyId, ...]


def key_count(workers: int, threshold: int) -> int:
    """Give C(n, m-1): the keys that each worker stores."""
    return comb(workers, threshold - 1)


def deal(
    points: Sequence[PartyId], threshold: int, *, rng: Randomness
) -> tuple[bytes, Mapping[PartyId, bytes]]:
    """Draw all keys (the authority's step).

    Returns:
        What is public, a digest of every key, and each worker's keys.

    Raises:
        NotEnoughShares: fewer points than the threshold: nobody could ever open anything.
        ValueError: a point is not in [1, 2^16), or occurs twice.
    """
    if len(points) < threshold:
        raise NotEnoughShares(f"{len(points)} key shares cannot reach a threshold of {threshold}")
    if len(set(points)) < len(points) or not all(0 < point < 1 << 8 * _POINT_BYTES for point in points):
        raise ValueError(f"points must be distinct and in [1, 2^16): {list(points)}")
    header = _header(points, threshold)
    held: dict[PartyId, list[bytes]] = {point: [] for point in points}
    digests = []
    for subset in _subsets(points, threshold):
        key = rng.bytes(KEY_BYTES)
        for point in points:
            held[point].append(_dealers(key, point) if point in subset else key)
        digests += [_digest(key), *(_digest(_dealers(key, point)) for point in subset)]
    return header + b"".join(digests), {point: header + b"".join(keys) for point, keys in held.items()}


def check(public: bytes, point: PartyId, secret: bytes) -> None:
    """Verify one's own keys against the digests of all.

    Raises:
        InvalidShare: they are not this point's, or malformed.
    """
    keys = held_keys(point, secret)
    header, width = _header(keys.points, keys.threshold), keys.threshold * _DIGEST_BYTES
    if not public.startswith(header) or len(public) != len(header) + len(keys.subsets) * width:
        raise InvalidShare(f"the keys of worker {point} do not fit the public digests")
    for at, (subset, key) in enumerate(zip(keys.subsets, keys.keys, strict=True)):
        mine = 1 + subset.index(point) if point in subset else 0
        start = len(header) + at * width + mine * _DIGEST_BYTES
        if _digest(key) != public[start : start + _DIGEST_BYTES]:
            raise InvalidShare(f"the keys of worker {point} do not fit the public digests")


@dataclass(frozen=True, eq=False)
class HeldKeys:
    """One worker's keys, and the functions that they give.

    Attributes:
        point: who holds them.
        points: everybody, ascending.
        threshold: m.
        subsets: all T, in the order of their keys.
        keys: K_T, or K_{point,T} where T holds the point.
    """

    point: PartyId
    points: tuple[PartyId, ...]
    threshold: int
    subsets: tuple[Subset, ...]
    keys: tuple[bytes, ...] = field(repr=False)

    @cached_property
    def own(self) -> Sequence[Prf]:
        """K_{i,T} as functions, for this worker as the dealer i, in the order of `subsets`."""
        return [
            Prf(key if self.point in subset else _dealers(key, self.point))
            for subset, key in zip(self.subsets, self.keys, strict=True)
        ]

    def of(self, dealer: PartyId) -> Sequence[Prf]:
        """K_{dealer,T} as functions, in the order of `others`."""
        if dealer not in self._dealers:
            self._dealers[dealer] = [
                Prf(_dealers(key, dealer))
                for subset, key in zip(self.subsets, self.keys, strict=True)
                if self.point not in subset
            ]
        return self._dealers[dealer]

    @cached_property
    def others(self) -> Sequence[Subset]:
        """The subsets without this worker."""
        return [subset for subset in self.subsets if self.point not in subset]

    def factors(self, prime: int) -> list[int]:
        """f_T(point) mod `prime`, in the order of `others`: what turns functions into this worker's share."""
        return [_factor(subset, self.point, prime) for subset in self.others]

    @cached_property
    def _dealers(self) -> dict[PartyId, Sequence[Prf]]:
        return {}


@lru_cache(maxsize=4)
def held_keys(point: PartyId, secret: bytes) -> HeldKeys:
    """Read the keys that the authority gave a worker; what they are expanded to is kept for the next call.

    Raises:
        InvalidShare: they are malformed.
    """
    read = int.from_bytes
    threshold, count = read(secret[:2], "big"), read(secret[2:4], "big")
    first = 4 + _POINT_BYTES * count
    points = tuple(read(secret[at : at + _POINT_BYTES], "big") for at in range(4, first, _POINT_BYTES))
    well_formed = len(points) == count and point in points and 1 <= threshold <= count
    if not well_formed or len(secret) != first + key_count(count, threshold) * KEY_BYTES:
        raise InvalidShare(f"what worker {point} holds are no keys of its own")
    keys = tuple(secret[at : at + KEY_BYTES] for at in range(first, len(secret), KEY_BYTES))
    return HeldKeys(point, points, threshold, tuple(_subsets(points, threshold)), keys)


def _subsets(points: Sequence[PartyId], threshold: int) -> Sequence[Subset]:
    return list(combinations(points, threshold - 1))


def _header(points: Sequence[PartyId], threshold: int) -> bytes:
    counts = threshold.to_bytes(2, "big") + len(points).to_bytes(2, "big")
    return counts + b"".join(point.to_bytes(_POINT_BYTES, "big") for point in points)


def _dealers(key: bytes, dealer: PartyId) -> bytes:
    return derive(key, b"mdl: keys of dealer %d" % dealer)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(b"mdl: commitment to a key" + key).digest()


def _factor(subset: Subset, point: PartyId, prime: int) -> int:
    numerator, denominator = 1, 1
    for member in subset:
        numerator = numerator * (member - point) % prime
        denominator = denominator * member % prime
    return numerator * pow(denominator, -1, prime) % prime
