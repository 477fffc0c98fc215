"""Shares of a group's ternary secrets, so that τ of its members recover the secret of one that is lost.

[MBH23] shares secrets over the ring modulo q itself. With q a power of two that does not work: differences of
points have no inverses. So each member shares the coefficients of its ternary secret over Z_p,
p = 2^31 - 1 (`mdl.schemes.vector_sharing`). Fewer than τ shares are uniform, whatever the secret is.

A share goes to its owner through the one who keeps the group together, who must not read it. Members agree on
a secret for each pair (`mdl.schemes.key_agreement`) and seal shares by AES-256-GCM under it. Run, group,
dealer and receiver are authenticated with the share: it opens in its place alone. Nonces are drawn, 96 bits;
a key seals two shares, one each way.

[MBH23] C. Mouchet, E. Bertrand, J.-P. Hubaux, An efficient threshold access-structure for RLWE-based
multiparty homomorphic encryption, Journal of Cryptology 36, 2023.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mdl.errors import InvalidShare, OutOfRange
from mdl.party import PartyId
from mdl.schemes.bfv.scheme import Secret
from mdl.schemes.key_agreement import Agreement, Identity
from mdl.schemes.vector_sharing import Shamir
from mdl.system import Randomness

_NONCE_BYTES: Final = 12


class SealedShares:
    """One member's side: it deals shares of its secret, and opens what others dealt to it.

    Args:
        identity: the member's long-term key.
        members: of the group, this one among them.
        group: a number that no other group of the run has, at least 0.
        threshold: τ.
        run: the run's identity.
        rng: where keys, shares and nonces come from.

    Attributes:
        announcement: this member's key for the agreement, signed; for all members.
    """

    def __init__(
        self,
        identity: Identity,
        members: Sequence[PartyId],
        group: int,
        *,
        threshold: int,
        run: bytes,
        rng: Randomness,
    ) -> None:
        self._own, self._members = identity.point, tuple(members)
        self._group, self._threshold, self._run, self._rng = group, threshold, run, rng
        self._agreement = Agreement(identity, run, group, rng=rng)
        self.announcement = self._agreement.announcement
        self._pairs: dict[PartyId, AESGCM] = {}

    def agree(self, announcements: Mapping[PartyId, bytes]) -> None:
        """Derive the keys of pairs from all members' announcements; once.

        Raises:
            InvalidShare: one is missing, or too many, or not by its member for this run and group.
        """
        if set(announcements) != set(self._members):
            raise InvalidShare(f"announcements of {sorted(announcements)}, not of {list(self._members)}")
        self._pairs = {peer: AESGCM(secret) for peer, secret in self._agreement.agree(announcements).items()}

    def deal(self, secret: Secret) -> dict[PartyId, bytes]:
        """Share one's secret among all members; give each other member's share, sealed."""
        shares = Shamir(self._threshold).share(
            secret.polynomial.astype(np.int64), self._members, rng=self._rng
        )
        return {peer: self._seal(peer, shares[peer]) for peer in self._pairs}

    def open(self, sealed: Mapping[PartyId, bytes]) -> dict[PartyId, bytes]:
        """Open what the others sealed for this member: its share of each one's secret, by dealer.

        Raises:
            InvalidShare: one is missing, or was altered, or belongs elsewhere.
        """
        if missing := self._pairs.keys() - sealed.keys():
            raise InvalidShare("no share of a secret", sorted(missing))
        return {dealer: self._opened(dealer, sealed[dealer]) for dealer in self._pairs}

    def _seal(self, receiver: PartyId, share: bytes) -> bytes:
        nonce = self._rng.bytes(_NONCE_BYTES)
        return nonce + self._pairs[receiver].encrypt(nonce, share, self._place(self._own, receiver))

    def _opened(self, dealer: PartyId, sealed: bytes) -> bytes:
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._pairs[dealer].decrypt(nonce, rest, self._place(dealer, self._own))
        except (InvalidTag, ValueError):  # ValueError: the nonce is cut off
            raise InvalidShare("a sealed share of a secret does not open", [dealer]) from None

    def _place(self, dealer: PartyId, receiver: PartyId) -> bytes:
        return msgspec.msgpack.encode(("mdl: a share of a secret", self._run, self._group, dealer, receiver))


def recover(shares: Mapping[PartyId, bytes], *, threshold: int, degree: int) -> Secret:
    """Recover a member's secret from τ shares, by who held them.

    Raises:
        NotEnoughShares: they are fewer.
        InvalidShare: one is none, or they make no ternary polynomial: some share is wrong.
    """
    try:
        found = Shamir(threshold).open(shares, degree, members=len(shares), bound=1)
    except OutOfRange:
        raise InvalidShare("shares that make no ternary secret: one is wrong", sorted(shares)) from None
    return Secret.of(found.astype(np.int8))
