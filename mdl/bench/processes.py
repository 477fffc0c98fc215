"""What the processes of a run have spent, read while they live (Linux)."""

import multiprocessing
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mdl.party import PartyId


@dataclass(frozen=True)
class Reading:
    """What a party has spent so far, its pool included.

    Attributes:
        cpu_seconds: of all its threads and processes.
        peak_bytes: the most that each of its processes had resident, added up; shared pages count in each.
    """

    cpu_seconds: float
    peak_bytes: int


def parties() -> Mapping[PartyId, Reading]:
    """Read what the parties that this process has launched have spent."""
    children = _children()
    launched = {
        int(process.name.removeprefix("mdl-")): process.pid
        for process in multiprocessing.active_children()
        if process.name.startswith("mdl-") and process.pid is not None
    }
    return {party: _read(list(_family(pid, children))) for party, pid in sorted(launched.items())}


def _read(processes: list[int]) -> Reading:
    return Reading(sum(map(_cpu_seconds, processes)), sum(map(_peak_bytes, processes)))


def _cpu_seconds(process: int) -> float:
    """Read another process's clock, exact to the nanosecond where /proc counts ticks.

    Linux makes its identifier of the process's as clock_getcpuclockid(3) does.
    """
    try:
        return time.clock_gettime((~process << 3) | 2)
    except OSError:  # it has ended
        return 0.0


def _peak_bytes(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _family(root: int, children: Mapping[int, list[int]]) -> Iterator[int]:
    yield root
    for child in children.get(root, []):
        yield from _family(child, children)


def _children() -> Mapping[int, list[int]]:
    """Give every process's children."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after_name = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2]
            except OSError:
                continue
            found.setdefault(int(after_name.split()[1]), []).append(int(entry.name))
    return found
