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
them nothing more. A dealer needs no keys for the sets that it is in, as no coalition with the dealer need be
kept from the dealer's secret; [CDI05] shares secrets that no worker knows, and has these keys too.

Every worker stores C(n-1, m-1) keys of 16 bytes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import combinations
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
    """Give C(n-1, m-1): the keys that each worker stores."""
    return comb(workers - 1, threshold - 1)


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
    secrets = {
        point: header + b"".join(key for subset, key in keys.items() if point not in subset)
        for point in points
    }
    return header + b"".join(map(_digest, keys.values())), secrets


def check(public: bytes, point: PartyId, secret: bytes) -> None:
    """Verify one's own keys against the digests of all.

    Raises:
        InvalidShare: they are not this point's, or malformed.
    """
    held = held_keys(point, secret)
    header = _header(held.points, held.threshold)
    subsets = list(combinations(held.points, held.threshold - 1))
    if not public.startswith(header) or len(public) != len(header) + len(subsets) * _DIGEST_BYTES:
        raise InvalidShare(f"the public digests are not those of the keys that worker {point} holds")
    for at, subset in enumerate(subsets):
        start = len(header) + at * _DIGEST_BYTES
        if subset in held.keys and _digest(held.keys[subset]) != public[start : start + _DIGEST_BYTES]:
            raise InvalidShare(f"the keys of worker {point} do not fit the public digests")


@dataclass(frozen=True, eq=False)
class HeldKeys:
    """One worker's keys, and the functions that they give.

    Attributes:
        point: who holds them.
        points: everybody, as they were dealt to.
        threshold: m.
        keys: K_T for every T without the point.
    """

    point: PartyId
    points: tuple[PartyId, ...]
    threshold: int
    keys: Mapping[Subset, bytes] = field(repr=False)

    def of(self, dealer: PartyId) -> Mapping[Subset, Prf]:
        """F(K_{dealer,T}, ·) for every T without the dealer and without the point: for the point itself, all.

        Raises:
            SchemeError: `dealer` is no point that was dealt to.
        """
        if dealer not in self.points:
            raise SchemeError(f"worker {dealer} has no keys: they were dealt to {list(self.points)}")
        if dealer not in self._functions:
            self._functions[dealer] = {
                subset: Prf(derive(key, b"mdl: keys of dealer %d" % dealer))
                for subset, key in self.keys.items()
                if dealer not in subset
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
    subsets = (subset for subset in combinations(points, threshold - 1) if point not in subset)
    return HeldKeys(
        point,
        points,
        threshold,
        {
            subset: secret[at : at + KEY_BYTES]
            for subset, at in zip(subsets, range(first, len(secret), KEY_BYTES), strict=True)
        },
    )


def _header(points: Sequence[PartyId], threshold: int) -> bytes:
    counts = threshold.to_bytes(2, "big") + len(points).to_bytes(2, "big")
    return counts + b"".join(point.to_bytes(_POINT_BYTES, "big") for point in points)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(b"mdl: commitment to a key" + key).digest()


def _factor(subset: Subset, point: PartyId, prime: int) -> int:
    numerator, denominator = 1, 1
    for member in subset:
        numerator = numerator * (member - point) % prime
        denominator = denominator * member % prime
    return numerator * pow(denominator, -1, prime) % prime
