"""Ways to train: one paper, one file. `AnySystem` is what `[system]` of an experiment file can be."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mdl.systems.coordinated import Coordinated
from mdl.systems.decentralised import Decentralised
from mdl.systems.dynamic import Dynamic
from mdl.systems.fedavg import FedAvg
from mdl.systems.mutual import Mutual
from mdl.systems.quantised_mpc import QuantisedMpc
from mdl.systems.secret_shared import SecretShared
from mdl.systems.standalone import Standalone

AnySystem: TypeAlias = Annotated[
    Coordinated | Decentralised | Dynamic | FedAvg | Mutual | QuantisedMpc | SecretShared | Standalone,
    Field(discriminator="type"),
]

__all__ = [
    "AnySystem",
    "Coordinated",
    "Decentralised",
    "Dynamic",
    "FedAvg",
    "Mutual",
    "QuantisedMpc",
    "SecretShared",
    "Standalone",
]
