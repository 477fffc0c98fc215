"""Choices that ∝MDL^d leaves open, as small frozen values: who gets a seat, and who downloads what.

The paper takes contributions first come, first served, and lets workers download what they contributed to; it
names fairness and other policies as future work [∝MDL, §VIII].
"""

from typing import Annotated, Literal, TypeAlias

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from pydantic import Field

from mdl.settings import Settings
from mdl.vectors import Flags

Counts: TypeAlias = NDArray[np.int64]
"""Contributions by worker, shape (n,), worker i in place i − 1."""


class FirstCome(Settings):
    """Seats go to whoever comes first [∝MDL, §V-A]. Fast workers contribute more."""

    type: Literal["first-come"] = "first-come"

    @property
    def patience_seconds(self) -> float | None:
        """No seat is ever kept."""
        return None

    def problems(self, threshold: int) -> list[str]:
        """Nothing can be wrong."""
        return []

    def open_seats(self, threshold: int) -> int:
        """All seats are for everybody."""
        return threshold

    def is_behind(self, counts: Counts, online: Flags, worker: int, blocks: int) -> bool:
        """Nobody is."""
        return False

    def stretch(self, counts: Counts, worker: int) -> float:
        """Everybody offers its share."""
        return 1.0


class ReservedSeats(Settings):
    """Some of the m seats are kept, for a while, for workers that have contributed less than the average.

    Others that find only kept seats left are *held*: they get one if none of those workers comes in time. And
    each worker offers more blocks at a time than its share, or fewer, as the average to its own count.

    Attributes:
        seats: how many of the m are kept.
        patience_seconds: for how long, from the first contribution to the set.
    """

    type: Literal["reserved-seats"] = "reserved-seats"
    seats: Annotated[int, Ge(1)] = 2
    patience_seconds: Annotated[float, Gt(0)] = 30.0

    def problems(self, threshold: int) -> list[str]:
        """Say what is impossible with m = `threshold`."""
        if self.seats <= threshold:
            return []
        return [f"system.admission.seats: {self.seats} seats cannot be kept of m = {threshold}"]

    def open_seats(self, threshold: int) -> int:
        """Give how many seats are for everybody."""
        return threshold - self.seats

    def is_behind(self, counts: Counts, online: Flags, worker: int, blocks: int) -> bool:
        """Tell whether a worker has no more contributions than the average of those that are there."""
        return bool(counts[worker - 1] * online.sum() <= counts[online].sum())

    def stretch(self, counts: Counts, worker: int) -> float:
        """How many times its share a worker offers."""
        return _catching_up(counts, worker)


class Deficit(Settings):
    """No worker gets far ahead of the one with the fewest contributions: who does is held, for a while.

    What a worker offers at a time follows its count as with `ReservedSeats`.

    Attributes:
        slack: how far ahead, in contributions to a whole model (1 is one contribution a block).
        patience_seconds: how long a set keeps its seats for the others, from its first contribution, or from
            the first that is held.
    """

    type: Literal["deficit"] = "deficit"
    slack: Annotated[float, Gt(0)] = 1.0
    patience_seconds: Annotated[float, Gt(0)] = 30.0

    def problems(self, threshold: int) -> list[str]:
        """Nothing can be wrong."""
        return []

    def open_seats(self, threshold: int) -> int:
        """No seat is for those that are ahead."""
        return 0

    def is_behind(self, counts: Counts, online: Flags, worker: int, blocks: int) -> bool:
        """Tell whether a worker is not too far ahead of the last of those that are there."""
        return bool(counts[worker - 1] <= counts[online].min(initial=counts.max()) + self.slack * blocks)

    def stretch(self, counts: Counts, worker: int) -> float:
        """How many times its share a worker offers."""
        return _catching_up(counts, worker)


Admission: TypeAlias = Annotated[FirstCome | ReservedSeats | Deficit, Field(discriminator="type")]


def _catching_up(counts: Counts, worker: int) -> float:
    """The average over one's own: who has least offers most. Zero counts as one contribution."""
    return float(counts.mean()) / max(1, int(counts[worker - 1])) if counts.any() else 1.0


class ContributionDownload(Settings):
    """Who contributed to a version downloads its value, at once [∝MDL, §IV-B c, the paper's policy]."""

    type: Literal["contribution"] = "contribution"


class AllDownload(Settings):
    """Everybody downloads every new value at once, contributor or not: a free rider gets the whole model."""

    type: Literal["all"] = "all"


class QuotaDownload(Settings):
    """After each of its epochs a worker downloads the values that were updated most often since it had them.

    The θ_d of Shokri and Shmatikov (CCS 2015). A free rider gets the model this way too.

    Attributes:
        share: of all blocks, at most so many at a time, rounded up.
    """

    type: Literal["quota"] = "quota"
    share: Annotated[float, Gt(0), Le(1)] = 0.5


class StaleFirstDownload(Settings):
    """After each of its epochs a worker downloads the updated values that it has waited for longest.

    Attributes:
        share: of all blocks, at most so many at a time, rounded up.
    """

    type: Literal["stale-first"] = "stale-first"
    share: Annotated[float, Gt(0), Le(1)] = 0.5


Download: TypeAlias = Annotated[
    ContributionDownload | AllDownload | QuotaDownload | StaleFirstDownload, Field(discriminator="type")
]
