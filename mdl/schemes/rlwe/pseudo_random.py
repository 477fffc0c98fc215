"""Short keys by pseudo-random secret sharing: the workers' shares of them cost no message.

A dealer i's key is the sum of r_T over all T without i, r_T being N binomial values made of the outputs of
F(K_{i,T}, ·), and each worker computes its share of it (`mdl.schemes.subset_keys`). The inputs are (salt,
epoch, block, index): the salt is drawn for each call and is the hint, so that a restarted worker, which may
encrypt once more for the same epoch and block, does so under other keys.

A coalition of m - 1 workers knows all terms of an honest dealer's key but one, r_T of the T that they are.
This term alone is distributed as the errors are: a key of Ring-LWE in normal form.

The manager sees the openers' shares of a sum too. With m - 1 workers it could have computed these; and for
any two honest members there is such a coalition without them, as long as n > m. With n = m a worker's share
would be its own key, for all others are in the one set that it is not in: that is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import mul
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.errors import InvalidShare
from mdl.party import PartyId
from mdl.schemes import subset_keys
from mdl.schemes.prf import INPUT_BYTES, SALT_BYTES, Prf, buffer_bytes, inputs, new_salt
from mdl.schemes.rlwe import binomial
from mdl.schemes.rlwe.field import Elements, P, reduce
from mdl.schemes.rlwe.keys import Dealt
from mdl.schemes.threshold import Context, KeyShare
from mdl.system import Randomness

_VALUES: Final = INPUT_BYTES // binomial.BYTES
"""Binomial values that an output of the function gives."""
_CHUNK: Final = 4
"""Rows that are worked on at once: their outputs, 64 KiB, stay in the cache."""


@dataclass(frozen=True)
class PseudoRandomKeys:
    """See `mdl.schemes.rlwe.keys.KeySharing`.

    Attributes:
        workers: n, above the threshold.
        threshold: m.
        degree: N.
    """

    workers: int
    threshold: int
    degree: int

    @property
    def terms(self) -> int:
        """One for each set without the dealer."""
        return subset_keys.key_count(self.workers, self.threshold)

    @property
    def hint_bytes(self) -> int:
        """A salt."""
        return SALT_BYTES

    @property
    def shown_bytes(self) -> int:
        """The whole hint."""
        return SALT_BYTES

    def shown(self, hint: bytes, opener: PartyId) -> bytes:
        """Show the salt to everybody."""
        return hint

    def deal(self, points: Sequence[PartyId], *, rng: Randomness) -> tuple[bytes, Mapping[PartyId, bytes]]:
        """Draw a key for each set of m - 1 points, for all others."""
        return subset_keys.deal(points, self.threshold, rng=rng)

    def check(self, public: bytes, share: KeyShare) -> None:
        """Compare the keys with the digests."""
        subset_keys.check(public, share.point, share.secret)

    def draw(self, share: KeyShare, context: Context, *, rng: Randomness) -> Dealt:
        """Sum the values of all functions that this dealer has."""
        functions = subset_keys.held_keys(share.point, share.secret).of(share.point).values()
        hint = new_salt(rng) * len(context.blocks)
        keys = np.zeros((len(context.blocks), self.degree), np.int32)
        for here in _chunks(len(keys)):
            laid_out = self._inputs(hint, context, here)
            evaluate, chunk = _Evaluation(len(laid_out)), keys[here].reshape(-1)
            for function in functions:
                chunk += evaluate(function, laid_out)
        keys -= binomial.LARGEST * len(functions)
        return Dealt(keys, hint)

    def sums(self, share: KeyShare, hints: Sequence[bytes], context: Context) -> Elements:
        """Sum f_T(j) r_T over the members and the sets T without them and without this worker j."""
        rows = len(context.blocks)
        for member, hint in zip(context.members, hints, strict=True):
            if len(hint) != rows * SALT_BYTES:
                raise InvalidShare(f"{len(hint)} bytes are not {rows} salts", [member])
        held = subset_keys.held_keys(share.point, share.secret)
        functions = [held.of(member) for member in context.members]
        factors = _factors(held)
        # At most `TERMS_LIMIT` terms of less than 2^16 * 2^6: doubles hold their sum exactly.
        totals = np.zeros((rows, self.degree))
        for here in _chunks(rows):
            laid_out = [self._inputs(hint, context, here) for hint in hints]
            evaluate, chunk = _Evaluation(len(laid_out[0])), totals[here].reshape(-1)
            dealt, term = np.empty(chunk.shape, np.uint32), np.empty(chunk.shape)
            for subset, factor in factors.items():
                dealt[:] = 0
                for of, at in zip(functions, laid_out, strict=True):
                    if subset in of:
                        dealt += evaluate(of[subset], at)
                chunk += np.multiply(dealt, float(factor), out=term)
        dealers = [sum(subset in of for of in functions) for subset in factors]
        totals -= binomial.LARGEST * sum(map(mul, factors.values(), dealers))
        return reduce(totals)

    def _inputs(self, hint: bytes, context: Context, rows: slice) -> NDArray[np.uint8]:
        width = self.degree // _VALUES
        salts = np.frombuffer(hint, np.uint8).reshape(-1, SALT_BYTES)[rows].repeat(width, axis=0)
        first = np.array(context.blocks[rows], np.int64)[:, np.newaxis] * width
        return inputs(salts.tobytes(), context.epoch, (first + np.arange(width)).reshape(-1))


class _Evaluation:
    """Functions of as many inputs, one after the other, as binomial values in one buffer."""

    def __init__(self, count: int) -> None:
        self._words = np.empty(buffer_bytes(count), np.uint8)
        self._counts = np.empty(count * _VALUES, np.uint8)

    def __call__(self, function: Prf, laid_out: NDArray[np.uint8]) -> binomial.Counts:
        """Give the values plus `binomial.LARGEST`; they stand until the next call."""
        return binomial.counts(function.words(laid_out, self._words), self._counts)


@lru_cache(maxsize=16)
def _factors(held: subset_keys.HeldKeys) -> Mapping[subset_keys.Subset, int]:
    return held.factors(P)


def _chunks(rows: int) -> Iterator[slice]:
    for first in range(0, rows, _CHUNK):
        yield slice(first, min(first + _CHUNK, rows))
