"""The steps of ``mdl reproduce``: run what is not done, check, draw, write the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mdl import folder as files
from mdl.errors import MdlError
from mdl.exits import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from mdl.reproduction import page
from mdl.reproduction.catalogue import FIGURES, QUICK_MINUTES
from mdl.reproduction.figure import Figure, Setting
from mdl.reproduction.results import Result, keep, read

LOCK: Final = "reproduction.lock"


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes:
        figures: in the paper's order.
        quick: small.
        out: where everything goes; each figure has a folder in it.
        data_dir: where named data sets lie, if known.
        jobs: runs at a time, or None.
        networks: of those that a figure runs in full, only these; empty for all.
    """

    figures: Sequence[Figure]
    quick: bool
    out: Path
    data_dir: Path | None
    jobs: int | None
    networks: Sequence[str] = ()


def reproduce(order: Order) -> int:
    """Run figures, print each one's checks, write the page of all that the folder holds.

    A figure that fails does not stop the others. Ctrl-C stops all; what was done is kept and not repeated.

    Returns:
        The exit code: 0 if every check of every figure holds.

    Raises:
        MdlError: the folder cannot be used.
    """
    try:
        order.out.mkdir(parents=True, exist_ok=True)
        with files.locked_by(order.out, LOCK):
            return _reproduce(order)
    except OSError as error:
        raise MdlError(f"cannot write into {order.out}: {error.strerror}") from None


def _reproduce(order: Order) -> int:
    console = Console(highlight=False)
    code = EXIT_OK
    try:
        for figure in order.figures:
            try:
                result = _one(figure, order)
            except MdlError as error:
                _tell(f"{figure.heading} failed: {error}")
                code = EXIT_FAILED
                continue
            console.print(verdicts(result))
            code = code if result.holds else EXIT_FAILED
    except KeyboardInterrupt:
        _tell("interrupted; the same command goes on from here")
        code = EXIT_INTERRUPTED
    done = [read(figure, order.out / figure.name, quick=order.quick) for figure in FIGURES.values()]
    if results := [result for result in done if result is not None]:
        for path in page.write(results, order.out):
            console.print(str(path), soft_wrap=True)
    return code


def _one(figure: Figure, order: Order) -> Result:
    folder = order.out / figure.name
    networks = [] if order.quick else [name for name in figure.networks if name in order.networks]
    if order.networks and figure.networks and not networks:
        raise MdlError(f"it runs {', '.join(figure.networks)}, and none of them is asked for")
    before = read(figure, folder, quick=order.quick)
    if before is not None and list(before.networks) == networks:
        _tell(f"{figure.heading}: was run on {before.machine['date']}; remove {folder} to run it again")
        return before
    _tell(f"{figure.heading}: {figure.quick if order.quick else figure.full}")
    folder.mkdir(exist_ok=True)
    setting = Setting(order.quick, folder, order.data_dir, order.jobs, _telling(figure), networks)
    return keep(figure, figure.run(setting), folder, quick=order.quick, networks=networks)


def _telling(figure: Figure) -> Callable[[str], None]:
    return lambda what: _tell(f"{figure.name}: {what} ...")


def _tell(what: str) -> None:
    Console(stderr=True).print(what, style="dim", markup=False, highlight=False, soft_wrap=True)


def verdicts(result: Result) -> Table:
    """Show what was expected of a figure, and what was found."""
    table = Table(title=Text(result.figure.heading), title_justify="left")
    for heading in ("expected", "found", ""):
        table.add_column(heading, overflow="fold")
    for check in result.checks:
        style = "green" if check.holds else "bold red"
        table.add_row(Text(check.expected), Text(check.found), Text(check.verdict, style=style))
    return table


def listing() -> Group:
    """Show what can be reproduced, a line a figure."""
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False)
    table.add_column("figure", no_wrap=True)
    table.add_column("what")
    table.add_column("--quick, minutes", justify="right", no_wrap=True)
    for figure in FIGURES.values():
        table.add_row(Text(figure.name), Text(figure.title), str(QUICK_MINUTES[figure.name]))
    said = (
        "Minutes are of two cores, rounded up. What a figure runs, also in full, and what the paper says of "
        "it: mdl reproduce FIGURE --list. What was found: docs/reproduction.md."
    )
    return Group(table, Text(), Text(said))


def details(figures: Sequence[Figure]) -> Group:
    """Show what the paper says of figures, and what of each is run."""
    return Group(*(Padding(_detail(figure), (0, 0, 1, 0)) for figure in figures))


def _detail(figure: Figure) -> Group:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row("the paper", Text(f"§{figure.section}: {figure.claim}"))
    table.add_row("--quick runs", Text(figure.quick))
    table.add_row("in full", Text(figure.full))
    if figure.networks:
        table.add_row("--network", Text(", ".join(figure.networks)))
    return Group(Text(f"{figure.name}: {figure.title}", style="bold"), table)
