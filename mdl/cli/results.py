"""`mdl report`, `mdl list`: what runs left, and what an experiment file can name."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mdl.cli.shared import draw_report, refuse_file


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Folders of runs, or of studies, which stand for their runs."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", callback=refuse_file, help="Where to write; by default the first run's folder."
        ),
    ] = None,
) -> None:
    """Draw tables and plots of one or several runs: one self-contained HTML page, and a PNG of each plot.

    Several runs also give comparison.csv and comparison.json. More than six, or repetitions of one setting
    with other seeds, are compared as a study: means over seeds, accuracy against what varies and its price.

    [dim]Examples:[/dim]
      mdl report runs/*-quickstart runs/*-mnist-mlp --out comparison
      mdl report studies/quickstart
    """
    target = out or runs[0]
    for path in draw_report(runs, target):
        typer.echo(path)


def list_(
    what: Annotated[str, typer.Argument(metavar="systems|schemes|datasets|models", help="What to list.")],
) -> None:
    """List what an experiment file can name.

    [dim]Example:[/dim]
      mdl list schemes
    """
    from mdl.tables import listing

    Console(highlight=False).print(listing(what))
