"""A learner small enough to know everything about: it walks towards a point of its own."""

from collections.abc import Callable

import numpy as np

from mdl.party import PartyId
from mdl.system import Metrics, Training
from mdl.vectors import Floats


class TinyLearner:
    """Each epoch moves halfway towards a target that follows from the party and the epoch."""

    learning_rate = 0.5

    def __init__(self, party: PartyId, size: int = 7) -> None:
        self._party, self._values = party, np.linspace(-1, 1, size).astype(np.float32)

    def parameters(self) -> Floats:
        return self._values.copy()

    def load(self, parameters: Floats) -> None:
        self._values = parameters.astype(np.float32)

    def train(self, epoch: int) -> Training:
        target = np.cos(np.arange(len(self._values)) * self._party + epoch)
        self._values = (self._values + self.learning_rate * (target - self._values)).astype(np.float32)
        return Training(self._values.copy(), float(np.mean((target - self._values) ** 2)), 10)

    def evaluate(self) -> Metrics:
        spread = float(np.mean(self._values**2))
        return Metrics(loss=spread, accuracy=1 / (1 + spread))


def tiny(size: int = 7) -> Callable[[PartyId], TinyLearner]:
    """Give what makes the learner of each party."""
    return lambda party: TinyLearner(party, size)
