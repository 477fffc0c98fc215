"""`study.json`: which points a study has, and with what commands they were run."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mdl import folder as files
from mdl.errors import MdlError
from mdl.studies.grid import Axis
from mdl.studies.modes import Mode
from mdl.studies.points import Point
from mdl.studies.standing import read_json

STUDY: Final = "study.json"


def note_sweep(
    folder: Path,
    points: Sequence[Point],
    *,
    file: Path,
    overrides: Sequence[str],
    axes: Sequence[Axis],
    mode: Mode,
    jobs: int,
) -> None:
    """Add a sweep to the record of a study; its points join those of earlier ones.

    Raises:
        MdlError: it cannot be written.
    """
    before = read_json(folder / STUDY) or {}
    sweep = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "file": str(file),
        "set": list(overrides),
        "grid": {axis.key: list(axis.values) for axis in axes},
        "mode": mode.describe(),
        "jobs": jobs,
        "environment": files.environment(),
    }
    record: Mapping[str, Any] = {
        "study": folder.name,
        "points": {**before.get("points", {}), **{point.name: dict(point.settings) for point in points}},
        "sweeps": [*before.get("sweeps", []), sweep],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / STUDY, record)
    except OSError as error:
        raise MdlError(f"cannot write into the study's folder {folder}: {error.strerror}") from None
