"""How much the two parties send each other."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """What is sent, in bytes.

    Attributes:
        asked: by the asker.
        replied: by the owner.
    """

    asked: int = 0
    replied: int = 0

    def __add__(self, other: "Sizes") -> "Sizes":
        return Sizes(self.asked + other.asked, self.replied + other.replied)

    @property
    def total(self) -> int:
        """By both."""
        return self.asked + self.replied
