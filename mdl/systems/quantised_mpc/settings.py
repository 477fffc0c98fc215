"""The `[system]` table of secure quantised training. Free of torch, because the configuration imports it."""

import builtins
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from mdl.mpc.messages import Sealed
from mdl.mpc.security import SECURITY, Security, SecurityName, counts
from mdl.party import Message, PartyId
from mdl.systems.in_secret import InSecretSettings
from mdl.systems.quantised_mpc.messages import Announcement


class QuantisedMpcSettings(InSecretSettings):
    """The `[system]` table for `type = "quantised-mpc"`.

    Attributes:
        security: who shares the secrets, and what that rests on; see `mdl.mpc.security.SECURITY`.
        opening: who learns the model at the end: ``"all"``, the number of one worker, or ``"none"``: then it
            stays shared, and answers in secret (``mdl infer``).
        rounding: of what is divided: ``"probabilistic"``, up or down at random and right on average; or
            ``"nearest"``, which needs several times the bytes, and gives the same weights in every run.
        loss: whether all learn the mean training loss of each epoch.
        timeout_seconds: how long a party waits for a message of another.
    """

    type: Literal["quantised-mpc"] = "quantised-mpc"
    security: SecurityName = "rep3"
    opening: Literal["all", "none"] | Annotated[int, Ge(1)] = "all"
    rounding: Literal["probabilistic", "nearest"] = "probabilistic"
    loss: bool = False
    timeout_seconds: Annotated[float, Gt(0)] = 300.0

    @property
    def model(self) -> Security:
        """What the run's security rests on."""
        return SECURITY[self.security]

    @property
    def dealt(self) -> bool:
        """Whether there is a dealer."""
        return self.model.dealer

    @property
    def tolerates_loss(self) -> bool:
        """Each secret needs all its holders."""
        return False

    def problems(self, workers: int) -> Sequence[str]:
        """See `System`."""
        found = []
        if workers not in self.model.holders:
            found.append(
                f'workers: {workers}, but under system.security = "{self.security}" there are '
                f"{counts(self.model.holders)}, each with data of its own; {_fitting(workers)}"
            )
        if isinstance(self.opening, int) and self.opening > workers:
            found.append(
                f"system.opening: {self.opening}, but there are workers 1 to {workers}; or say all, or none"
            )
        return found

    def terms(self, workers: int) -> Mapping[str, str]:
        """See `System`."""
        del workers
        return {
            "system.rounding": self.rounding,
            "system.security": self.security,
            "system.opening": str(self.opening),
            "system.loss": str(self.loss),
        }

    def receives(self, party: PartyId) -> Sequence[builtins.type[Message]]:
        """See `System`."""
        del party
        return (Announcement, Sealed)


def _fitting(workers: int) -> str:
    """Say which security models there are for so many."""
    names = [name for name, model in SECURITY.items() if workers in model.holders]
    largest = max(max(model.holders) for model in SECURITY.values())
    if not names:
        return f"2 to {largest} can train in secret at all"
    return f"for {workers} there is {', '.join(names)}"
