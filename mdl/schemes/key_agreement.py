"""Secrets between every two workers, which nobody else knows: signed X25519, once in a generation.

Each worker has a long-term Ed25519 key from the trusted authority, and the public ones of all others. For a
generation it draws an X25519 key, signs the public half, and has it handed to the others by whoever is
between them. Both ends of a pair derive the same secret with HKDF-SHA256, bound to the run, the generation,
both ids and both public halves. The private half is dropped then: neither the authority, nor who takes a
long-term key later, derives a secret from what was sent. (A quantum computer does.) Who hands keys on can
withhold them, and cannot change them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mdl.errors import InvalidShare
from mdl.party import PartyId
from mdl.system import Randomness

SECRET_BYTES: Final = 32
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
ANNOUNCEMENT_BYTES: Final = _KEY_BYTES + _SIGNATURE_BYTES


@dataclass(frozen=True)
class Identity:
    """A worker's long-term key, and the public ones of all.

    Attributes:
        point: the worker.
        private: its Ed25519 key, 32 bytes.
        public: by worker, 32 bytes.
    """

    point: PartyId
    private: bytes = field(repr=False)
    public: Mapping[PartyId, bytes]


def deal(points: Sequence[PartyId], *, rng: Randomness) -> list[Identity]:
    """Be the trusted authority: an identity for each worker."""
    private = {point: rng.bytes(_KEY_BYTES) for point in points}
    public = {
        point: Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
        for point, key in private.items()
    }
    return [Identity(point, private[point], public) for point in points]


class Agreement:
    """One worker's side of the agreements with all others, in one generation of a run.

    Args:
        identity: the worker's.
        run: the run's identity, and whatever else both ends must be of one mind about.
        generation: as `agree` must never be called twice for one, it counts up.
        rng: what the key is drawn from.

    Attributes:
        announcement: the public key, signed: `ANNOUNCEMENT_BYTES`, for all others.
    """

    def __init__(self, identity: Identity, run: bytes, generation: int, *, rng: Randomness) -> None:
        self._identity, self._run, self._generation = identity, run, generation
        self._private: X25519PrivateKey | None = X25519PrivateKey.from_private_bytes(rng.bytes(_KEY_BYTES))
        public = self._private.public_key().public_bytes_raw()
        signer = Ed25519PrivateKey.from_private_bytes(identity.private)
        self.announcement = public + signer.sign(self._signed(identity.point, public))

    def agree(self, announcements: Mapping[PartyId, bytes]) -> dict[PartyId, bytes]:
        """Derive the secret with each other worker, from their announcements; once.

        Returns:
            `SECRET_BYTES` by worker, this one left out.

        Raises:
            InvalidShare: an announcement is not by that worker, or not for this run and generation, or its
                key makes no secret; or one's own is not among them as it was sent.
        """
        own = self._identity.point
        if announcements.get(own) != self.announcement:
            raise InvalidShare("one's own announcement is missing, or is not what was sent")
        private, self._private = self._private, None
        assert private is not None, "an agreement serves once"
        return {
            peer: self._derive(private, peer, announcements) for peer in sorted(announcements) if peer != own
        }

    def _derive(
        self, private: X25519PrivateKey, peer: PartyId, announcements: Mapping[PartyId, bytes]
    ) -> bytes:
        theirs = self._verified(peer, announcements[peer])
        try:
            shared = private.exchange(X25519PublicKey.from_public_bytes(theirs))
        except ValueError:
            raise InvalidShare("a public key that makes no secret", [peer]) from None
        both = [(point, announcements[point][:_KEY_BYTES]) for point in sorted((self._identity.point, peer))]
        info = msgspec.msgpack.encode(("mdl: a pair's secret", self._run, self._generation, both))
        return HKDF(SHA256(), SECRET_BYTES, salt=None, info=info).derive(shared)

    def _verified(self, peer: PartyId, announcement: bytes) -> bytes:
        if peer not in self._identity.public or len(announcement) != ANNOUNCEMENT_BYTES:
            raise InvalidShare("an announcement of nobody, or of the wrong length", [peer])
        public, signature = announcement[:_KEY_BYTES], announcement[_KEY_BYTES:]
        verifier = Ed25519PublicKey.from_public_bytes(self._identity.public[peer])
        try:
            verifier.verify(signature, self._signed(peer, public))
        except InvalidSignature:
            raise InvalidShare("an announcement that its worker did not sign", [peer]) from None
        return public

    def _signed(self, point: PartyId, public: bytes) -> bytes:
        return msgspec.msgpack.encode(("mdl: a key for pairs", self._run, self._generation, point, public))
