"""The `[system]` table of secure quantised training. Free of torch, because the configuration imports it."""

import builtins
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from annotated_types import Gt

from mdl.mpc.messages import Sealed
from mdl.party import Message, PartyId
from mdl.schemes import key_agreement
from mdl.settings import Settings
from mdl.system import Crypto, Randomness
from mdl.systems.quantised_mpc.messages import Announcement

PARTIES: Final = 3


class QuantisedMpcSettings(Settings):
    """The `[system]` table for `type = "quantised-mpc"`.

    Attributes:
        rounding: of what is divided: ``"probabilistic"``, up or down at random and right on average; or
            ``"nearest"``, which needs several times the bytes, and gives the same weights in every run.
        timeout_seconds: how long a party waits for a message of another.
    """

    type: Literal["quantised-mpc"] = "quantised-mpc"
    rounding: Literal["probabilistic", "nearest"] = "probabilistic"
    timeout_seconds: Annotated[float, Gt(0)] = 300.0

    @property
    def crypto(self) -> Crypto:
        """Everything is computed in the party's own thread."""
        return "none"

    @property
    def own_pace(self) -> bool:
        """A step is everybody's."""
        return False

    @property
    def tolerates_loss(self) -> bool:
        """Each secret needs all three parties."""
        return False

    def problems(self, workers: int) -> Sequence[str]:
        """See `System`."""
        if workers == PARTIES:
            return []
        return [f"workers: {workers}, but secrets are shared among {PARTIES}, each with data of its own"]

    def terms(self, workers: int) -> Mapping[str, str]:
        """See `System`."""
        del workers
        return {"system.rounding": self.rounding}

    def roster(self, workers: int) -> Sequence[PartyId]:
        """The three parties: nobody manages them."""
        return range(1, workers + 1)

    def links(self, workers: int) -> Sequence[tuple[PartyId, PartyId]]:
        """Each with each."""
        parties = self.roster(workers)
        return [(one, other) for one in parties for other in parties if one < other]

    def receives(self, party: PartyId) -> Sequence[builtins.type[Message]]:
        """See `System`."""
        del party
        return (Announcement, Sealed)

    def deal(self, workers: int, *, rng: Randomness) -> Mapping[PartyId, bytes]:
        """Be the trusted authority: a key to sign with for each party."""
        identities = key_agreement.deal(self.roster(workers), rng=rng)
        return {identity.point: msgspec.msgpack.encode(identity) for identity in identities}
