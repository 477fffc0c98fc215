"""Where the points of a study come from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from mdl.studies.points import Point


class Source(Protocol):
    """What a command was asked to run."""

    @property
    def noun(self) -> str:
        """What one of its points is called to a person, in the singular."""

    def points(self) -> tuple[Sequence[Point], Sequence[str]]:
        """Make and check all points; give them, and a line for everything that should be told before.

        Raises:
            ConfigError: some cannot work, or not with the others.
        """

    def describe(self) -> Mapping[str, Any]:
        """Give the command as it stands in the study's record; JSON."""

    def compared(self, folder: Path, points: Sequence[Point]) -> Sequence[Path]:
        """Give the folders, of runs or of studies, that the closing report sets side by side."""
