"""SSDDL: updates are split into shares among a group, and a server that sees sums trains the global model.

Duan, Zhou, Li, "Privacy-preserving distributed deep learning based on secret sharing", Information Sciences
527 (2020). Its five steps Init, SelectGroup, LocalTrain, ParaShare and ParaUpdate are named in `worker` and
`server`. What is the paper's, what was inferred and what was chosen is in docs/systems/secret-shared.md.
"""

from collections.abc import Sequence

from mdl.party import MANAGER, Party
from mdl.system import Learner, Outcome, Task, Traits
from mdl.systems.secret_shared.explanation import explain, traits
from mdl.systems.secret_shared.server import Server
from mdl.systems.secret_shared.settings import SecretSharedSettings
from mdl.systems.secret_shared.worker import Worker


class SecretShared(SecretSharedSettings):
    """SSDDL: updates are secret-shared among a group; the server sees their sums.

    Its keys are those of `SecretSharedSettings`.
    """

    def explain(self, workers: int, parameters: int) -> Sequence[str]:
        """See `System`."""
        return explain(self, workers=workers, parameters=parameters)

    def traits(self, workers: int) -> Traits:
        """See `System`."""
        return traits(self, workers=workers)

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        """Play the server's part, or a worker's."""
        if party.id == MANAGER:
            return await Server(self, party, learner, task).run()
        return await Worker(self, party, learner, task).run()


__all__ = ["SecretShared"]
