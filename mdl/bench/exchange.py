"""Epochs of ∝MDL^c end to end: real processes and links, and a network that trains in no time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Any, Final

from mdl.bench.cases import CASES, PLAIN, Case, distinct
from mdl.bench.processes import Reading, parties
from mdl.bench.schemes import Refused, Size
from mdl.config import Experiment, parse
from mdl.errors import ConfigError, MdlError, SchemeError
from mdl.folder import locked
from mdl.launcher import launch
from mdl.party import MANAGER, PartyId

RUNNABLE: Final = tuple(case for case in CASES if not case.drawn)
"""Cases of a scheme and a block size. How sets come about is the system's to say here."""

NAMES: Final = tuple(case.name for case in RUNNABLE)

FAST: Final = ("prss", "rlwe-16k", "rlwe-32k", "rlwe", "pairwise")
"""Measured unless others are asked for, which take longer."""

EPOCHS: Final = 5
"""Measured in each run, after one in which tables are built, and before one in which processes may end."""

_FIRST, _LAST = 1, 1 + EPOCHS
"""The epochs at whose ends the clocks are read."""


@dataclass(frozen=True)
class Epoch:
    """One epoch, in the mean of those measured.

    Attributes:
        wall: seconds from its end to the next one's.
        cpu: seconds of all parties.
        manager_cpu: of the manager and its pool.
        worker_cpu: of the mean worker.
        up: bytes that the mean worker sends, framing included.
        down: bytes that the manager sends to the mean worker.
        manager_peak: bytes that the manager's processes had resident at most, from the run's start on, the
            libraries included.
        worker_peak: likewise, the mean worker's.
    """

    wall: float
    cpu: float
    manager_cpu: float
    worker_cpu: float
    up: float
    down: float
    manager_peak: float
    worker_peak: float


@dataclass(frozen=True)
class Line:
    """A scheme's epochs.

    Attributes:
        name: of the case.
        block: parameters in a block.
        epochs: of each run.
        weights: the global model's fingerprint after every run.
    """

    name: str
    block: int
    epochs: Sequence[Epoch]
    weights: str

    @property
    def typical(self) -> Epoch:
        """The median of the runs, figure by figure."""
        return Epoch(
            **{
                each.name: median(getattr(epoch, each.name) for epoch in self.epochs)
                for each in fields(Epoch)
            }
        )


@dataclass(frozen=True)
class Measured:
    """The lines of one benchmark; see `schemes.Found`."""

    size: Size
    lines: Sequence[Line]
    refused: Sequence[Refused]
    complete: bool
    same: Mapping[str, str] = field(default_factory=dict)

    def ratio(self, line: Line, of: Callable[[Epoch], float]) -> float | None:
        """Give a figure as a multiple of the oracle's with the same blocks, if that was measured."""
        for other in self.lines:
            if other.name == oracle(line.block).name:
                return of(line.typical) / of(other.typical)
        return None

    def to_json(self) -> dict[str, Any]:
        """Give what the file holds, but for the machine."""
        return {
            "unit": "seconds and bytes an epoch",
            **asdict(self.size),
            "epochs": EPOCHS,
            "complete": self.complete,
            "rows": [
                {
                    "name": line.name,
                    "block": line.block,
                    **asdict(line.typical),
                    "wall_times_plain": self.ratio(line, lambda epoch: epoch.wall),
                    "cpu_times_plain": self.ratio(line, lambda epoch: epoch.cpu),
                    "weights": line.weights,
                    "runs": [asdict(epoch) for epoch in line.epochs],
                }
                for line in self.lines
            ],
            "refused": [asdict(each) for each in self.refused],
            "same": dict(self.same),
        }


def measure_exchanges(names: Sequence[str], size: Size, begins: Callable[[str], None]) -> Measured:
    """Run every scheme once, then again, and so on: what else the machine does then hits all alike.

    The oracle is run for every block size at which something can be run.

    Args:
        names: of `NAMES`.
        size: what is exchanged.
        begins: told of each run before it is launched.

    Returns:
        The lines. A keyboard interrupt ends it with the runs that there are.

    Raises:
        MdlError: a run failed.
        SchemeError: schemes gave different models at the same block size.
    """
    cases, same = distinct([case for case in RUNNABLE if case.name in names], size.parameters)
    possible, refused = _possible(cases, size)
    experiments = {case.name: experiment(case, size) for case in _with_oracles(possible, size.parameters)}
    lines: dict[str, Line] = {}
    complete = False
    try:
        for run in range(1, size.runs + 1):
            for name, planned in experiments.items():
                begins(f"{name}, run {run} of {size.runs}")
                lines[name] = _one_more(lines.get(name), name, planned)
                _check(lines)
        complete = True
    except KeyboardInterrupt:
        pass
    return Measured(size, list(lines.values()), refused, complete, same)


def _possible(cases: Sequence[Case], size: Size) -> tuple[Sequence[Case], Sequence[Refused]]:
    possible, refused = [], []
    for case in cases:
        try:
            experiment(case, size)
            possible.append(case)
        except ConfigError as error:
            # The scheme's own reasons, as `schemes` tells them: nobody wrote the place in a file.
            reasons = [problem.removeprefix("system.scheme: ") for problem in error.problems]
            refused.append(Refused(case.name, reasons))
    return possible, refused


def oracle(block: int) -> Case:
    """Give the case without cryptography for a block size."""
    return Case(f"plain, block {block:,}", PLAIN, block)


def _with_oracles(cases: Sequence[Case], parameters: int) -> Iterator[Case]:
    for block in sorted({case.block_of(parameters) for case in cases}):
        yield oracle(block)
        yield from (case for case in cases if case.block_of(parameters) == block and case.table != PLAIN)


def experiment(case: Case, size: Size) -> Experiment:
    """Make the experiment that is run for a case.

    Raises:
        ConfigError: it cannot be.
    """
    return parse(
        {
            "name": "exchange",
            "workers": size.workers,
            "epochs": _LAST + 1,
            "system": {
                "type": "coordinated",
                "threshold": size.threshold,
                "block": case.block_of(size.parameters),
                "insecure": True,  # the baselines are
                "timeout_seconds": 3600.0,
                "scheme": dict(case.table),
            },
            "learning": {
                "dataset": "digits",
                "model": f"mdl.bench.models:vector_{size.parameters}",
                "batch": 1,
                "local_steps": 1,
                "test_limit": 1,
                # So small that the only score hardly moves, and with it the gradient.
                "learning_rate": 1e-3 / size.parameters,
            },
        },
        f"mdl bench exchange, {case.name}",
    )


@dataclass
class Meter:
    """Shown the events of a run; reads the clocks when the epochs that are measured begin and end."""

    walls: list[float] = field(default_factory=list)
    readings: list[Mapping[PartyId, Reading]] = field(default_factory=list)
    sent: dict[PartyId, int] = field(default_factory=dict)

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take in an event."""
        match event["kind"]:
            case "epoch" if event["epoch"] in (_FIRST, _LAST):
                self.walls.append(event["seconds"])
                self.readings.append(parties())
            case "ledger" if _FIRST < event["entry"]["epoch"] <= _LAST:
                party, sent = event["entry"]["party"], event["entry"]["sent"]
                size_bytes = sum(traffic["size_bytes"] for traffic in sent.values())
                self.sent[party] = self.sent.get(party, 0) + size_bytes

    def epoch(self) -> Epoch:
        """Give the mean epoch."""
        before, after = self.readings
        cpu = {party: (after[party].cpu_seconds - before[party].cpu_seconds) / EPOCHS for party in after}
        workers = [party for party in after if party != MANAGER]
        return Epoch(
            wall=(self.walls[1] - self.walls[0]) / EPOCHS,
            cpu=sum(cpu.values()),
            manager_cpu=cpu[MANAGER],
            worker_cpu=fmean(cpu[worker] for worker in workers),
            up=fmean(self.sent[worker] for worker in workers) / EPOCHS,
            down=self.sent[MANAGER] / len(workers) / EPOCHS,
            manager_peak=after[MANAGER].peak_bytes,
            worker_peak=fmean(after[worker].peak_bytes for worker in workers),
        )


def _one_more(line: Line | None, name: str, planned: Experiment) -> Line:
    meter = Meter()
    with TemporaryDirectory(prefix="mdl-bench-") as place, locked(Path(place)) as run:
        summary = launch(planned, run, data_dir=None, watch=meter)
    if summary["status"] == "interrupted":
        raise KeyboardInterrupt
    if summary["status"] != "completed":
        raise MdlError(f"{name}: {summary['reason']}")
    earlier = line.epochs if line else []
    block = getattr(planned.system, "block", 1)
    return Line(name, block, [*earlier, meter.epoch()], summary["weights"]["global"])


def _check(lines: Mapping[str, Line]) -> None:
    """With the same blocks the sets are the same, and so must be the model."""
    for line in lines.values():
        clear = lines[oracle(line.block).name]
        if line.weights != clear.weights:
            raise SchemeError(f"{line.name} gave another model than {clear.name}")
