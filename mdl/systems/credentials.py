"""What the trusted authority gives each party of a system with threshold encryption."""

from collections.abc import Mapping, Sequence

import msgspec

from mdl.party import MANAGER, PartyId
from mdl.schemes.threshold import ThresholdEncryption
from mdl.system import Randomness


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public key to all, a key share to each worker."""

    public_key: bytes
    secret: bytes = b""

    def __repr__(self) -> str:
        return "Credentials(...)"

    @staticmethod
    def read(data: bytes) -> "Credentials":
        """Read what `deal_threshold` wrote for one party."""
        return msgspec.msgpack.decode(data, type=Credentials)


def deal_threshold(
    scheme: ThresholdEncryption, roster: Sequence[PartyId], *, rng: Randomness
) -> Mapping[PartyId, bytes]:
    """Be the trusted authority [∝MDL, Algorithm 1]: the public key to all, a share to each worker."""
    public_key, shares = scheme.deal([party for party in roster if party != MANAGER], rng=rng)
    secrets = {point: share.secret for point, share in shares.items()}
    return {
        party: msgspec.msgpack.encode(Credentials(public_key, secrets.get(party, b""))) for party in roster
    }
