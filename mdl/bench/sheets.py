"""What is shown of each benchmark: its tables, and what is to be known to read them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mdl.bench.cases import FLOAT32, PRINTED, PRINTED_SECURE
from mdl.bench.exchange import EPOCHS, Line, Measured
from mdl.bench.scaling import Growth, Point
from mdl.bench.schemes import Found, Refused, Row, Size
from mdl.bench.tables import Column, Sheet, figure

_BROKEN_OFF: Final = "Broken off: something is missing."
_MIB: Final = 1 << 20


def of_schemes(found: Found) -> Sequence[Sheet[Any]]:
    """Give the costs, the guarantees, and what was refused."""
    ratios = {
        PRINTED: Column("printed 256 ÷ this", _faster(found, PRINTED)),
        PRINTED_SECURE: Column("printed 3072 ÷ this", _faster(found, PRINTED_SECURE)),
        FLOAT32: Column[Row]("this ÷ float32", lambda row: figure(_inverse(found.faster(row, FLOAT32)))),
    }
    there = {row.name for row in found.rows}
    costs = Sheet[Row](
        f"CPU µs a parameter: {setting(found.size)}",
        [
            Column("scheme", lambda row: row.name, words=True),
            Column("block", lambda row: f"{row.block:,}"),
            Column("measured", lambda row: f"{row.measured:,}"),
            Column("encrypt", lambda row: figure(row.encrypt)),
            Column("share", lambda row: figure(row.share)),
            Column("manager", lambda row: figure(row.manager)),
            Column("all parties", lambda row: figure(row.all_parties)),
            *(column for name, column in ratios.items() if name in there),
            Column("first call, ms", lambda row: figure(row.first_call)),
        ],
        found.rows,
        [
            _reading(found.size.threshold),
            _ratios([name for name in ratios if name not in there]),
            *_left_out(found.same),
            *_missing(found.complete),
        ],
    )
    protection = Sheet[Row](
        "Traffic and protection",
        [
            Column("scheme", lambda row: row.name, words=True),
            Column("bytes up", lambda row: figure(row.up)),
            Column("bytes down", lambda row: figure(row.down)),
            Column("security bits", lambda row: "–" if row.security_bits is None else str(row.security_bits)),
            Column("opened by", lambda row: row.opens, words=True),
            Column("when a member is lost", lambda row: row.dropout, words=True),
        ],
        found.rows,
        [
            "Bytes are a parameter's, of a worker that is a member and answers: ciphertext, hint and share "
            "up, the others' hints and the new values (float32) down."
        ],
    )
    return [costs, protection, *_refused(found.refused, found.size)]


def of_exchange(measured: Measured) -> Sequence[Sheet[Any]]:
    """Give the cost of an epoch with each scheme, and what was refused."""
    size = measured.size
    lines = Sheet[Line](
        f"One epoch, real processes: {setting(size)}",
        [
            Column("scheme", lambda line: line.name, words=True),
            Column("wall s", lambda line: figure(line.typical.wall)),
            Column("× plain", lambda line: figure(measured.ratio(line, lambda epoch: epoch.wall))),
            Column("CPU s, all", lambda line: figure(line.typical.cpu)),
            Column("× plain", lambda line: figure(measured.ratio(line, lambda epoch: epoch.cpu))),
            Column("manager", lambda line: figure(line.typical.manager_cpu)),
            Column("mean worker", lambda line: figure(line.typical.worker_cpu)),
            Column("bytes up", lambda line: f"{line.typical.up:,.0f}"),
            Column("bytes down", lambda line: f"{line.typical.down:,.0f}"),
            Column("peak MiB, manager", lambda line: f"{line.typical.manager_peak / _MIB:,.0f}"),
            Column("worker", lambda line: f"{line.typical.worker_peak / _MIB:,.0f}"),
        ],
        measured.lines,
        [
            f"{_runs(size.runs)} {EPOCHS} epochs after the first. The network trains in no time: what is "
            "left is the exchange and the machinery around it. Ratios are to the plain run with the same "
            "blocks; its model is the same, weight for weight. Bytes are the mean worker's. Peaks are "
            "resident sets; some 200 MiB of each are libraries that all share.",
            *_left_out(measured.same),
            *_missing(measured.complete),
        ],
    )
    return [lines, *_refused(measured.refused, size)]


def of_growth(growth: Growth) -> Sequence[Sheet[Any]]:
    """Give the costs against n, against t, and of the largest exchange."""
    size = growth.size
    note = "A worker is a member and answers. The peak is what the manager holds of one exchange, at most."
    return [
        _points(f"rlwe against n, m = n/2, {_counted(size.parameters, 'parameter')}", growth.by_workers, []),
        _points(f"rlwe against t, n = {size.workers}, m = {size.threshold}", growth.by_parameters, []),
        _points("rlwe, the largest", growth.largest, [note, *_missing(growth.complete)]),
    ]


def _points(title: str, points: Sequence[Point], notes: Sequence[str]) -> Sheet[Point]:
    return Sheet(
        title,
        [
            Column("keys", lambda point: point.keys, words=True),
            Column("n", lambda point: str(point.workers)),
            Column("m", lambda point: str(point.threshold)),
            Column("parameters", lambda point: f"{point.parameters:,}"),
            Column("encrypt, ms", lambda point: figure(point.encrypt)),
            Column("share, ms", lambda point: figure(point.share)),
            Column("worker, ms", lambda point: figure(point.worker)),
            Column("manager, ms", lambda point: figure(point.manager)),
            Column("bytes up a parameter", lambda point: figure(point.up / point.parameters)),
            Column("manager's peak, MiB", lambda point: figure(point.peak / _MIB)),
        ],
        points,
        notes,
    )


def _refused(refused: Sequence[Refused], size: Size) -> Sequence[Sheet[Any]]:
    columns = [
        Column[Refused]("scheme", lambda each: each.name, words=True),
        Column("because", lambda each: "; ".join(each.reasons), words=True),
    ]
    return [Sheet(f"Not possible with {setting(size)}", columns, refused)] if refused else []


def setting(size: Size) -> str:
    """Say what is exchanged, in a few words."""
    return f"n = {size.workers}, m = {size.threshold}, {_counted(size.parameters, 'parameter')}"


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _runs(runs: int) -> str:
    return "One run, the mean of" if runs == 1 else f"Medians of {runs} interleaved runs, each the mean of"


def _missing(complete: bool) -> Sequence[str]:
    return [] if complete else [_BROKEN_OFF]


def _ratios(missing: Sequence[str]) -> str:
    rows = " ".join(f"--only {name}" for name in missing)
    need = f"; those that are not here need the rows {rows}" if missing else ""
    return (
        "Ratios are of all parties, to the printed exponentiations at 256 bits and at 3072, and to a sum of "
        f"float32{need}."
    )


def _left_out(same: Mapping[str, str]) -> Sequence[str]:
    rows = ", ".join(f"{name} (as {other})" for name, other in same.items())
    return [f"Left out, as the whole model is one block: {rows}."] if same else []


def _reading(members: int) -> str:
    parties = f"{_counted(members, 'member')}, {_counted(members, 'opener')}"
    return (
        f"Encrypt is one member's work, share one opener's; all parties are {parties} (none where nobody "
        "answers) and the manager. Best of the runs, tables and expanded keys in place; the first call is "
        "what these took, as far as no row above had built them. Slow schemes are measured on fewer "
        "parameters. Every exchange opened the exact sums."
    )


def _faster(found: Found, than: str) -> Callable[[Row], str]:
    return lambda row: figure(found.faster(row, than))


def _inverse(value: float | None) -> float | None:
    return None if value is None else 1 / value
