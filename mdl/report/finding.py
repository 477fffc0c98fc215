"""From what a person names to run folders: a folder of runs, such as a study's, stands for the runs in it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mdl.report.runs import is_run


def find_runs(folders: Sequence[Path]) -> Sequence[Path]:
    """Give the run folders that `folders` stand for, each once.

    One that is no run but holds runs stands for these, by name. One that holds none is given as it is:
    reading it will say what is missing.
    """
    return list(dict.fromkeys(run for folder in folders for run in _runs(folder)))


def _runs(folder: Path) -> Iterator[Path]:
    inside = () if is_run(folder) or not folder.is_dir() else folder.iterdir()
    runs = [path for path in inside if path.is_dir() and is_run(path)]
    yield from sorted(runs, key=_with_numbers) or [folder]


def _with_numbers(path: Path) -> list[tuple[int, str]]:
    """Give what sorts names with numbers in them by the numbers' size."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]
