"""∝MDL^c: the manager shepherds the workers through an epoch, everybody's gradient stays hidden.

Zhang, Ji, Wang, Wang, "Private, yet Practical, Multiparty Deep Learning", §IV. Algorithm 1 (the trusted
authority) is `mdl.systems.credentials`, Algorithm 2 `manager`, Algorithm 3 `worker`; comments there give
their lines. Departures from the print, each with its reason, are in docs/systems/coordinated.md; the rules of
opening are in `mdl.protocols.opening`.
"""

from collections.abc import Sequence

from mdl.party import MANAGER, Party
from mdl.system import Learner, Outcome, Task, Traits
from mdl.systems.coordinated.manager import Manager
from mdl.systems.coordinated.messages import (
    CallbackDownload,
    CallbackUpload,
    Download,
    EpochBegins,
    Finish,
    Register,
    Upload,
)
from mdl.systems.coordinated.settings import CoordinatedSettings
from mdl.systems.coordinated.worker import Worker
from mdl.systems.explanations import explain_coordinated
from mdl.systems.traits import traits_coordinated


class Coordinated(CoordinatedSettings):
    """∝MDL^c as a system; its keys are those of `CoordinatedSettings`."""

    def explain(self, workers: int, parameters: int) -> Sequence[str]:
        """See `System`."""
        return explain_coordinated(self, workers=workers, parameters=parameters)

    def traits(self, workers: int) -> Traits:
        """See `System`."""
        return traits_coordinated(self, workers)

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        """Play the manager's part, or a worker's."""
        if party.id == MANAGER:
            return await Manager(self, party, learner, task).run()
        return await Worker(self, party, learner, task).run()


__all__ = [
    "CallbackDownload",
    "CallbackUpload",
    "Coordinated",
    "Download",
    "EpochBegins",
    "Finish",
    "Register",
    "Upload",
]
