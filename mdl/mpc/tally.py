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
        self._costs: dict[str, Cost] = {}

    @property
    def costs(self) -> Mapping[str, Cost]:
        """Until now."""
        return dict(self._costs)

    def add(self, phase: str, cost: Cost) -> None:
        """Count something to a phase."""
        self._costs[phase] = self._costs.get(phase, Cost()) + cost
