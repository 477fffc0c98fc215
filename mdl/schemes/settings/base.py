"""What the table of every scheme can say and do."""

from abc import abstractmethod
from dataclasses import dataclass

from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.threshold import ThresholdEncryption
from mdl.settings import Settings


@dataclass(frozen=True)
class Requirements:
    """What a system wants of a scheme.

    Attributes:
        workers: n; the points are 1 to n.
        threshold: openers that a sum needs; at least 1.
        members: size of the largest active set; at least 1. The threshold may exceed it: openers need not be
            members.
        block: parameters in a block; at least 1.
        fixed_point: the grid of the entries.
    """

    workers: int
    threshold: int
    members: int
    block: int
    fixed_point: FixedPoint

    def problems(self) -> list[str]:
        """Say which count makes no sense."""
        counts = {
            "threshold": self.threshold,
            "largest active set": self.members,
            "block": self.block,
            "number of workers": self.workers,
        }
        return [f"the {what} must be at least 1, not {count}" for what, count in counts.items() if count < 1]


@dataclass(frozen=True)
class Exponentiations:
    """Exponentiations of one block, by who does them.

    Attributes:
        encrypt: by each member, with full nonces, from tables of bases that stay. (The lifted encoding's g^v
            has an exponent of three bytes or less, and is not counted.)
        share: by each opener, with a full exponent.
        manager: by the manager, to add and combine.
    """

    encrypt: int = 0
    share: int = 0
    manager: int = 0


class SchemeSettings(Settings):
    """A ``scheme`` table: what it takes to build the scheme, and what is known of it before it runs."""

    @abstractmethod
    def build(self, wanted: Requirements) -> ThresholdEncryption:
        """Make the scheme.

        Raises:
            ValueError: what `problems` says.
        """

    @abstractmethod
    def problems(self, wanted: Requirements) -> list[str]:
        """Say why the scheme cannot be built, a sentence each; [] if it can."""

    @abstractmethod
    def describe(self, wanted: Requirements) -> str:
        """Say in two sentences what protects, how well, and why the sums fit."""

    @property
    @abstractmethod
    def security_bits(self) -> int | None:
        """Security level; 0 if a person can break it, None where nothing is hidden."""

    @property
    @abstractmethod
    def heavy(self) -> bool:
        """Whether a step may take seconds, so that it needs processes of its own; else a thread will do."""

    @property
    def insecure(self) -> bool:
        """Whether it protects nothing though it seems to, and is for tests and figures only."""
        return self.security_bits == 0

    @property
    def members_first(self) -> bool:
        """See `ThresholdEncryption`."""
        return False

    def exponentiations(self, wanted: Requirements) -> Exponentiations:
        """Give what a block costs."""
        return Exponentiations()
