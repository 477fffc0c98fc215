"""What the trusted authority gives the parties of SSDDL: keys to workers, nothing secret to the server."""

from collections.abc import Mapping, Sequence

import msgspec

from mdl.party import MANAGER, PartyId
from mdl.schemes import key_agreement
from mdl.schemes.key_agreement import Identity
from mdl.system import Randomness

_SEED_BYTES = 32


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One party's.

    Attributes:
        groups: the seed of the groups: no secret, but nobody could choose it.
        private: a worker's key to sign with.
        public: all workers' keys to verify with, for workers.
    """

    groups: bytes
    private: bytes = b""
    public: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return "Credentials(...)"

    def identity(self, worker: PartyId) -> Identity:
        """Give it as a signer."""
        return Identity(worker, self.private, self.public)

    @staticmethod
    def read(data: bytes) -> "Credentials":
        """Read what `deal` wrote for one worker."""
        return msgspec.msgpack.decode(data, type=Credentials)


def deal(workers: Sequence[PartyId], *, rng: Randomness) -> Mapping[PartyId, bytes]:
    """Be the trusted authority."""
    seed = rng.bytes(_SEED_BYTES)
    keys = {
        identity.point: msgspec.msgpack.encode(Credentials(seed, identity.private, dict(identity.public)))
        for identity in key_agreement.deal(workers, rng=rng)
    }
    return {MANAGER: msgspec.msgpack.encode(Credentials(seed)), **keys}
