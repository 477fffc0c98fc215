"""All schemes side by side, in one process: what each step costs, what travels, what protects."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from mdl.bench.cases import (
    CASES,
    FLOAT32,
    PRINTED,
    PRINTED_SECURE,
    Case,
    distinct,
    on_dropout,
    requirements,
    who_opens,
)
from mdl.bench.steps import Exchange, StepSeconds, float32_seconds, measure
from mdl.schemes.settings import Requirements
from mdl.schemes.threshold import ThresholdEncryption

_MICRO: Final = 1e6


@dataclass(frozen=True)
class Size:
    """What is exchanged: t parameters among n workers, active sets of m, opened by m; best of some runs."""

    parameters: int
    workers: int
    threshold: int
    runs: int


@dataclass(frozen=True)
class Row:
    """What was measured of one scheme.

    Attributes:
        name: of the case.
        block: parameters in a block.
        measured: parameters that were exchanged for this row, the filling of the last block not counted.
        encrypt: CPU µs a parameter, one member.
        share: likewise, one opener.
        manager: likewise, what the manager does to open.
        all_parties: likewise, m members, m openers (none where nobody answers) and the manager.
        first_call: CPU ms by which the first call of each step, one party each, exceeded the later ones: for
            tables and expanded keys, as far as no earlier row has built them in this process.
        up: bytes a parameter from a worker that is a member and answers.
        down: bytes a parameter to it: what it is shown of the others, and the new values as float32.
        security_bits: 0 if a person can break it, None where nothing is hidden.
        opens: who learns a sum.
        dropout: what follows if a member is lost after its upload was due.
    """

    name: str
    block: int
    measured: int
    encrypt: float
    share: float
    manager: float
    all_parties: float
    first_call: float
    up: float
    down: float
    security_bits: int | None
    opens: str
    dropout: str


@dataclass(frozen=True)
class Refused:
    """A scheme that does not go with so many workers, or so large an active set."""

    name: str
    reasons: Sequence[str]


@dataclass(frozen=True)
class Found:
    """The rows of one run, and how it was run.

    Attributes:
        size: what was exchanged.
        rows: what was measured.
        refused: what cannot be used.
        complete: False if it was broken off; what had been measured by then is here.
        same: for each name that is left out, the row that it would have equalled; see `cases.distinct`.
    """

    size: Size
    rows: Sequence[Row]
    refused: Sequence[Refused]
    complete: bool
    same: Mapping[str, str] = field(default_factory=dict)

    def faster(self, row: Row, than: str) -> float | None:
        """Give how many times cheaper a row is than the row of another name, all parties; None without it."""
        costs = {other.name: other.all_parties for other in self.rows}
        return costs[than] / row.all_parties if than in costs else None

    def to_json(self) -> dict[str, Any]:
        """Give what the file holds, but for the machine."""
        baselines = {"printed_256": PRINTED, "printed_3072": PRINTED_SECURE, "float32": FLOAT32}
        return {
            "unit": "CPU microseconds a parameter; bytes a parameter and worker; first_call: CPU ms",
            **asdict(self.size),
            "complete": self.complete,
            "rows": [
                asdict(row)
                | {f"times_faster_than_{name}": self.faster(row, than) for name, than in baselines.items()}
                for row in self.rows
            ],
            "refused": [asdict(each) for each in self.refused],
            "same": dict(self.same),
        }


def measure_all(names: Sequence[str], size: Size, begins: Callable[[str], None]) -> Found:
    """Measure the cases of these names, in the tables' order.

    Args:
        names: of `cases.NAMES`.
        size: what is exchanged.
        begins: told of each case before it is measured.

    Returns:
        The rows. A keyboard interrupt ends the run with those that there are.
    """
    cases, same = distinct([case for case in CASES if case.name in names], size.parameters)
    rows: list[Row] = []
    refused: list[Refused] = []
    complete = False
    try:
        for result in _results(cases, size, begins, floats=FLOAT32 in names):
            if isinstance(result, Row):
                rows.append(result)
            else:
                refused.append(result)
        complete = True
    except KeyboardInterrupt:
        pass
    return Found(size, rows, refused, complete, same)


def _results(
    cases: Sequence[Case], size: Size, begins: Callable[[str], None], *, floats: bool
) -> Iterator[Row | Refused]:
    for case in cases:
        begins(case.name)
        yield measure_case(case, size)
    if floats:
        begins(FLOAT32)
        yield _floats(size)


def measure_case(case: Case, size: Size) -> Row | Refused:
    """Measure one scheme, or say why it cannot be used."""
    parameters = case.parameters_of(size.parameters)
    wanted = requirements(case, parameters=parameters, workers=size.workers, threshold=size.threshold)
    settings = case.settings
    if problems := settings.problems(wanted):
        return Refused(case.name, problems)
    scheme = settings.build(wanted)
    exchange = Exchange(scheme, wanted, parameters, drawn=case.drawn)
    first, least = measure(exchange, size.runs)
    each = _MICRO / parameters
    up, down = _bytes(scheme, wanted, exchange.blocks)
    return Row(
        name=case.name,
        block=wanted.block,
        measured=parameters,
        encrypt=each * least.encrypt,
        share=each * least.share,
        manager=each * least.manager,
        all_parties=each * all_parties(wanted, scheme, least),
        first_call=1e3 * max(0.0, first.total - least.total),
        up=up / parameters,
        down=down / parameters,
        security_bits=settings.security_bits,
        opens=who_opens(settings, scheme, size.workers),
        dropout=on_dropout(scheme),
    )


def all_parties(wanted: Requirements, scheme: ThresholdEncryption, seconds: StepSeconds) -> float:
    """Give the CPU seconds of all members, all openers and the manager."""
    return wanted.members * seconds.encrypt + scheme.threshold * seconds.share + seconds.manager


def _bytes(scheme: ThresholdEncryption, wanted: Requirements, blocks: int) -> tuple[int, int]:
    """Give the bytes of all blocks up from, and down to, a member that answers if anybody does."""
    up = scheme.body_bytes + scheme.hint_bytes + scheme.share_bytes
    shown = scheme.shown_bytes * (wanted.members - 1) if scheme.threshold else 0
    return blocks * up, blocks * (shown + 4 * wanted.block)


def _floats(size: Size) -> Row:
    cost = _MICRO * float32_seconds(size.parameters, size.threshold, size.runs) / size.parameters
    return Row(
        name=FLOAT32,
        block=size.parameters,
        measured=size.parameters,
        encrypt=0.0,
        share=0.0,
        manager=cost,
        all_parties=cost,
        first_call=0.0,
        up=4.0,
        down=4.0,
        security_bits=None,
        opens="the manager reads all",
        dropout="nothing",
    )
