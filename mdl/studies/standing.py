"""What is known of a point before it is run: done, to do, or in the way."""

import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final

from mdl import folder as files
from mdl.studies.entry import COMPLETED
from mdl.studies.modes import Mode
from mdl.studies.points import Point

POINT: Final = "point.json"
"""In a point's folder: its settings, and how it was run."""

LOG: Final = "log.txt"
"""In a point's folder: what its process printed, if anything."""


class Standing(Enum):
    """How a point stands in its study.

    The values are what a person is told.
    """

    DONE = "done"
    NEW = "to do"
    UNFINISHED = "to do again: an earlier attempt did not complete"
    OTHER = "to do again, with --replace only: what is there completed under other settings"


def record(point: Point, mode: Mode) -> Mapping[str, Any]:
    """Give what stands in a point's folder besides the run itself."""
    return {"settings": dict(point.settings), "mode": mode.describe()}


def standing(point: Point, run: Path, mode: Mode) -> Standing:
    """Judge a point by its folder: done if it completed, with this very experiment, in this very mode."""
    if not any((run / name).exists() for name in (POINT, files.EXPERIMENT)):
        return Standing.NEW
    if (read_summary(run) or {}).get("status") != COMPLETED:
        return Standing.UNFINISHED
    same = (
        _read_text(run / files.EXPERIMENT) == point.experiment.to_toml()
        and (read_json(run / POINT) or {}).get("mode") == record(point, mode)["mode"]
    )
    return Standing.DONE if same else Standing.OTHER


def read_summary(run: Path) -> Mapping[str, Any] | None:
    """Read a run's summary; None if it left none."""
    return read_json(run / files.SUMMARY)


def foreign(run: Path) -> bool:
    """Tell whether a folder holds things that no point of a study has left."""
    if not run.is_dir() or (run / POINT).is_file():
        return False
    return any(path.name != LOG for path in run.iterdir())


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None


def read_json(path: Path) -> Mapping[str, Any] | None:
    """Read a JSON object; None where there is none, or something else."""
    try:
        value = json.loads(_read_text(path) or "")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
