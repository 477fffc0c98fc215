"""The steps of ``mdl bench``: measure, show, keep."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from mdl.bench import cases, exchange, plots, scaling, schemes, sheets
from mdl.bench.files import write
from mdl.bench.schemes import Refused, Size
from mdl.bench.tables import Sheet
from mdl.errors import ConfigError, MdlError
from mdl.report.drawing import Picture

_WIDTH = 180
"""Columns that the widest table takes; where nobody reads along, it has them."""


def bench_schemes(only: Sequence[str], size: Size, out: Path | None) -> bool:
    """Measure schemes side by side; say whether all was measured.

    Raises:
        ConfigError: there is no such scheme, or no such threshold.
        SchemeError: an exchange opened wrong sums.
        MdlError: no scheme can be used at this size, or the folder cannot be written.
    """
    command = "mdl bench schemes"
    _check(size, command)
    names = cases.chosen(only, command)
    found = schemes.measure_all(names, size, _tell)
    if found.complete and not found.rows:
        raise _nothing_measured(found.refused, size)
    pictures = [plots.of_schemes(found)] if out and found.rows else []
    _show("schemes", found.to_json(), sheets.of_schemes(found), pictures, out)
    return found.complete


def bench_scaling(size: Size, out: Path | None) -> bool:
    """Measure how the default scheme's cost grows; see `bench_schemes`."""
    _check(size, "mdl bench schemes")
    growth = scaling.measure_growth(size, _tell)
    pictures = [plots.of_growth(growth)] if out and growth.complete else []
    _show("scaling", growth.to_json(), sheets.of_growth(growth), pictures, out)
    return growth.complete


def bench_exchange(only: Sequence[str], size: Size, out: Path | None) -> bool:
    """Measure epochs with real processes; see `bench_schemes`."""
    command = "mdl bench exchange"
    _check(size, command)
    names = cases.chosen(only, command, exchange.NAMES) if only else exchange.FAST
    measured = exchange.measure_exchanges(names, size, _tell)
    if measured.complete and not measured.lines:
        raise _nothing_measured(measured.refused, size)
    _show("exchange", measured.to_json(), sheets.of_exchange(measured), [], out)
    return measured.complete


def _check(size: Size, source: str) -> None:
    if size.threshold > size.workers:
        raise ConfigError([f"--threshold: m = {size.threshold} of {size.workers} is never reached"], source)


def _nothing_measured(refused: Sequence[Refused], size: Size) -> MdlError:
    reasons = [f"  {each.name}: {'; '.join(each.reasons)}" for each in refused]
    return MdlError("\n".join([f"nothing was measured; not possible with {sheets.setting(size)}:", *reasons]))


def _tell(what: str) -> None:
    """Say what is being measured. Nothing moves on the screen meanwhile: that would take part of the time."""
    Console(stderr=True).print(f"measuring {what} ...", style="dim", markup=False, highlight=False)


def _show(
    name: str,
    figures: Mapping[str, Any],
    shown: Sequence[Sheet[Any]],
    pictures: Sequence[Picture],
    out: Path | None,
) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    for sheet in shown:
        console.print(sheet.rich(console.width))
    if out is not None:
        for path in write(out, name, figures, shown, pictures):
            console.print(str(path), soft_wrap=True)
