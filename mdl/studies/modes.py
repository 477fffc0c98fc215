"""How the points of a study are run: with real processes, or simulated. Free of torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Real:
    """As `mdl run`: a process for each party, and the clock on the wall."""

    def describe(self) -> Mapping[str, Any]:
        """Give it as it stands in a point's record: runs under other words are other runs."""
        return {"kind": "real"}


@dataclass(frozen=True)
class Simulated:
    """As `mdl simulate`: one thread, modelled links, and a virtual clock.

    Attributes:
        latency_seconds: of every link.
        bandwidth_bytes_per_second: of every link; None for no limit.
        schedule: the seed of the order in which things happen that could happen in any.
        training_seconds: virtual seconds that a local epoch takes, other computing then taking none; None to
            charge what computing takes here. Points that run at the same time then slow each other down.
    """

    latency_seconds: float = 0.001
    bandwidth_bytes_per_second: float | None = None
    schedule: int = 0
    training_seconds: float | None = None

    def describe(self) -> Mapping[str, Any]:
        """Give it as it stands in a point's record: runs under other words are other runs."""
        return {"kind": "simulated", **asdict(self)}


Mode: TypeAlias = Real | Simulated
