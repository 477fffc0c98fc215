"""What systems that compute on secrets from the first step to the last have in common. Free of torch."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import msgspec

from mdl.party import PartyId
from mdl.schemes import key_agreement
from mdl.settings import Settings
from mdl.system import Crypto, Randomness


class InSecretSettings(Settings):
    """Workers and perhaps a dealer, party 0, each linked with each, in epochs that are everybody's."""

    @property
    @abstractmethod
    def dealt(self) -> bool:
        """Whether there is a dealer."""

    @property
    def leads(self) -> bool:
        """Nobody counts the epochs for all: a dealer only serves."""
        return False

    @property
    def crypto(self) -> Crypto:
        """Everything is computed in the party's own thread."""
        return "none"

    @property
    def own_pace(self) -> bool:
        """A step is everybody's."""
        return False

    def roster(self, workers: int) -> Sequence[PartyId]:
        """The workers, after a dealer where there is one."""
        return range(0 if self.dealt else 1, workers + 1)

    def links(self, workers: int) -> Sequence[tuple[PartyId, PartyId]]:
        """Each with each."""
        parties = self.roster(workers)
        return [(one, other) for one in parties for other in parties if one < other]

    def deal(self, workers: int, *, rng: Randomness) -> Mapping[PartyId, bytes]:
        """Be the trusted authority: a key to sign with for each party."""
        identities = key_agreement.deal(self.roster(workers), rng=rng)
        return {identity.point: msgspec.msgpack.encode(identity) for identity in identities}
