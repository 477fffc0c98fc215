"""∝MDL^d: contributions are taken first come, first served; a slow or lost worker holds up nobody.

Zhang, Ji, Wang, Wang, "Private, yet Practical, Multiparty Deep Learning", §V. Algorithm 4 is in `manager`,
Algorithm 5 in `worker`; comments there give their lines. In ``mode = "safe"`` a block's active set closes at
its m-th contribution, and only then m workers answer for it, once. ``mode = "paper"`` gives shares on
arrival, as printed, and leaks (`mdl.protocols.on_arrival`). Both give the same sums. Departures from the
print, each with its reason, are in docs/systems/dynamic.md.
"""

from collections.abc import Sequence

from mdl.party import MANAGER, Party
from mdl.system import Learner, Outcome, Task, Traits
from mdl.systems.dynamic.manager import Manager
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
from mdl.systems.dynamic.settings import DynamicSettings
from mdl.systems.dynamic.worker import Worker
from mdl.systems.explanations import explain_dynamic
from mdl.systems.traits import traits_dynamic


class Dynamic(DynamicSettings):
    """∝MDL^d as a system; its keys are those of `DynamicSettings`."""

    def explain(self, workers: int, parameters: int) -> Sequence[str]:
        """See `System`."""
        return explain_dynamic(
            self,
            workers=workers,
            parameters=parameters,
            printed=self.mode == "paper",
            download=self.download.type,
            admission=self.admission.type,
        )

    def traits(self, workers: int) -> Traits:
        """See `System`."""
        return traits_dynamic(self, workers, printed=self.mode == "paper", download=self.download.type)

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        """Play the manager's part, or a worker's."""
        if party.id == MANAGER:
            return await Manager(self, party, learner, task).run()
        return await Worker(self, party, learner, task).run()


__all__ = [
    "Dynamic",
    "EpochDone",
    "Finish",
    "Join",
    "Missed",
    "Refresh",
    "Upload",
    "Values",
    "Welcome",
]
