"""Short keys that their dealer draws, with a Shamir share of them sealed to each worker.

The authority draws a key K_ij for each two workers, and one for each worker alone. A dealer i draws N
binomial values, shares each over Z_p with a polynomial of degree m - 1, and seals worker j's shares by
AES-128-GCM under a key derived from K_ij for the run and this direction, bound to epoch and block. The nonce
is drawn for each row: 96 bits, one of which repeats within 2^32 rows with probability 2^-33. Sealed shares go
through the manager, which cannot read them; what does not open was altered, or belongs elsewhere.

The keys come from the authority rather than from an agreement of X25519: it is trusted with all keys either
way, and a quantum computer that reads what is recorded today learns nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from mdl.errors import InvalidShare, NotEnoughShares, SchemeError
from mdl.party import PartyId
from mdl.schemes.prf import KEY_BYTES, derive
from mdl.schemes.rlwe import binomial, field
from mdl.schemes.rlwe.field import Elements, P
from mdl.schemes.rlwe.keys import Dealt
from mdl.schemes.threshold import Context, KeyShare
from mdl.system import Randomness

_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True)
class SealedKeys:
    """See `mdl.schemes.rlwe.keys.KeySharing`. Points are 1 to `workers`.

    Attributes:
        workers: n, below p.
        threshold: m.
        degree: N.
    """

    workers: int
    threshold: int
    degree: int

    @property
    def terms(self) -> int:
        """One: the dealer draws it."""
        return 1

    @property
    def hint_bytes(self) -> int:
        """A nonce, and a share sealed to each worker."""
        return _NONCE_BYTES + self.workers * self._sealed_bytes

    @property
    def shown_bytes(self) -> int:
        """The nonce and one sealed share."""
        return _NONCE_BYTES + self._sealed_bytes

    def shown(self, hint: bytes, opener: PartyId) -> bytes:
        """Cut out the nonces and what is sealed to `opener`."""
        if not 1 <= opener <= self.workers:
            raise SchemeError(f"worker {opener} is none of the {self.workers} that shares are sealed to")
        if len(hint) % self.hint_bytes:
            raise InvalidShare(f"{len(hint)} bytes are no rows of {self.hint_bytes}")
        rows = np.frombuffer(hint, np.uint8).reshape(-1, self.hint_bytes)
        start = _NONCE_BYTES + (opener - 1) * self._sealed_bytes
        return np.hstack([rows[:, :_NONCE_BYTES], rows[:, start : start + self._sealed_bytes]]).tobytes()

    def deal(self, points: Sequence[PartyId], *, rng: Randomness) -> tuple[bytes, Mapping[PartyId, bytes]]:
        """Draw a key for each two workers; a digest of each worker's keys is public."""
        if len(points) < self.threshold:
            raise NotEnoughShares(f"{len(points)} key shares cannot reach a threshold of {self.threshold}")
        everybody = range(1, self.workers + 1)
        if sorted(points) != list(everybody):
            raise ValueError(f"points must be 1 to {self.workers}, not {list(points)}")
        keys = {(i, j): rng.bytes(KEY_BYTES) for i in everybody for j in range(i, self.workers + 1)}
        secrets = {i: b"".join(keys[min(i, j), max(i, j)] for j in everybody) for i in everybody}
        return b"".join(_digest(i, secrets[i]) for i in everybody), secrets

    def check(self, public: bytes, share: KeyShare) -> None:
        """Compare the keys with the digest."""
        start = (share.point - 1) * _DIGEST_BYTES
        well_formed = len(public) == self.workers * _DIGEST_BYTES and 1 <= share.point <= self.workers
        if not well_formed or public[start : start + _DIGEST_BYTES] != _digest(share.point, share.secret):
            raise InvalidShare(f"the keys of worker {share.point} do not fit the public digests")

    def draw(self, share: KeyShare, context: Context, *, rng: Randomness) -> Dealt:
        """Draw the values, share them, and seal the shares."""
        everybody = range(1, self.workers + 1)
        seals = [self._seal(share, context, sender=share.point, receiver=j) for j in everybody]
        rows = len(context.blocks)
        keys = np.zeros((rows, self.degree), np.int32)
        binomial.add(keys, rng=rng)
        hint = []
        for block, key in zip(context.blocks, keys, strict=True):
            nonce = rng.bytes(_NONCE_BYTES)
            hint.append(nonce)
            for seal, shares in zip(seals, self._shares(field.reduce(key), rng=rng), strict=True):
                hint.append(seal.encrypt(nonce, field.pack(shares), _place(context, block)))
        return Dealt(keys, b"".join(hint))

    def sums(self, share: KeyShare, hints: Sequence[bytes], context: Context) -> Elements:
        """Open the members' shares and add them."""
        totals = np.zeros((len(context.blocks), self.degree), np.int64)
        for member, hint in zip(context.members, hints, strict=True):
            totals += self._opened(share, member, hint, context)
        return field.reduce(totals)

    @property
    def _sealed_bytes(self) -> int:
        return self.degree * field.BYTES + _TAG_BYTES

    def _shares(self, key: Elements, *, rng: Randomness) -> Elements:
        """Share each coefficient among the workers: shape (workers, N)."""
        random = field.uniform((self.threshold - 1) * self.degree, rng=rng)
        coefficients = np.vstack([key, random.reshape(-1, self.degree)]).astype(np.float64)
        # Sums of m <= 2^16 products below 2^32: doubles hold them.
        return field.reduce(_powers(self.workers, self.threshold) @ coefficients)

    def _opened(self, share: KeyShare, sender: PartyId, hint: bytes, context: Context) -> Elements:
        rows, width = len(context.blocks), self.shown_bytes
        if len(hint) != rows * width:
            raise InvalidShare(f"{len(hint)} bytes are not {rows} sealed shares", [sender])
        seal = self._seal(share, context, sender=sender, receiver=share.point)
        opened = []
        for block, start in zip(context.blocks, range(0, len(hint), width), strict=True):
            nonce, sealed = hint[start : start + _NONCE_BYTES], hint[start + _NONCE_BYTES : start + width]
            try:
                opened.append(seal.decrypt(nonce, sealed, _place(context, block)))
            except InvalidTag:
                raise InvalidShare(f"a share of a key of block {block} does not open", [sender]) from None
        return field.unpack(b"".join(opened), self.degree, rows, [sender])

    def _seal(self, share: KeyShare, context: Context, *, sender: PartyId, receiver: PartyId) -> AESGCM:
        """Make the cipher from one worker to another; one of them holds `share`."""
        other = receiver if sender == share.point else sender
        if not 1 <= other <= self.workers or len(share.secret) != self.workers * KEY_BYTES:
            raise SchemeError(f"worker {share.point} has no key for worker {other}")
        key = share.secret[(other - 1) * KEY_BYTES : other * KEY_BYTES]
        return AESGCM(derive(key, b"mdl: seals from %d to %d in " % (sender, receiver) + context.run))


@lru_cache(maxsize=4)
def _powers(workers: int, threshold: int) -> NDArray[np.float64]:
    """Give x^k mod p for the points x and k < m: shape (workers, threshold)."""
    powers = [[pow(point, k, P) for k in range(threshold)] for point in range(1, workers + 1)]
    return np.array(powers, np.float64)


def _place(context: Context, block: int) -> bytes:
    return b"epoch %d, block %d" % (context.epoch, block)


def _digest(point: PartyId, secret: bytes) -> bytes:
    return hashlib.sha256(b"mdl: keys of worker %d: " % point + secret).digest()
