"""Masks that cancel over a group, from secrets that move on: who learns a state learns no earlier mask.

A pair's state of one epoch gives the key of that epoch's mask and the state of the next one, and is then
overwritten: the forward-secure generator of [BY03], from HKDF-SHA256 as the pseudo-random function. Member i
adds the mask that it shares with j where j > i, and subtracts it where j < i, so that masks cancel in the sum
over the group. A mask is made once: asking again for an epoch, or for an earlier one, is refused.

What can be erased is what this module holds. Copies that the interpreter or a library makes in between are
gone once their memory is used again, which nobody here controls.

[BY03] M. Bellare, B. Yee, Forward-security in private-key cryptography, CT-RSA 2003, §3.
"""

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from numpy.typing import NDArray

from mdl.errors import SchemeError
from mdl.party import PartyId
from mdl.schemes.prf import KEY_BYTES, stream_pieces

_NEXT: Final = b"mdl: next state"
_MASK: Final = b"mdl: mask"
_CHUNK_BYTES: Final = 1 << 16
"""Bytes at a time: the masks of all peers are added while the sums are in the cache."""

Words = NDArray[np.uint32]


class Chain:
    """The states that a pair shares, one an epoch.

    Args:
        secret: the first, 32 bytes.
        epoch: what it belongs to.

    Attributes:
        epoch: what the present one belongs to.
    """

    def __init__(self, secret: bytes, epoch: int) -> None:
        self._state, self.epoch = bytearray(secret), epoch

    def seed(self, epoch: int, context: bytes) -> bytes:
        """Give the seed of an epoch's mask, and move on beyond it; of another context it is another.

        Raises:
            SchemeError: that epoch's state is gone.
        """
        self.skip_to(epoch)
        seed = _expand(self._state, _MASK + context, KEY_BYTES)
        self.skip_to(epoch + 1)
        return seed

    def skip_to(self, epoch: int) -> None:
        """Move on to an epoch's state.

        Raises:
            SchemeError: it is gone.
        """
        if epoch < self.epoch:
            raise SchemeError(f"the state of epoch {epoch} is erased: a mask is made once")
        while self.epoch < epoch:
            self._state[:] = _expand(self._state, _NEXT, len(self._state))
            self.epoch += 1


class Masks:
    """One worker's masks, under the secrets that it shares with others.

    Args:
        own: the worker.
        secrets: by other worker, 32 bytes each.
        epoch: the first in which they serve.
    """

    def __init__(self, own: PartyId, secrets: Mapping[PartyId, bytes], epoch: int) -> None:
        self._own = own
        self._chains = {peer: Chain(secret, epoch) for peer, secret in secrets.items()}

    def skip_to(self, epoch: int) -> None:
        """Erase the states of all epochs before one; of later ones there are none to go back to."""
        for chain in self._chains.values():
            chain.skip_to(max(epoch, chain.epoch))

    def mask(self, epoch: int, members: Collection[PartyId], count: int, *, context: bytes) -> Words:
        """Make this member's mask of an epoch over a group, shape (count,): those of all members add to zero.

        They do if all members name the same group and the same context, and are as good as random if not. All
        states move on beyond the epoch, also those shared with workers outside the group.

        Raises:
            SchemeError: this worker is no member, or shares no secret with one, or the epoch's state is gone.
        """
        if missing := set(members) - {self._own} - set(self._chains):
            raise SchemeError(f"no secret is shared with workers {sorted(missing)}")
        if self._own not in members:
            raise SchemeError(f"worker {self._own} is no member of {sorted(members)}")
        seeds = {}
        for peer, chain in self._chains.items():
            seed = chain.seed(epoch, context)
            if peer in members:
                seeds[peer] = seed
        total = np.zeros(count, np.uint32)
        streams = {peer: stream_pieces(seed, 4 * count, _CHUNK_BYTES) for peer, seed in seeds.items()}
        for first in range(0, count, _CHUNK_BYTES // 4):
            part = total[first : first + _CHUNK_BYTES // 4]
            for peer, pieces in streams.items():
                words = next(pieces).view("<u4")
                (np.add if peer > self._own else np.subtract)(part, words, out=part)
        return total


def _expand(state: bytearray, info: bytes, count: int) -> bytes:
    return HKDFExpand(SHA256(), count, info).derive(bytes(state))
