"""What the phases of a computation on secrets cost a party."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Of one phase, for one party.

    Attributes:
        rounds: exchanges that it took part in.
        sent_bytes: to all others, without tags and lengths.
        computing_seconds: before the exchanges, sealing and opening included.
        waiting_seconds: in them.
    """

    rounds: int = 0
    sent_bytes: int = 0
    computing_seconds: float = 0.0
    waiting_seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.rounds + other.rounds,
            self.sent_bytes + other.sent_bytes,
            self.computing_seconds + other.computing_seconds,
            self.waiting_seconds + other.waiting_seconds,
        )

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(
            self.rounds - other.rounds,
            self.sent_bytes - other.sent_bytes,
            self.computing_seconds - other.computing_seconds,
            self.waiting_seconds - other.waiting_seconds,
        )


class Tally:
    """Adds up costs by phase.

    Attributes:
        costs: by the phase's name, `Exchange.phase`.
    """

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}

    @property
    def costs(self) -> Mapping[str, Cost]:
        """Until now."""
        return {phase: Cost(int(sums[0]), int(sums[1]), *sums[2:]) for phase, sums in self._sums.items()}

    def add(
        self,
        phase: str,
        *,
        computing_seconds: float,
        waiting_seconds: float = 0.0,
        sent_bytes: int = 0,
        rounds: int = 0,
    ) -> None:
        """Count something to a phase; see `Cost`."""
        sums = self._sums.setdefault(phase, [0, 0, 0.0, 0.0])
        sums[0] += rounds
        sums[1] += sent_bytes
        sums[2] += computing_seconds
        sums[3] += waiting_seconds
