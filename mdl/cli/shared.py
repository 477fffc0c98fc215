"""What several commands do: read a file, blame it, tell, write a report."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from mdl.errors import ConfigError, MdlError

if TYPE_CHECKING:
    from mdl.config import Experiment


def tell(what: str, style: str = "") -> None:
    """Say something that is no result."""
    Console(stderr=True).print(f"mdl: {what}", style=style, markup=False, highlight=False, soft_wrap=True)


def load_experiment(path: Path, overrides: list[str] | None, seed: int | None) -> "Experiment":
    """Read an experiment file with the command's changes; tell what they dropped silently otherwise."""
    from mdl.config import load

    changes = [*(overrides or []), *([f"seed={seed}"] if seed is not None else [])]
    experiment, notes = load(path, changes)
    for note in notes:
        tell(f"note: {note}")
    return experiment


def experiment_of(run_folder: Path, command: str) -> Path:
    """Find a run's experiment file."""
    from mdl import folder

    if not run_folder.exists():
        raise ConfigError([f"there is no such folder: {run_folder}"], command)
    if not (run_folder / folder.EXPERIMENT).is_file():
        raise ConfigError([f"{run_folder} is no run's folder: it has no {folder.EXPERIMENT}"], command)
    return run_folder / folder.EXPERIMENT


@contextmanager
def blaming(file: Path) -> Iterator[None]:
    """Name the file in an error that is found when its values are put to use."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(error.problems, str(file)) from None


def warn_if_insecure(experiment: "Experiment") -> None:
    """Tell of an experiment that protects nobody."""
    if getattr(experiment.system, "insecure", False):
        tell(
            "warning: system.insecure = true: this run is for study; it does not protect anybody's data.",
            style="bold red",
        )


def data_dir() -> Path | None:
    """Give where named data sets lie, if it is said (MDL_DATA)."""
    place = os.environ.get("MDL_DATA")
    return Path(place) if place else None


def draw_report(runs: list[Path], out: Path) -> list[Path]:
    """Write the report of some runs; give its files.

    Raises:
        MdlError: `out` cannot be written to.
    """
    from mdl.report import write_report

    try:
        return write_report(runs, out)
    except OSError as error:
        raise MdlError(f"cannot write the report into {out}: {error.strerror}") from None


def refuse_file(folder: Path | None) -> Path | None:
    """Refuse a folder for results where a file is in the way, before anything is computed."""
    from mdl import folder as files

    if folder is not None and (file := files.file_in_the_way(folder)):
        said = f"{file} is a file, and a folder is needed: name another place, or move the file away"
        raise ConfigError([said if file == folder else f"cannot make {folder}: {said}"], "--out")
    return folder


def use_one_thread() -> None:
    """Have numerical libraries compute in one thread; they read this once, when they are loaded."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
