"""How holders verify what they have opened, before they open a result.

1. Each has hashed all it has seen opened. It tells the others the hash, and commits to a seed. If hashes
   differ, somebody has told two holders two things.
2. Seeds are opened. Together they give random factors, which nobody knew while something was opened.
3. Each combines MACs, less those of what was opened, with these factors, and commits to what it finds.
4. That is opened. All together it must be zero.

[CDESX18], MACCheck; the fingerprint of words is that of `mdl.mpc.spdz2k.fingerprints`.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc.keystream import KEY_BYTES, Keystream
from mdl.mpc.residues import RING_104
from mdl.mpc.rounds import Exchange, Wanted
from mdl.mpc.spdz2k.fingerprints import fingerprint
from mdl.mpc.spdz2k.macs import MAC_BITS, Key
from mdl.mpc.wide import Wide
from mdl.party import PartyId
from mdl.system import Randomness

STEPS: Final = 4
"""Rounds of a verification."""

_HASH_BYTES: Final = 32
_NONCE_BYTES: Final = 32


class Opened:
    """What a holder has seen opened since the last verification.

    Args:
        key: this holder's share.
    """

    def __init__(self, key: Key) -> None:
        self._key = key
        self._transcript = hashlib.sha256()
        self._numbers: list[tuple[Wide, Wide]] = []
        self._words: list[tuple[Tensor, Tensor]] = []

    def said(self, data: Tensor) -> None:
        """Note what somebody has told all others, without a MAC."""
        self._transcript.update(_bytes(data))

    def number(self, values: Wide, macs: Wide) -> None:
        """Note numbers that were opened, and this holder's shares of their MACs."""
        self.said(values.packed())
        self._numbers.append((values, macs))

    def words(self, values: Tensor, macs: Tensor) -> None:
        """Note words that were opened, and this holder's shares of their MACs, shape (40, ...)."""
        self.said(values)
        self._words.append((values, macs))

    async def verified(self, party: PartyId, holders: int, rng: Randomness) -> None:
        """Verify it.

        Raises:
            CheatingDetected: somebody did not follow the protocol.
        """
        numbers, words, self._numbers, self._words = self._numbers, self._words, [], []
        commitments = _Commitments(party, holders)
        seed = rng.bytes(KEY_BYTES)
        transcripts = await commitments.made(seed, rng, beside=self._transcript.digest())
        if len(set(transcripts)) > 1:
            raise CheatingDetected("parties were told different things", [])
        seeds = await commitments.opened()
        factors = Keystream(hashlib.sha256(b"factors" + b"".join(seeds)).digest()[:KEY_BYTES])
        await commitments.made(self._rest(numbers, words, factors), rng)
        rests = await commitments.opened()
        _verify(rests)

    def _rest(
        self, numbers: Sequence[tuple[Wide, Wide]], words: Sequence[tuple[Tensor, Tensor]], factors: Keystream
    ) -> bytes:
        """Give what is to be zero together with the others'."""
        total = Wide.constants([0], RING_104)
        for values, macs in numbers:
            rest = (macs - self._key.of_number(values)).reshape(-1)
            factor = factors.draw(rest.shape) & (1 << MAC_BITS) - 1
            total = total + (rest * factor).sum(0)
        rests = [_words_of(shares ^ self._key.of_words(opened)) for opened, shares in words]
        folded = fingerprint(torch.cat(rests or [torch.zeros(1, dtype=torch.int64)]), factors)
        return _bytes(total.packed()) + _bytes(folded)


def _verify(rests: Sequence[bytes]) -> None:
    size = RING_104.size_bytes
    numbers = sum(int.from_bytes(rest[:size], "little") for rest in rests) % RING_104.modulus
    words = 0
    for rest in rests:
        words ^= int.from_bytes(rest[size:], "little")
    if numbers or words:
        raise CheatingDetected("what was opened is not what was shared", [])


class _Commitments:
    """Values that all holders tell each other, none of them after it has seen another's.

    Attributes:
        others: the other holders.
    """

    def __init__(self, party: PartyId, holders: int) -> None:
        self._party = party
        self.others: Final = [holder for holder in range(holders) if holder != party]
        self._theirs: list[bytes] = []
        self._own = b""

    async def made(self, value: bytes, rng: Randomness, *, beside: bytes = b"") -> list[bytes]:
        """Commit to a value; tell another one, and give what all tell."""
        self._own = value + rng.bytes(_NONCE_BYTES)
        received = await self._swapped(self._committed(self._party, self._own) + beside)
        self._theirs = [each[:_HASH_BYTES] for each in received]
        return [beside, *(each[_HASH_BYTES:] for each in received)]

    async def opened(self) -> list[bytes]:
        """Open what was committed to; in the order of holders.

        Raises:
            CheatingDetected: it is something else.
        """
        received = await self._swapped(self._own)
        for other, commitment, opening in zip(self.others, self._theirs, received, strict=True):
            if self._committed(other, opening) != commitment:
                raise CheatingDetected("a party has committed to something else", [other])
        received.insert(self._party, self._own)
        return [each[:-_NONCE_BYTES] for each in received]

    def _committed(self, party: PartyId, opening: bytes) -> bytes:
        return hashlib.sha256(b"committed by %d: " % party + opening).digest()

    async def _swapped(self, data: bytes) -> list[bytes]:
        tensor = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        found = await Exchange(
            [(other, tensor) for other in self.others],
            [Wanted(other, tensor.shape, tensor.dtype) for other in self.others],
        )
        return [_bytes(each) for each in found]


def _bytes(tensor: Tensor) -> bytes:
    return tensor.contiguous().numpy().tobytes()


def _words_of(tensor: Tensor) -> Tensor:
    """Read a tensor's bytes as int64, filled up with zeros."""
    data = tensor.contiguous().reshape(-1).view(torch.uint8)
    return torch.nn.functional.pad(data, (0, -len(data) % 8)).view(torch.int64)
