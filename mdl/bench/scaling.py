"""How the cost of ``rlwe`` grows, with the number of workers and with that of parameters."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from mdl.bench.cases import Case, requirements
from mdl.bench.schemes import Size
from mdl.bench.steps import Exchange, manager_peak_bytes, measure

BLOCK: Final = 16_384
"""Parameters in a block: with the model in one, what a block costs would not show."""

KEYS: Final = ("shamir", "prss")
"""The two ways to share the short keys, of which each is measured where it can be used."""

WORKERS: Final = (4, 8, 12, 16, 24, 32)
"""n; m is half of it."""

PARAMETERS: Final = tuple(1_000_000 >> halvings for halvings in reversed(range(7)))
"""t, up to a million."""


@dataclass(frozen=True)
class Point:
    """One exchange.

    Attributes:
        keys: how short keys are shared; a name of `KEYS`.
        workers: n.
        threshold: m, the size of the active set and the number of openers.
        parameters: t.
        encrypt: CPU ms of one member.
        share: CPU ms of one opener.
        manager: CPU ms of the manager.
        up: bytes from a worker that is a member and answers.
        peak: bytes that the manager holds at most.
    """

    keys: str
    workers: int
    threshold: int
    parameters: int
    encrypt: float
    share: float
    manager: float
    up: int
    peak: int

    @property
    def worker(self) -> float:
        """CPU ms of a worker that is a member and answers."""
        return self.encrypt + self.share


@dataclass(frozen=True)
class Growth:
    """Points along two axes.

    Attributes:
        size: what stays the same along the other axis.
        by_workers: n changes, m = n/2, t stays.
        by_parameters: t changes, n and m stay.
        largest: the most workers with the most parameters; empty if it was broken off before.
    """

    size: Size
    by_workers: Sequence[Point]
    by_parameters: Sequence[Point]
    largest: Sequence[Point]

    @property
    def complete(self) -> bool:
        """Whether it was not broken off."""
        return bool(self.largest)

    def to_json(self) -> Mapping[str, Any]:
        """Give what the file holds, but for the machine."""
        return {"unit": "CPU milliseconds and bytes an exchange", "block": BLOCK, **asdict(self)}


def measure_growth(size: Size, begins: Callable[[str], None]) -> Growth:
    """Measure the points one by one; a keyboard interrupt ends it with those that there are."""
    growth: dict[str, list[Point]] = {"by_workers": [], "by_parameters": [], "largest": []}
    try:
        for axis, at in _plan(size):
            for keys in KEYS:
                begins(f"n = {at.workers}, m = {at.threshold}, {at.parameters:,} parameters, keys = {keys}")
                growth[axis] += _measured(keys, at)
    except KeyboardInterrupt:
        pass
    return Growth(size, **growth)


def _plan(size: Size) -> Iterator[tuple[str, Size]]:
    for workers in WORKERS:
        yield "by_workers", Size(size.parameters, workers, workers // 2, size.runs)
    for parameters in PARAMETERS:
        yield "by_parameters", Size(parameters, size.workers, size.threshold, size.runs)
    yield "largest", Size(PARAMETERS[-1], WORKERS[-1], WORKERS[-1] // 2, size.runs)


def _measured(keys: str, size: Size) -> Sequence[Point]:
    """Measure one exchange; nothing if keys cannot be shared so."""
    case = Case(f"rlwe, {keys}", {"type": "rlwe", "keys": keys}, BLOCK)
    wanted = requirements(case, parameters=size.parameters, workers=size.workers, threshold=size.threshold)
    if case.settings.problems(wanted):
        return []
    scheme = case.settings.build(wanted)
    exchange = Exchange(scheme, wanted, size.parameters)
    _, least = measure(exchange, size.runs)
    return [
        Point(
            keys=keys,
            workers=size.workers,
            threshold=size.threshold,
            parameters=size.parameters,
            encrypt=1e3 * least.encrypt,
            share=1e3 * least.share,
            manager=1e3 * least.manager,
            up=exchange.blocks * (scheme.body_bytes + scheme.hint_bytes + scheme.share_bytes),
            peak=manager_peak_bytes(exchange),
        )
    ]
