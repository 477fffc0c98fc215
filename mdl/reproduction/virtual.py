"""∝MDL on the virtual clock, with the measured costs of cryptography and training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from mdl.party import PartyId
from mdl.reproduction.priced import PricedSettings
from mdl.simulator import Network, Simulation, simulate
from mdl.system import Learner, Metrics, Training
from mdl.systems.coordinated import Coordinated
from mdl.systems.dynamic import Dynamic
from mdl.vectors import Floats

Variant: TypeAlias = Literal["c", "d"]
"""∝MDL^c or ∝MDL^d."""

AnyVariant: TypeAlias = Coordinated | Dynamic

LINK: Final = Network(latency_seconds=0.001, bandwidth_bytes_per_second=125e6)
LINK_IN_WORDS: Final = "links of 1 Gbit/s and 1 ms"
JITTER: Final = 0.1
"""Standard deviation of a worker's training time, as a part of its mean: an assumption."""

_PATIENT: Final = 1e9
"""Nobody is late on these links, however long an epoch takes."""

_PAUSES: Final = 2_000
_DOMAIN: Final = 77
"""What is drawn here says nothing about what is drawn elsewhere with the same seed."""


@dataclass(frozen=True)
class Pace:
    """How long workers train, and then wait.

    Attributes:
        training_seconds: the mean of a local epoch; its deviation is `JITTER` of that.
        slope_seconds: after each epoch worker i waits N(slope·i, 1) seconds more, none if 0.
        seed: of the draws.
    """

    training_seconds: float
    slope_seconds: float = 0.0
    seed: int = 1

    def of(self, worker: PartyId) -> Sequence[float]:
        """Give a worker's seconds, epoch by epoch; none for the manager."""
        if not worker:
            return ()
        rng = np.random.default_rng([_DOMAIN, self.seed, worker])
        seconds = np.maximum(0.0, rng.normal(self.training_seconds, JITTER * self.training_seconds, _PAUSES))
        if self.slope_seconds:
            seconds = seconds + np.maximum(0.0, rng.normal(self.slope_seconds * worker, 1.0, _PAUSES))
        return [float(each) for each in seconds]


class StandIn:
    """A learner that learns nothing: an epoch's time does not depend on what is learnt in it.

    Args:
        parameters: t.
    """

    learning_rate = 1.0

    def __init__(self, parameters: int) -> None:
        self._parameters: Floats = np.zeros(parameters, np.float32)

    def parameters(self) -> Floats:
        """See `Learner`."""
        return self._parameters.copy()

    def load(self, parameters: Floats) -> None:
        """See `Learner`."""
        self._parameters = parameters.copy()

    def train(self, epoch: int) -> Training:
        """Stay where it is."""
        return Training(self.parameters(), 0.0, 1)

    def evaluate(self) -> Metrics:
        """Score nothing."""
        return Metrics(0.0, 0.0)


def variant(name: Variant, threshold: int, block: int) -> AnyVariant:
    """Give a variant of ∝MDL that waits for everybody; ∝MDL^d in safe mode.

    Blocks are assigned to workers in both alike (balanced), so that each has exactly m contributors.
    """
    keys: dict[str, Any] = {
        "threshold": threshold,
        "block": block,
        "selection": "balanced",
        "insecure": True,
        "timeout_seconds": _PATIENT,
    }
    return Coordinated(**keys) if name == "c" else Dynamic(**keys)


def play(
    system: AnyVariant,
    scheme: PricedSettings,
    learners: Callable[[PartyId], Learner],
    *,
    workers: int,
    epochs: int,
    pace: Pace,
) -> Simulation:
    """Run a system on the virtual clock, at a scheme's prices.

    Each parameter stands for `scheme.standing_for`: their bytes take as much longer on the links.
    """
    assert LINK.bandwidth_bytes_per_second is not None
    network = Network(LINK.latency_seconds, LINK.bandwidth_bytes_per_second / scheme.standing_for)
    simulation = simulate(
        system.model_copy(update={"scheme": scheme}),
        learners,
        workers=workers,
        epochs=epochs,
        seed=pace.seed,
        schedule=pace.seed,
        network=network,
        charge=scheme.till.charge,
        delays=pace.of,
        transcript=False,
    )
    for error in simulation.errors.values():
        raise error
    return simulation
