"""The `[system]` table of ∝MDL^c."""

import builtins
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from annotated_types import Ge, Gt
from pydantic import model_validator

from mdl.party import MANAGER, Message, PartyId
from mdl.protocols.opening import Answer, Closed, Open
from mdl.systems.coordinated.messages import (
    CallbackDownload,
    CallbackUpload,
    Download,
    EpochBegins,
    Finish,
    Register,
    Upload,
)
from mdl.systems.visibility import VisibilitySettings


class CoordinatedSettings(VisibilitySettings):
    """The `[system]` table for `type = "coordinated"`: the keys of `VisibilitySettings`, and these.

    Attributes:
        spare: balanced selection gives each block so many workers more than it needs.
        timeout_seconds: how long the manager waits for a worker in each step, training included.
    """

    type: Literal["coordinated"] = "coordinated"
    spare: Annotated[int, Ge(0)] = 0
    timeout_seconds: Annotated[float, Gt(0)] = 300.0

    @model_validator(mode="after")
    def _selectable(self) -> Self:
        if self.spare and self.selection != "balanced":
            raise ValueError('spare goes with selection = "balanced" alone')
        if self.selection == "magnitude":
            raise ValueError(
                'selection = "magnitude" is for type = "dynamic": here blocks are registered before training'
            )
        return self

    def contributors(self, workers: int) -> int:
        """Give the number of workers that balanced selection puts on a block, the spare ones included."""
        return min(workers, super().contributors(workers) + self.spare)

    @property
    def own_pace(self) -> bool:
        """An epoch is everybody's."""
        return False

    def receives(self, party: PartyId) -> Sequence[builtins.type[Message]]:
        """See `System`. No message carries a plain value up; see docs/security.md."""
        if party == MANAGER:
            return (Register, Upload, Answer)
        return (EpochBegins, CallbackUpload, Closed, Open, CallbackDownload, Download, Finish)
