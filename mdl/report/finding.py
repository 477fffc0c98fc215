"""From what a person names to run folders: a folder of runs, such as a study's, stands for the runs in it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mdl.report.runs import NotARun, is_run

MOST_NAMED: Final = 8
"""So many of the studies are named that a folder holds."""


def find_runs(folders: Sequence[Path]) -> Sequence[Path]:
    """Give the run folders that `folders` stand for, each once.

    One that is no run but holds runs stands for these, by name. One that holds nothing of the kind is given
    as it is: reading it will say what is missing.

    Raises:
        NotARun: one holds no runs, but studies.
    """
    return list(dict.fromkeys(run for folder in folders for run in _runs(folder)))


def _runs(folder: Path) -> Iterator[Path]:
    runs = [] if is_run(folder) else _runs_in(folder)
    if not runs and (studies := [path.name for path in _folders_in(folder) if _runs_in(path)]):
        raise NotARun(str(folder), f"it holds studies: name one or more of them ({_listed(studies)})")
    yield from runs or [folder]


def _runs_in(folder: Path) -> Sequence[Path]:
    return [path for path in _folders_in(folder) if is_run(path)]


def _folders_in(folder: Path) -> Sequence[Path]:
    try:
        inside = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return sorted((path for path in inside if path.is_dir()), key=_with_numbers)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _with_numbers(path: Path) -> list[tuple[int, str]]:
    """Give what sorts names with numbers in them by the numbers' size."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]
