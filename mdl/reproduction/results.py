"""What a figure leaves in its folder: data as JSON and CSV, its plot, and the verdicts."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from mdl import folder as files
from mdl.bench.machine import machine, sentence
from mdl.errors import MdlError
from mdl.report.drawing import Picture
from mdl.reproduction.figure import Check, Data, Figure, keep_json, read_json

DATA: Final = "data.json"


@dataclass(frozen=True)
class Result:
    """A figure that was run.

    Attributes:
        figure: which.
        quick: whether it was run so.
        data: what was found.
        machine: where and when, see `mdl.bench.machine`.
        networks: of those that the figure runs in full, only these; empty for all.
        checks: the expected shape, and whether it shows.
        picture: the plot.
    """

    figure: Figure
    quick: bool
    data: Data
    machine: Mapping[str, Any]
    networks: Sequence[str]
    checks: Sequence[Check]
    picture: Picture

    @property
    def holds(self) -> bool:
        """Whether everything expected shows."""
        return all(check.holds for check in self.checks)

    @property
    def provenance(self) -> str:
        """Where, when and how it was measured, in a line."""
        return provenance(self.data, self.machine, quick=self.quick)


def provenance(data: Data, where: Mapping[str, Any], *, quick: bool) -> str:
    """Say in a line how, on what and when something was measured."""
    clock = {
        "measured": "measured",
        "simulated": "simulated: virtual clock, costs measured",
        "computed": "no times",
    }[data.clock]
    return f"{clock} · {where['processor']}, {where['cores']} cores · {where['date']} · {_extent(quick)}"


def _extent(quick: bool) -> str:
    return "quick" if quick else "full"


def keep(figure: Figure, data: Data, folder: Path, *, quick: bool, networks: Sequence[str] = ()) -> Result:
    """Write down what a figure's run gave, here and now."""
    how = {"figure": figure.name, "quick": quick, "networks": list(networks), "machine": machine()}
    keep_json(folder / DATA, {**how, **asdict(data)})
    result = read(figure, folder, quick=quick)
    assert result is not None
    try:
        _write(result, folder)
    except OSError as error:
        raise MdlError(f"cannot write into {folder}: {error.strerror}") from None
    return result


def read(figure: Figure, folder: Path, *, quick: bool) -> Result | None:
    """Give a figure that was run to its end before; None if it was not, or otherwise."""
    found = read_json(folder / DATA)
    if found is None or found.get("quick") is not quick:
        return None
    data = Data(found["rows"], found["facts"], found["clock"])
    where = found["machine"]
    picture = figure.draw(data, provenance(data, where, quick=quick))
    networks = found.get("networks", [])
    return Result(figure, quick, data, where, networks, figure.checks(data), picture)


def _write(result: Result, folder: Path) -> None:
    files.write_atomically(folder / "data.csv", _csv(result).encode())
    files.write_atomically(folder / f"{result.picture.name}.png", result.picture.png)
    lines = [asdict(check) for check in result.checks]
    files.write_json(folder / "checks.json", {"machine": sentence(result.machine), "checks": lines})


def _csv(result: Result) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(result.data.rows[0]))
    writer.writeheader()
    writer.writerows(result.data.rows)
    return buffer.getvalue()
