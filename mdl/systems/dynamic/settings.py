"""The `[system]` table of ∝MDL^d."""

import builtins
from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from mdl.party import MANAGER, Message, PartyId
from mdl.protocols.on_arrival import Raise, Raised, RaisedOwn, RaiseOwn
from mdl.protocols.opening import Answer, Open
from mdl.protocols.policies import Admission, ContributionDownload, Download, FirstCome
from mdl.protocols.selection import Selection
from mdl.protocols.versions import Closing
from mdl.schemes.groups import MODULAR_NAMES
from mdl.systems.dynamic.messages import (
    EpochDone,
    Finish,
    Join,
    Missed,
    Refresh,
    Upload,
    Values,
    Welcome,
)
from mdl.systems.visibility import VisibilitySettings


class DynamicSettings(VisibilitySettings):
    """The `[system]` table for `type = "dynamic"`: the keys of `VisibilitySettings`, and these.

    Attributes:
        mode: ``"safe"``; or ``"paper"`` for the printed protocol, which leaks and needs `insecure = true`.
        selection: as in `VisibilitySettings`; drawn by each worker of the blocks in which it has no seat yet.
        window: versions of a block that may be decrypted at once while the next one collects.
        max_staleness: a contribution is dropped once more versions of its block than this have closed since
            its gradient began to be computed.
        download: who gets which new values.
        admission: who gets which of the m seats.
        timeout_seconds: how long the manager waits for a worker to answer, or to take a message. Workers
            answer while they train.
    """

    type: Literal["dynamic"] = "dynamic"
    mode: Literal["safe", "paper"] = "safe"
    selection: Selection = "random"
    window: Annotated[int, Ge(1), Le(16)] = 2
    max_staleness: Annotated[int, Ge(0)] = 4
    download: Download = ContributionDownload()
    admission: Admission = FirstCome()
    timeout_seconds: Annotated[float, Gt(0)] = 60.0

    @property
    def own_pace(self) -> bool:
        """Every worker counts its own epochs."""
        return True

    def largest_set(self, workers: int) -> int:
        """Give m: sets close at the m-th contribution."""
        return self.visibility_threshold(workers)

    def problems(self, workers: int) -> Sequence[str]:
        """See `System`."""
        found = list(super().problems(workers))
        found += self.admission.problems(self.visibility_threshold(workers))
        if self.scheme.members_first:
            found.append(
                f"system.scheme.type: {self.scheme.type!r} must know an active set before its members "
                'upload, which type = "dynamic" does not: take another scheme, or type = "coordinated"'
            )
        if self.mode == "paper":
            found += self._printed_problems()
        return found

    def _printed_problems(self) -> list[str]:
        found = []
        if not self.insecure:
            found.append(
                'system.mode: "paper" gives shares on arrival: the manager and one worker outside a set read '
                "the gradient of the last that joined it; say system.insecure = true to study it"
            )
        if self.scheme.type != "elgamal":
            found.append('system.mode: "paper" is about ElGamal: set system.scheme.type = "elgamal"')
        elif self.scheme.form != "single":
            found.append('system.mode: "paper" has a nonce a parameter: set system.scheme.form = "single"')
        elif self.scheme.group not in MODULAR_NAMES:
            found.append(
                f'system.mode: "paper" is about integers modulo a prime: {self.scheme.group} is no such group'
            )
        if self.admission.type != "first-come":
            found.append('system.mode: "paper" knows admission.type = "first-come" alone')
        if self.opening_threshold is not None:
            found.append(
                'system.opening_threshold: in mode = "paper" the m contributors open, and nobody else'
            )
        return found

    def receives(self, party: PartyId) -> Sequence[builtins.type[Message]]:
        """See `System`. No message carries a plain value up; see docs/security.md."""
        printed = self.mode == "paper"
        if party == MANAGER:
            return (Join, Upload, EpochDone, *((Raised, RaisedOwn) if printed else (Answer,)))
        asked = (Raise, RaiseOwn) if printed else (Open,)
        return (Welcome, Closing, *asked, Values, Missed, Refresh, Finish)
