"""`study.json`: which points a study has, and with what commands they were run."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mdl import folder as files
from mdl.errors import MdlError
from mdl.studies.modes import Mode
from mdl.studies.points import Point
from mdl.studies.sources import Source
from mdl.studies.standing import read_json

STUDY: Final = "study.json"


def note_command(folder: Path, points: Sequence[Point], *, source: Source, mode: Mode, jobs: int) -> None:
    """Add a command to the record of a study; its points join those of earlier ones.

    Raises:
        MdlError: it cannot be written.
    """
    before = read_json(folder / STUDY) or {}
    command = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **source.describe(),
        "mode": mode.describe(),
        "jobs": jobs,
        "environment": files.environment(),
    }
    record: Mapping[str, Any] = {
        "study": folder.name,
        "points": {**before.get("points", {}), **{point.name: dict(point.settings) for point in points}},
        "commands": [*before.get("commands", []), command],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / STUDY, record)
    except OSError as error:
        raise MdlError(f"cannot write into the study's folder {folder}: {error.strerror}") from None
