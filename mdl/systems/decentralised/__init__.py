"""D-MHE: nodes on a graph average their models with their neighbours, who stay encrypted.

Xu, Li, Guo, Zhang, Li, "Privacy-preserving Decentralized Deep Learning with Multiparty Homomorphic
Encryption", arXiv 2207.04604 (2022). What is the paper's, what was inferred and what was chosen is in
docs/systems/decentralised.md.
"""

from collections.abc import Sequence

from mdl.party import Party
from mdl.system import Learner, Outcome, Task, Traits
from mdl.systems.decentralised.explanation import explain, traits
from mdl.systems.decentralised.node import Node
from mdl.systems.decentralised.settings import DecentralisedSettings


class Decentralised(DecentralisedSettings):
    """D-MHE: neighbours on a graph average encrypted models.

    Its keys are those of `DecentralisedSettings`.
    """

    def explain(self, workers: int, parameters: int) -> Sequence[str]:
        """See `System`."""
        return explain(self, workers=workers, parameters=parameters)

    def traits(self, workers: int) -> Traits:
        """See `System`."""
        return traits(self, workers=workers)

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        """Play a node's part."""
        return await Node(self, party, learner, task).run()


__all__ = ["Decentralised"]
