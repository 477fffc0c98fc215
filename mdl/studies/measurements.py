"""Measurements that are no runs: functions, each called in a process of its own, whose figures are kept.

A study of costs or of attacks is a list of `Measurement`; `measure` makes those that are not made yet.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mdl import __version__
from mdl import folder as files
from mdl.errors import MdlError
from mdl.studies.entry import COMPLETED, Call, Ending, Report, Status
from mdl.studies.processes import Event, Watcher, call_all
from mdl.studies.standing import read_json


@dataclass(frozen=True)
class Measurement:
    """A function, and what it is called with.

    Attributes:
        name: of its file, unlike any other's in the folder.
        function: importable by its name; gives figures that are JSON. Ctrl-C raises KeyboardInterrupt in it.
        arguments: by keyword; JSON.
    """

    name: str
    function: Callable[..., Mapping[str, Any]]
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """What has become of a measurement.

    Attributes:
        status: ``completed``, ``failed``, ``interrupted``, or ``unstarted`` if it was stopped first.
        reason: why, if it did not complete.
        kept: whether it was made before, and not repeated.
        figures: what the function gave; empty if it did not complete.
    """

    status: Status
    reason: str
    kept: bool
    figures: Mapping[str, Any]


def measure(
    measurements: Sequence[Measurement], folder: Path, *, jobs: int = 1, watch: Watcher = lambda _: None
) -> Mapping[str, Measured]:
    """Make the measurements that are not made yet; keep each as ``folder/<name>.json``.

    One is made if its file tells of the same function, arguments and version of mdl. Failures and Ctrl-C are
    as in `mdl.studies.engine.run_points`.

    Args:
        measurements: of different names.
        folder: made if there is none.
        jobs: how many at a time; what measures time should be alone.
        watch: is shown every event.

    Returns:
        By name what has become of each, in the order of `measurements`.

    Raises:
        MdlError: another process measures into this folder, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MdlError(f"cannot make the folder {folder}: {error.strerror}") from None
    with files.locked_by(folder, "measuring.lock"):
        made = {each.name for each in measurements if _is_made(each, folder)}
        for name in made:
            watch(Event(name, "kept", ending=Ending(COMPLETED)))
        calls = [_call(each, folder) for each in measurements if each.name not in made]
        endings = call_all(calls, jobs=jobs, watch=watch)
    return {each.name: _measured(folder, each.name, endings.get(each.name)) for each in measurements}


def _call(measurement: Measurement, folder: Path) -> Call:
    arguments = {"measurement": measurement, "file": _file(folder, measurement.name)}
    return Call(measurement.name, _make, arguments, folder / f"{measurement.name}.log")


def _make(_report: Report, *, measurement: Measurement, file: Path) -> None:
    """Make a measurement, in its process."""
    began, instant = time.monotonic(), datetime.now(UTC)
    figures = measurement.function(**measurement.arguments)
    record = {
        **_identity(measurement),
        "began": instant.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 3),
        "figures": figures,
    }
    files.write_json(file, record)


def _is_made(measurement: Measurement, folder: Path) -> bool:
    record = read_json(_file(folder, measurement.name)) or {}
    return all(record.get(key) == value for key, value in _identity(measurement).items())


def _identity(measurement: Measurement) -> Mapping[str, Any]:
    function = measurement.function
    return {
        "function": f"{function.__module__}.{function.__qualname__}",
        "arguments": dict(measurement.arguments),
        "mdl": __version__,
    }


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def _measured(folder: Path, name: str, ending: Ending | None) -> Measured:
    status, reason = (ending.status, ending.reason) if ending else (COMPLETED, "")
    record = read_json(_file(folder, name)) if status == COMPLETED else None
    return Measured(status, reason, ending is None, (record or {}).get("figures", {}))
