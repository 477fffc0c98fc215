"""Everybody alone: the yardstick from below, and, with the workers' data pooled, the one from above.

No party sends anything to any other.
"""

import builtins
from collections.abc import Mapping, Sequence
from typing import Literal

from mdl.party import MANAGER, Message, Party, PartyId
from mdl.protocols.convergence import Convergence
from mdl.protocols.local import Keeper, train_from
from mdl.settings import Settings
from mdl.system import Crypto, Learner, Outcome, Randomness, Task, Traits


class Standalone(Settings):
    """The `[system]` table for `type = "standalone"`.

    Attributes:
        pooled: the manager trains one more model, on the union of the workers' data: what could be had
            without privacy.
    """

    type: Literal["standalone"] = "standalone"
    pooled: bool = False

    @property
    def crypto(self) -> Crypto:
        """Nothing is encrypted."""
        return "none"

    @property
    def own_pace(self) -> bool:
        """Nobody waits for anybody."""
        return True

    @property
    def tolerates_loss(self) -> bool:
        """Nobody needs anybody."""
        return True

    @property
    def own_models(self) -> bool:
        """Whether each worker may train a network of another kind: yes, if nobody trains one for all."""
        return not self.pooled

    def problems(self, workers: int) -> Sequence[str]:
        """See `System`: none."""
        del workers
        return []

    def explain(self, workers: int, parameters: int) -> Sequence[str]:
        """See `System`."""
        del parameters
        pooled = (
            ["A further model is trained on the union of all data: the manager sees all of it."]
            if self.pooled
            else []
        )
        return [
            f"{workers} workers train alone; nothing is exchanged, nothing is learnt from one another.",
            *pooled,
        ]

    def traits(self, workers: int) -> Traits:
        """See `System`."""
        del workers
        return Traits(
            learns="manager: all training data; workers: nothing" if self.pooled else "nobody anything",
            loss="the others do not notice",
        )

    def terms(self, workers: int) -> Mapping[str, str]:
        """See `System`."""
        del workers
        return {}

    def roster(self, workers: int) -> Sequence[PartyId]:
        """The workers; the manager too if it has a model to train."""
        return range(0 if self.pooled else 1, workers + 1)

    def links(self, workers: int) -> Sequence[tuple[PartyId, PartyId]]:
        """None."""
        del workers
        return []

    def receives(self, party: PartyId) -> Sequence[builtins.type[Message]]:
        """See `System`: nothing."""
        del party
        return []

    def deal(self, workers: int, *, rng: Randomness) -> Mapping[PartyId, bytes]:
        """Nothing to deal."""
        del workers, rng
        return {}

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        """Train alone."""
        pooled = party.id == MANAGER
        keeper = Keeper(party, learner, task, model="pooled" if pooled else "own")
        local, epoch, progress = learner.parameters(), task.resume, Convergence(task.stop)
        if kept := await keeper.kept(local):
            local = kept["parameters"]
            if "progress" in kept:  # records had none once
                progress = Convergence.restored(task.stop, kept["progress"])
        while epoch < task.epochs and not progress.done:
            epoch += 1
            local = await train_from(party, learner, local, task, epoch)
            if task.stop:
                progress.note(await keeper.score(epoch, local))
            await keeper.epoch_done(epoch, local, progress=progress.state())
        await keeper.finish(epoch, local)
        return Outcome(epoch, progress.reason or "all epochs done", local)
