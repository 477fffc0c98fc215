"""A run's folder: what is written there, and how a party's records get there in one piece."""

import fcntl
import json
import os
import platform
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NewType

from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from mdl import __version__
from mdl.errors import DamagedRecord, MdlError
from mdl.party import PartyId
from mdl.system import KEPT, Arrays

EXPERIMENT: Final = "experiment.toml"
ENVIRONMENT: Final = "environment.json"
SUMMARY: Final = "summary.json"
METRICS: Final = "metrics.jsonl"
LEDGER: Final = "ledger.jsonl"

Held = NewType("Held", Path)
"""A folder that this process keeps to itself: `locked` gives it, and nothing else makes one."""


def new_folder(parent: Path, name: str, now: datetime) -> Path:
    """Make the folder of a new run: ``<parent>/<time>-<name>``, and a number if there is one already.

    Raises:
        MdlError: it cannot be made.
    """
    stem = f"{now:%Y%m%d-%H%M%S}-{name}"
    for number in range(1000):
        folder = parent / (f"{stem}-{number}" if number else stem)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise MdlError(f"cannot make the run's folder {folder}: {error.strerror}") from None
        return folder
    raise MdlError(f"there are too many runs called {stem} in {parent}")


def file_in_the_way(folder: Path) -> Path | None:
    """Find the file that stands where a folder is to be, or above that; None if there is none."""
    # Not Path.is_file, which raises where a name is too long or a folder is closed to us.
    return next((place for place in (folder, *folder.parents) if os.path.isfile(place)), None)  # noqa: PTH113


def write_atomically(path: Path, data: bytes, *, durable: bool = False, shared: bool = False) -> None:
    """Write a file wholly or not at all.

    Args:
        path: of the file.
        data: what is to be in it.
        durable: return only when it would survive a power cut.
        shared: let others read it as the user's mask says; otherwise it is for the owner alone.

    Raises:
        OSError: it cannot be written; names `path`, which the error of a full disk does not by itself.
    """
    try:
        _write_atomically(path, data, durable=durable, mode=0o666 if shared else 0o600)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write_atomically(path: Path, data: bytes, *, durable: bool, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
        if durable:
            _sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(folder: Path) -> Iterator[Held]:
    """Keep a folder to oneself; the lock goes with the process, however it ends.

    Raises:
        MdlError: another process has it.
    """
    with locked_by(folder, "lock"):
        yield Held(folder)


@contextmanager
def locked_by(folder: Path, name: str) -> Iterator[None]:
    """Keep to oneself what the lock of a name in a folder stands for; other names do not mind.

    Raises:
        MdlError: another process has this lock.
    """
    with (folder / f".{name}").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise MdlError(
                f"{folder} is in use by another process: two runs must not share a folder"
            ) from None
        yield


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file for people: indented, and in one piece."""
    write_atomically(path, (json.dumps(value, indent=2) + "\n").encode())


def environment() -> dict[str, Any]:
    """Describe the machine and the versions a run depends on."""
    packages = ("torch", "numpy", "gmpy2", "msgspec", "uvloop")
    return {
        "mdl": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "packages": {name: metadata.version(name) for name in packages},
    }


def trim(path: Path, until: Mapping[PartyId, int]) -> list[dict[str, Any]]:
    """Keep of a file of JSON lines what belongs to epochs up to each party's in `until`; give what is kept.

    A last line that a crash has torn goes as well.
    """
    kept = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event["epoch"] <= until.get(event["party"], 0):
            kept.append(event)
    write_atomically(path, b"".join(json.dumps(event).encode() + b"\n" for event in kept))
    return kept


def last_line(path: Path) -> dict[str, Any] | None:
    """Give the last whole line of a file of JSON lines, and cut off what a crash has left of another."""
    if not path.exists():
        return None
    *lines, torn = path.read_bytes().split(b"\n")
    if torn:
        os.truncate(path, sum(len(line) + 1 for line in lines))
    last: dict[str, Any] | None = json.loads(lines[-1]) if lines else None
    return last


class FileJournal:
    """A party's records as files, ``checkpoints/<party>/<name>-<epoch>.safetensors``.

    Implements `mdl.system.Journal`.
    """

    def __init__(self, run: Path, party: PartyId) -> None:
        self._folder = run / "checkpoints" / str(party)

    def write(self, name: str, epoch: int, arrays: Arrays) -> None:
        """See `Journal`.

        It is on the disk itself when this returns: what it allows to be opened must not be forgotten in a
        power cut.
        """
        if not self._folder.exists():
            self._folder.mkdir(parents=True)
            for parent in (self._folder.parent, self._folder.parent.parent):
                _sync_folder(parent)
        write_atomically(
            self._path(name, epoch), save({key: value.copy() for key, value in arrays.items()}), durable=True
        )
        for old in self.epochs(name):
            if old <= epoch - KEPT:
                self._path(name, old).unlink(missing_ok=True)

    def forget(self, name: str, after: int) -> None:
        """Remove the records of a name that are later than an epoch: they belong to a course not taken."""
        for epoch in self.epochs(name):
            if epoch > after:
                self._path(name, epoch).unlink(missing_ok=True)

    def read(self, name: str, epoch: int) -> Arrays | None:
        """See `Journal`.

        Raises:
            DamagedRecord: the record is there, and cannot be read.
        """
        path = self._path(name, epoch)
        try:
            return load_file(path) if path.exists() else None
        except SafetensorError as error:
            raise DamagedRecord(str(path), str(error)) from None

    def newest(self, name: str, until: int) -> Arrays | None:
        """See `Journal`."""
        epochs = [epoch for epoch in self.epochs(name) if epoch <= until]
        return self.read(name, epochs[-1]) if epochs else None

    def epochs(self, name: str) -> list[int]:
        """Give the epochs with a record of this name, in ascending order."""
        return sorted(
            int(path.stem.removeprefix(f"{name}-")) for path in self._folder.glob(f"{name}-*.safetensors")
        )

    def _path(self, name: str, epoch: int) -> Path:
        return self._folder / f"{name}-{epoch:06d}.safetensors"
