"""Secret sharing of vectors of integers, so that what is opened is the sum of many members' vectors.

Each member splits its vector among the members of its group, one share each. Shares add: who holds a share of
each member's vector adds them, and the sums are shares of the sum. `Additive` needs the sums of all members,
`Shamir` of any τ of them [Shamir79]. Both hide perfectly, given uniform words: fewer shares than that are
uniform, whatever the vector is. The words are AES-128 in counter mode under a fresh seed.

[Shamir79] A. Shamir, How to share a secret, CACM 22(11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange
from mdl.party import PartyId
from mdl.schemes import mersenne
from mdl.schemes.fixed_point import outside
from mdl.schemes.mersenne import PRIME, Residues
from mdl.schemes.prf import KEY_BYTES, stream
from mdl.schemes.shamir import lagrange_at_zero
from mdl.system import Randomness
from mdl.vectors import Integers

ENTRY_BYTES: Final = 4
"""Bytes of an entry of a share."""


class VectorSharing(Protocol):
    """A way to share vectors. Points are the members' ids."""

    @property
    def sum_limit(self) -> int:
        """The largest absolute value of an entry of a sum that is read right."""

    def needed(self, members: int) -> int:
        """Give how many members' sums it takes to open, of a group of so many."""

    def share(
        self, values: Integers, points: Sequence[PartyId], *, rng: Randomness
    ) -> Mapping[PartyId, bytes]:
        """Split a vector of shape (t,) among points; a share has `ENTRY_BYTES` an entry."""

    def add(self, shares: Mapping[PartyId, bytes], count: int) -> bytes:
        """Add the shares that one point holds, by dealer: its share of the sum.

        Raises:
            InvalidShare: one is no share of `count` entries.
        """

    def open(self, sums: Mapping[PartyId, bytes], count: int, *, members: int, bound: int) -> Integers:
        """Read the sum from the points' shares of it, shape (count,).

        Args:
            sums: by point.
            count: entries.
            members: of the group that shared.
            bound: the largest absolute value that an entry can have, at most `sum_limit`.

        Raises:
            NotEnoughShares: of too few points.
            InvalidShare: one is no share of `count` entries.
            OutOfRange: an entry exceeds `bound`, so some share is wrong.
        """


@dataclass(frozen=True)
class Additive:
    """Shares that add to the vector modulo 2^32: all but one are drawn, the last is what remains."""

    @property
    def sum_limit(self) -> int:
        """2^31 - 1."""
        return (1 << 31) - 1

    def needed(self, members: int) -> int:
        """All."""
        return members

    def share(
        self, values: Integers, points: Sequence[PartyId], *, rng: Randomness
    ) -> Mapping[PartyId, bytes]:
        """See `VectorSharing`."""
        *drawn, last = points
        rest = values.astype(np.uint32)  # modulo 2^32
        shares = {}
        for point in drawn:
            words = _words(len(values), rng)
            rest -= words
            shares[point] = words.tobytes()
        return {**shares, last: rest.tobytes()}

    def add(self, shares: Mapping[PartyId, bytes], count: int) -> bytes:
        """See `VectorSharing`."""
        total = np.zeros(count, np.uint32)
        for dealer, share in shares.items():
            total += _entries(share, count, dealer)
        return total.tobytes()

    def open(self, sums: Mapping[PartyId, bytes], count: int, *, members: int, bound: int) -> Integers:
        """See `VectorSharing`."""
        _check_enough(sums, self.needed(members))
        total = np.frombuffer(self.add(sums, count), "<i4").astype(np.int64)
        return _within(total, bound)


@dataclass(frozen=True)
class Shamir:
    """Points of polynomials over Z_p, p = 2^31 - 1, whose value at zero is the vector.

    Attributes:
        threshold: τ, at least 1: so many shares open, and fewer are independent of the vector.
    """

    threshold: int

    @property
    def sum_limit(self) -> int:
        """2^30 - 1, as p is odd."""
        return PRIME // 2

    def needed(self, members: int) -> int:
        """τ."""
        return self.threshold

    def share(
        self, values: Integers, points: Sequence[PartyId], *, rng: Randomness
    ) -> Mapping[PartyId, bytes]:
        """See `VectorSharing`."""
        secret = mersenne.residues(values.astype(np.int64, copy=True))
        coefficients = [_residues(len(values), rng) for _ in range(self.threshold - 1)]
        return {point: _evaluate([secret, *coefficients], point).tobytes() for point in points}

    def add(self, shares: Mapping[PartyId, bytes], count: int) -> bytes:
        """See `VectorSharing`."""
        return mersenne.add([_field(share, count, dealer) for dealer, share in shares.items()]).tobytes()

    def open(self, sums: Mapping[PartyId, bytes], count: int, *, members: int, bound: int) -> Integers:
        """See `VectorSharing`."""
        _check_enough(sums, self.threshold)
        used = sorted(sums)[: self.threshold]
        factors = lagrange_at_zero(used, PRIME)
        weighted = [mersenne.times(_field(sums[point], count, point), factors[point]) for point in used]
        return _within(mersenne.centred(mersenne.add(weighted)), bound)


def _words(count: int, rng: Randomness) -> NDArray[np.uint32]:
    """Draw uniform words, shape (count,)."""
    return stream(rng.bytes(KEY_BYTES), 4 * count).view("<u4")


def _residues(count: int, rng: Randomness) -> Residues:
    """Draw uniform residues, shape (count,)."""
    drawn = _words(count, rng) & np.uint32(PRIME)
    # p itself, one of the 2^31 values of 31 bits, is drawn again.
    while (again := np.flatnonzero(drawn == PRIME)).size:
        drawn[again] = _words(again.size, rng) & np.uint32(PRIME)
    return drawn


def _evaluate(coefficients: Sequence[Residues], point: PartyId) -> Residues:
    """Evaluate polynomials at a point (Horner)."""
    value = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = mersenne.add([mersenne.times(value, point), coefficient])
    return value


def _entries(share: bytes, count: int, owner: PartyId) -> NDArray[np.uint32]:
    if len(share) != count * ENTRY_BYTES:
        raise InvalidShare(f"{len(share)} bytes are no share of {count} entries", [owner])
    return np.frombuffer(share, "<u4")


def _field(share: bytes, count: int, owner: PartyId) -> Residues:
    entries = _entries(share, count, owner)
    if entries.size and entries.max() >= PRIME:
        raise InvalidShare("a share with entries outside the field", [owner])
    return entries


def _check_enough(sums: Mapping[PartyId, bytes], needed: int) -> None:
    if len(sums) < needed:
        raise NotEnoughShares(f"shares of the sum from {len(sums)} members, {needed} are needed")


def _within(total: Integers, bound: int) -> Integers:
    if outside(total, bound):
        raise OutOfRange(f"a sum is outside ±{bound}: some share is wrong")
    return total
