"""The `[system]` table of SMuLe. Free of torch, because the configuration imports it."""

import builtins
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

from annotated_types import Ge, Gt, Le

from mdl.mpc.messages import Sealed
from mdl.party import Message, PartyId
from mdl.systems.in_secret import InSecretSettings
from mdl.systems.mutual.messages import Announcement, Ready

OWNERS: Final = 2


class MutualSettings(InSecretSettings):
    """The `[system]` table for `type = "mutual"`.

    Attributes:
        randomness: where the two parties' correlated randomness comes from: ``"dealer"``, one party more,
            which must not collude with either; or ``"encryption"``, made by the two themselves with a lattice
            scheme, at several times the bytes, for networks that compare nothing.
        refresh: κ, the part of its examples of which a party asks the other one's opinion anew in an epoch;
            opinions on the rest are those of earlier epochs.
        weight: α, of the divergence from the other one's opinions in the loss.
        temperature: by which scores are softened; of labels nothing is.
        answers: what is told of the scores: ``"scores"``, with 12 fraction bits; ``"rounded"``, to quarters;
            ``"labels"``, the best class alone, which needs a dealer.
        noise: standard deviation of what is added to scores before they are told; 0 for none.
        answers_limit: how many questions a party answers in the whole run; no more are asked then.
        agreement: learn only from opinions that find the example's label as likely as a guess would, or
            likelier.
        least_accuracy: in [0, 1]: an epoch in which fewer of the opinions are right is learnt without them.
            By default a fifth of the way from a guess to none wrong: 0.28 for ten classes.
        timeout_seconds: how long a party waits for the other one's message.
    """

    type: Literal["mutual"] = "mutual"
    randomness: Literal["dealer", "encryption"] = "dealer"
    refresh: Annotated[float, Gt(0), Le(1)] = 0.1
    weight: Annotated[float, Ge(0)] = 1.0
    temperature: Annotated[float, Gt(0)] = 1.0
    answers: Literal["scores", "rounded", "labels"] = "scores"
    noise: Annotated[float, Ge(0), Le(1000)] = 0.0
    answers_limit: Annotated[int, Ge(0)] | None = None
    agreement: bool = True
    least_accuracy: Annotated[float, Ge(0), Le(1)] | None = None
    timeout_seconds: Annotated[float, Gt(0)] = 300.0

    def least_right(self, classes: int) -> float:
        """Give the part of opinions that must be right for an epoch to be learnt with them."""
        guess = 1 / classes
        return guess + 0.2 * (1 - guess) if self.least_accuracy is None else self.least_accuracy

    @property
    def dealt(self) -> bool:
        """Whether there is a dealer."""
        return self.randomness == "dealer"

    @property
    def own_models(self) -> bool:
        """Parties may have different networks: they exchange opinions, no parameters."""
        return True

    @property
    def tolerates_loss(self) -> bool:
        """Who is left goes on with the opinions that it has."""
        return True

    def problems(self, workers: int) -> Sequence[str]:
        """See `System`."""
        found = []
        if workers != OWNERS:
            found.append(f"workers: {workers}, but it is two that teach each other")
        if self.answers == "labels" and not self.dealt:
            found.append(
                'system.answers: "labels" are found by comparing scores, which needs randomness = "dealer"'
            )
        return found

    def terms(self, workers: int) -> Mapping[str, str]:
        """See `System`: what both must do alike. How one learns from opinions is one's own business."""
        del workers
        return {
            "system.randomness": self.randomness,
            "system.refresh": repr(self.refresh),
            "system.answers": self.answers,
            "system.answers_limit": str(self.answers_limit),
        }

    def receives(self, party: PartyId) -> Sequence[builtins.type[Message]]:
        """See `System`."""
        return (Announcement, Sealed) if party else (Announcement, Sealed, Ready)
