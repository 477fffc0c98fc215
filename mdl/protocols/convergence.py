"""When to stop: the "approximate optimum" of Algorithms 2 and 3."""

import numpy as np
from numpy.typing import NDArray

from mdl.system import Metrics, Stop


class Convergence:
    """Watches one metric of the global model; done when it has not improved for `patience` epochs."""

    def __init__(self, stop: Stop | None) -> None:
        self._stop = stop
        self._best = -np.inf
        self._since = 0

    @classmethod
    def restored(cls, stop: Stop | None, state: NDArray[np.float64]) -> "Convergence":
        """Go on from what `state` gave."""
        progress = cls(stop)
        progress._best, progress._since = float(state[0]), int(state[1])
        return progress

    @property
    def metric(self) -> str:
        """What is watched."""
        return self._stop.metric if self._stop else "accuracy"

    @property
    def done(self) -> bool:
        """Whether to stop."""
        return self._stop is not None and self._since >= self._stop.patience

    @property
    def reason(self) -> str:
        """Why to stop, in words; empty while there is no reason."""
        return f"no better {self.metric} for {self._since} epochs" if self.done else ""

    def note(self, metrics: Metrics) -> None:
        """Take in one epoch's score."""
        score = metrics.accuracy if self.metric == "accuracy" else -metrics.loss
        improved = score > self._best
        self._best = max(self._best, score)
        self._since = 0 if improved else self._since + 1

    def state(self) -> NDArray[np.float64]:
        """Give what must be kept to go on later, shape (2,)."""
        return np.array([self._best, self._since], np.float64)
