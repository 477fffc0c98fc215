"""Keys for pseudo-random secret sharing [CDI05]: workers share any number of secrets and send nothing.

[CDI05] R. Cramer, I. Damgård, Y. Ishai, Share conversion, pseudorandom secret-sharing and applications to
secure computation, TCC 2005.

For every set T of m - 1 workers the authority draws a key K_T, and gives it to all workers *outside* T. A
dealer i has keys of its own derived from these, K_{i,T} = KDF(K_T, i), for all T without i. Now for every
input x:

- the dealer knows its secret, the sum over all T without i of F(K_{i,T}, x), for any function F of a key and
  an input;
- worker j holds a share of it: the sum over T without i and j of f_T(j) F(K_{i,T}, x), where f_T is the
  polynomial of degree m - 1 over Z_p with f_T(0) = 1 and f_T(t) = 0 for t in T. Any m shares are interpolated
  to the secret at zero.

Any m - 1 workers C lack K_C, hence K_{i,C} of each dealer i that is not among them, which masks the dealer's
secret from them. With their own shares and the secret itself they compute all other shares, so these tell
them nothing more. Of several dealers' secrets, of which only the sum is opened: a smaller coalition, the
manager alone for instance, knows no more than m - 1 workers do whom it is part of. For any two dealers
outside it these can be chosen without either, if n > m; so it learns nothing but the sum over the two.

A dealer needs no keys for the sets that it is in, as no coalition with the dealer need be kept from the
dealer's secret; [CDI05] shares secrets that no worker knows, and has these keys too. *If n = m they are
needed.* Then every set without the dealer is the set of all others, a dealer's secret has one term, which the
dealer alone holds, and its share would be its own mask, bare. So there the authority gives dealer i also
K_{i,T} for the sets T that it is in, and all sums are over all T: the secret is split among all workers, and
an opened share is a sum over all dealers.

Every worker stores C(n-1, m-1) keys of 16 bytes; n of them if n = m.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain, combinations
from math import comb
from typing import Final

from mdl.errors import InvalidShare, NotEnoughShares, SchemeError
from mdl.party import PartyId
from mdl.schemes.prf import KEY_BYTES, Prf, derive
from mdl.system import Randomness

KEYS_LIMIT: Final = 1000
"""More keys a worker than this are refused: a share costs a pass over nearly all of them."""

_POINT_BYTES: Final = 2
_DIGEST_BYTES: Final = 32

Subset = tuple[PartyId, ...]


def key_count(workers: int, threshold: int) -> int:
    """Give C(n-1, m-1), or n where n = m: the keys that each worker stores."""
    return comb(workers - 1, threshold - 1) + (workers - 1 if workers == threshold else 0)


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
    keys = {subset: rng.bytes(KEY_BYTES) for subset in combinations(points, threshold - 1)}
    own = {point: _own_keys(keys, point) if len(points) == threshold else [] for point in points}
    secrets = {
        point: header + b"".join([key for subset, key in keys.items() if point not in subset] + own[point])
        for point in points
    }
    digests = [_digest(key) for key in [*keys.values(), *chain.from_iterable(own.values())]]
    return header + b"".join(digests), secrets


def _own_keys(keys: Mapping[Subset, bytes], dealer: PartyId) -> list[bytes]:
    """Derive the dealer's keys of the sets that it is in."""
    return [_dealers(key, dealer) for subset, key in keys.items() if dealer in subset]


def check(public: bytes, point: PartyId, secret: bytes) -> None:
    """Verify one's own keys against the digests of all.

    Raises:
        InvalidShare: they are not this point's, or malformed.
    """
    held = held_keys(point, secret)
    header = _header(held.points, held.threshold)
    subsets = list(combinations(held.points, held.threshold - 1))
    count = len(subsets) + len(held.points) * len(held.own)
    if not public.startswith(header) or len(public) != len(header) + count * _DIGEST_BYTES:
        raise InvalidShare(f"the public digests are not those of the keys that worker {point} holds")
    mine = {at: held.keys[subset] for at, subset in enumerate(subsets) if subset in held.keys}
    first = len(subsets) + held.points.index(point) * len(held.own)
    mine |= dict(enumerate(held.own.values(), first))
    for at, key in mine.items():
        start = len(header) + at * _DIGEST_BYTES
        if _digest(key) != public[start : start + _DIGEST_BYTES]:
            raise InvalidShare(f"the keys of worker {point} do not fit the public digests")


@dataclass(frozen=True, eq=False)
class HeldKeys:
    """One worker's keys, and the functions that they give.

    Attributes:
        point: who holds them.
        points: everybody, as they were dealt to.
        threshold: m.
        keys: K_T for every T without the point.
        own: K_{point,T} for every T with the point, if n = m; else none.
    """

    point: PartyId
    points: tuple[PartyId, ...]
    threshold: int
    keys: Mapping[Subset, bytes] = field(repr=False)
    own: Mapping[Subset, bytes] = field(repr=False)

    @cached_property
    def secret(self) -> Mapping[Subset, Prf]:
        """F(K_{point,T}, ·) for every T that counts: this worker's own secret is the sum of all."""
        return {**self.of(self.point), **{subset: Prf(key) for subset, key in self.own.items()}}

    def of(self, dealer: PartyId) -> Mapping[Subset, Prf]:
        """F(K_{dealer,T}, ·) for every T that counts and is without the point: what a share is made of.

        Raises:
            SchemeError: `dealer` is no point that was dealt to.
        """
        if dealer not in self.points:
            raise SchemeError(f"worker {dealer} has no keys: they were dealt to {list(self.points)}")
        if dealer not in self._functions:
            self._functions[dealer] = {
                subset: Prf(_dealers(key, dealer))
                for subset, key in self.keys.items()
                if self.own or dealer not in subset
            }
        return self._functions[dealer]

    def factors(self, prime: int) -> Mapping[Subset, int]:
        """f_T(point) mod `prime`, by T: what turns the functions' values into this worker's share."""
        if prime not in self._factors:
            self._factors[prime] = {subset: _factor(subset, self.point, prime) for subset in self.keys}
        return self._factors[prime]

    @cached_property
    def _factors(self) -> dict[int, Mapping[Subset, int]]:
        return {}

    @cached_property
    def _functions(self) -> dict[PartyId, Mapping[Subset, Prf]]:
        return {}


@lru_cache(maxsize=16)
def held_keys(point: PartyId, secret: bytes) -> HeldKeys:
    """Read the keys that the authority gave a worker; what they are expanded to is kept for the next call.

    Raises:
        InvalidShare: they are malformed.
    """
    read = int.from_bytes
    threshold, count = read(secret[:2], "big"), read(secret[2:4], "big")
    first = 4 + _POINT_BYTES * count
    points = tuple(read(secret[at : at + _POINT_BYTES], "big") for at in range(4, first, _POINT_BYTES))
    well_formed = len(set(points)) == len(points) == count and point in points and 1 <= threshold <= count
    if not well_formed or len(secret) != first + key_count(count, threshold) * KEY_BYTES:
        raise InvalidShare(f"what worker {point} holds are no keys of its own")
    keys = [secret[at : at + KEY_BYTES] for at in range(first, len(secret), KEY_BYTES)]
    subsets = list(combinations(points, threshold - 1))
    without = [subset for subset in subsets if point not in subset]
    within = [subset for subset in subsets if point in subset] if count == threshold else []
    return HeldKeys(
        point,
        points,
        threshold,
        dict(zip(without, keys, strict=False)),
        dict(zip(within, keys[len(without) :], strict=True)),
    )


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
