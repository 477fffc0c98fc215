"""Workers that come and go, and what they have trained meanwhile."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from hypothesis import strategies as st

from mdl.party import PartyId
from mdl.simulator import Absence
from mdl.system import Training
from mdl.vectors import Floats
from tests.tiny import TinyLearner

Trainings: TypeAlias = dict[tuple[PartyId, int], tuple[Floats, Floats]]
"""By party and epoch: the parameters before, and after."""


def seconds_each(_party: PartyId) -> Sequence[float]:
    """Training takes a second, so that there is time to leave in."""
    return [1.0]


class Watched(TinyLearner):
    """Notes from which parameters each epoch was trained, and to which."""

    def __init__(self, party: PartyId, trainings: Trainings) -> None:
        super().__init__(party)
        self._trainings = trainings

    def train(self, epoch: int) -> Training:
        assert (self._party, epoch) not in self._trainings, "an epoch is trained once"
        start, training = self.parameters(), super().train(epoch)
        self._trainings[self._party, epoch] = (start, training.parameters)
        return training


@st.composite
def absences(draw: st.DrawFn, workers: int) -> Mapping[PartyId, Sequence[Absence]]:
    """Some workers, each away once or twice, back soon or late; some for good."""

    def spans() -> Iterator[Absence]:
        moments = draw(st.lists(st.floats(0.01, 12), min_size=2, max_size=4, unique=True).map(sorted))
        yield from zip(moments[::2], [*moments[1::2], None], strict=False)

    away = draw(st.lists(st.integers(1, workers), min_size=1, max_size=workers, unique=True))
    return {worker: list(spans()) for worker in away}
