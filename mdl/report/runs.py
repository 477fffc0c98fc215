"""A run folder, read into one frozen value.

A report is wanted most where a run went wrong, so only a folder that is no run at all is refused. Whatever
else is missing, torn or ill-typed is left out and named in `Run.faults`, for the page to show.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mdl.config import Experiment, parse
from mdl.errors import ConfigError, MdlError, party_name
from mdl.folder import ENVIRONMENT, EXPERIMENT, LEDGER, METRICS, SUMMARY
from mdl.ledger import LedgerEntry
from mdl.party import MANAGER, PartyId
from mdl.system import Traits

T = TypeVar("T")


class NotARun(MdlError):
    """A folder that no run has left.

    Args:
        folder: as it was given.
        why: what it is instead.
    """

    def __init__(self, folder: str, why: str) -> None:
        super().__init__(folder, why)
        self.folder, self.why = folder, why

    def __str__(self) -> str:
        return f"{self.folder} is no run folder: {self.why}"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `metrics.jsonl`, as far as a report reads it. What a kind of line does not say is None.

    Attributes:
        seconds: since the run's start, the time between an end and a resumption left out; virtual ones in a
            simulation.
        party: who recorded it.
        kind: ``evaluated``, ``epoch``, ``left`` and others.
        epoch: in which it was recorded.
        model: of ``evaluated``: ``global``, ``own``, ``alone`` or ``pooled``.
        accuracy: of ``evaluated``, in [0, 1].
        loss: of ``evaluated``.
        opened: of ``epoch``: blocks whose aggregate was opened.
        missed: of ``epoch``: blocks that too few workers contributed to.
        present: of ``epoch``: workers that took part.
        worker: of ``left``: who.
        how: of ``left``: in words.
        phase: of ``cost``: of a computation on secrets; the next five are of it too.
        steps: of training; 0 if the phase was none of training.
        rounds: of messages that the party took part in.
        sent_bytes: by the party.
        computing_seconds, waiting_seconds: of the party.
        opinions: of ``trained``: of how many examples the party knows another one's opinion.
        opinions_right, opinions_needed: which part of these is right, and must be, in [0, 1].
        learnt_from: of ``trained``: how many of them it learnt from in the epoch.
    """

    seconds: float
    party: int
    kind: str
    epoch: int = 0
    model: str | None = None
    accuracy: float | None = None
    loss: float | None = None
    opened: float | None = None
    missed: float | None = None
    present: float | None = None
    worker: int | None = None
    how: str | None = None
    phase: str | None = None
    steps: int | None = None
    rounds: int | None = None
    sent_bytes: int | None = None
    computing_seconds: float | None = None
    waiting_seconds: float | None = None
    opinions: int | None = None
    opinions_right: float | None = None
    opinions_needed: float | None = None
    learnt_from: int | None = None


class Fairness(msgspec.Struct, frozen=True, kw_only=True):
    """`fairness` in `summary.json`: how evenly the workers' contributions were taken."""

    jain: float
    accepted: dict[str, int]


class Opinions(msgspec.Struct, frozen=True, kw_only=True):
    """`opinions` in `summary.json`: means over the workers, at the run's end; see `mdl.lessons`."""

    asked: float | None = None
    answered: float | None = None
    opinions: float | None = None
    opinions_right: float | None = None
    opinions_needed: float | None = None
    learnt_from: float | None = None
    epochs_learnt: float | None = None
    answers_limit: int | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`summary.json`. A run that ended early may lack any part of it.

    Attributes:
        started, ended: ISO 8601.
        resumed: whether it went on from checkpoints; figures are those of all parts.
        clock: of all seconds: ``wall``, or ``virtual`` in a simulation.
        own_pace: whether every party counted its own epochs.
        status: ``completed``, ``interrupted`` or ``failed``; ``unfinished`` where nothing says so.
        reason: why it ended, one sentence.
        accuracy: in [0, 1], by ``global``, ``pooled``, ``own_mean``, ``own_worst``, ``alone_mean`` and
            ``alone_worst``.
        seconds: by ``total``, ``start`` and the ledger's activities (these in the mean over the workers).
        cpu_seconds: of all parties together.
        bytes: by ``up`` (sent by workers) and ``down`` (sent by the manager); where there is none, by
            ``workers`` and by who is beside them, ``dealer`` say.
        missed_share: of all sums that were due, opened or missed, in [0, 1].
        saturated: values that were cut to the encoding's range.
        fairness: Jain's index, and how many of each worker's contributions were taken.
        weights: SHA-256 of the final parameters, under ``global`` and ``workers``.
        left: the workers that left.
        privacy: what noise is worth, by whatever names; None if there is none.
        opinions: what the workers learnt from others' opinions; None if they are told none.
    """

    name: str | None = None
    system: str | None = None
    scheme: str | None = None
    workers: int | None = None
    threshold: int | None = None
    seed: int | None = None
    started: str | None = None
    ended: str | None = None
    resumed: bool = False
    clock: str = "wall"
    own_pace: bool = False
    status: str = "unfinished"
    reason: str | None = None
    epochs: int | None = None
    accuracy: dict[str, float | None] = {}
    epochs_to_converge: int | None = None
    seconds: dict[str, float | None] = {}
    cpu_seconds: float | None = None
    bytes: dict[str, int | None] = {}
    missed: float | None = None
    missed_share: float | None = None
    saturated: float | None = None
    fairness: Fairness | None = None
    weights: dict[str, Any] = {}
    left: list[Any] = []
    privacy: Any = None
    opinions: Opinions | None = None


@dataclass(frozen=True)
class Run:
    """What a run left.

    Attributes:
        folder: where.
        name: the experiment's, or else the folder's.
        summary: how it ended.
        experiment: the resolved experiment file, as text.
        settings: the same, parsed.
        environment: versions, machine and the like.
        metrics: in the order of the file.
        ledger: in the order of the file.
        faults: what could not be read, a sentence each.
    """

    folder: Path
    name: str
    summary: Summary
    experiment: str
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    metrics: Sequence[Metric]
    ledger: Sequence[LedgerEntry]
    faults: Sequence[str]

    @property
    def completed(self) -> bool:
        """Whether the run came to its own end."""
        return self.summary.status == "completed"

    @property
    def simulated(self) -> bool:
        """Whether its seconds are those of a virtual clock."""
        return self.summary.clock == "virtual"

    @cached_property
    def _parsed(self) -> Experiment | None:
        """The experiment; None where its file is none that can be read today."""
        try:
            return parse(self.settings)
        except ConfigError:
            return None

    @property
    def traits(self) -> Traits | None:
        """What sets its system apart; None where that is unknown."""
        return self._parsed.system.traits(self._parsed.workers) if self._parsed else None

    @property
    def led(self) -> bool:
        """Whether there was a manager, as far as is known."""
        return self._parsed is None or self._parsed.led

    @property
    def beside(self) -> str:
        """What party 0 is called; empty where there is none, or it talks with nobody."""
        if self._parsed is None:
            return party_name(MANAGER)
        return self._parsed.beside if self._parsed.linked else ""

    def name_of(self, party: PartyId) -> str:
        """Name a party as a person would."""
        return self.beside or party_name(party) if party == MANAGER else party_name(party)

    @property
    def epochs(self) -> int:
        """The last epoch completed: the summary's word, or else the manager's, or else any party's.

        Workers at their own pace make more or fewer of their own; an entry in the ledger closes an epoch.
        """
        if self.summary.epochs is not None:
            return self.summary.epochs
        led = [metric.epoch for metric in self.metrics if metric.kind == "epoch"]
        return max(led or [entry.epoch for entry in self.ledger], default=0)


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        NotARun: there is no such folder, no experiment file in it, or nothing that a run writes.
    """
    if not folder.is_dir():
        raise NotARun(str(folder), "it is a file" if folder.exists() else "there is no such folder")
    if missing := _missing(folder):
        raise NotARun(str(folder), f"it has no {' and no '.join(missing)}")
    faults: list[str] = []
    experiment = (folder / EXPERIMENT).read_text(encoding="utf-8", errors="replace")
    summary = _read_object(folder / SUMMARY, Summary, faults) or Summary()
    return Run(
        folder=folder,
        name=summary.name or folder.resolve().name,
        summary=summary,
        experiment=experiment,
        settings=_parse_settings(experiment, faults),
        environment=_read_object(folder / ENVIRONMENT, dict[str, Any], faults) or {},
        metrics=_read_lines(folder / METRICS, Metric, faults),
        ledger=_read_lines(folder / LEDGER, LedgerEntry, faults),
        faults=tuple(faults),
    )


def is_run(folder: Path) -> bool:
    """Tell whether a run has left this folder."""
    return not _missing(folder)


def _missing(folder: Path) -> Sequence[str]:
    """Say what a run would have left here."""
    written = (METRICS, LEDGER, SUMMARY)
    missing = []
    if not (folder / EXPERIMENT).is_file():
        missing.append(EXPERIMENT)
    # An experiment file alone is a place where experiments are kept, not a run.
    if not any((folder / name).is_file() for name in written):
        missing.append(" or ".join(written))
    return missing


def _parse_settings(text: str, faults: list[str]) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        faults.append(f"{EXPERIMENT} is not TOML: {error}.")
        return {}


def _read_object(path: Path, kind: type[T], faults: list[str]) -> T | None:
    try:
        return _parse(path.read_bytes(), kind)
    except FileNotFoundError:
        faults.append(f"{path.name} is missing.")
    except ValueError as error:
        faults.append(f"{path.name} is unreadable and left out: {error}.")
    return None


def _read_lines(path: Path, kind: type[T], faults: list[str]) -> tuple[T, ...]:
    """Read one value a line; a line that is none becomes a fault."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        faults.append(f"{path.name} is missing.")
        return ()
    values = []
    for number, line in enumerate(lines, start=1):
        try:
            values.append(_parse(line, kind))
        except ValueError as error:
            faults.append(_bad_line(path.name, number, len(lines), error))
    return tuple(values)


def _bad_line(name: str, number: int, count: int, error: ValueError) -> str:
    if number == count:
        return f"{name} ends in a torn line (the run ended while it wrote it); the line is left out."
    return f"Line {number} of {name} is unreadable and left out: {error}."


def _parse(text: bytes, kind: type[T]) -> T:
    """Turn JSON into a value of `kind`.

    Raises:
        ValueError: it is none (msgspec's and json's errors are among these).
    """
    # The standard library's parser takes the NaN that a diverged loss may be written as; msgspec's does not.
    return msgspec.convert(json.loads(text), kind)
