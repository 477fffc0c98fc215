"""`mdl reproduce`: the paper's figures."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mdl.cli.shared import data_dir, refuse_file, use_one_thread
from mdl.errors import ConfigError


def reproduce(
    figures: Annotated[
        list[str] | None, typer.Argument(metavar="FIGURE|all", help="Figures of the paper; see --list.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small runs that show the same shapes: minutes, not days.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            callback=refuse_file,
            help="Where everything goes; by default reproduction/quick or reproduction/full.",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", help="Runs at a time; by default as suits this machine.", min=1)
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="In full, only these of a figure's networks: mlp-mnist, cnn-mnist, mlp-svhn, cnn-svhn. "
            "May be repeated.",
        ),
    ] = None,
    list_figures: Annotated[
        bool, typer.Option("--list", help="Say what there is; of the figures named, what each runs.")
    ] = False,
) -> None:
    """Run the paper's experiments again: data, plots, and whether the expected shapes show.

    Each figure leaves its data (JSON, CSV), its plot and its checks in a folder of its own, and all together
    a page, reproduction.html. What was run is not run again: after Ctrl-C the same command goes on.

    Figures of time are of this machine: its operations are measured at the start.

    Exit code 1: an expected shape does not show.

    [dim]Examples:[/dim]
      mdl reproduce --list
      mdl reproduce 6 --list
      mdl reproduce 5a 9 --quick
      mdl reproduce 6 7a --network mlp-mnist
      MDL_DATA=... mdl reproduce all --quick
    """
    use_one_thread()
    from mdl.reproduction import catalogue, command

    if list_figures:
        said = command.details(catalogue.chosen(figures)) if figures else command.listing()
        Console(highlight=False).print(said)
        return
    if not figures:
        raise ConfigError([f"name a figure, or all: {', '.join(catalogue.FIGURES)}"], "mdl reproduce")
    if quick and network:
        raise ConfigError(["--network is for full runs; --quick has one network"], "mdl reproduce")
    networks = catalogue.chosen_networks(network or [])
    place = out or Path("reproduction") / ("quick" if quick else "full")
    refuse_file(place)
    order = command.Order(catalogue.chosen(figures), quick, place, data_dir(), jobs, networks)
    raise typer.Exit(command.reproduce(order))
