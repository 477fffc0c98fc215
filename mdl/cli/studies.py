"""`mdl sweep`: many runs."""

from pathlib import Path
from typing import Annotated

import typer

from mdl.cli.options import File, Overrides, Quiet
from mdl.cli.shared import data_dir, refuse_file, tell
from mdl.errors import ConfigError


def sweep(
    file: File,
    grid: Annotated[
        list[str],
        typer.Option(
            "--grid",
            metavar="KEY=A,B,...",
            help="Run every combination of such values, e.g. seed=1,2,3. May be repeated.",
        ),
    ],
    overrides: Overrides = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", callback=refuse_file, help="Where study folders are made.")
    ] = Path("studies"),
    study: Annotated[
        str | None, typer.Option(metavar="NAME", help="The study's folder; by default the file's name.")
    ] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Simulate each point, as mdl simulate does.")
    ] = False,
    schedule: Annotated[int, typer.Option(help="With --simulate: as in mdl simulate.")] = 0,
    latency: Annotated[
        float, typer.Option(metavar="MS", help="With --simulate: of every link, in milliseconds.", min=0)
    ] = 1.0,
    bandwidth: Annotated[
        float, typer.Option(metavar="MBIT", help="With --simulate: of every link; 0: no limit.", min=0)
    ] = 0.0,
    training_seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="With --simulate: let a local epoch take so long; else computing is measured, and points "
            "that run at the same time slow each other down (--jobs 1).",
            min=0,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            metavar="N",
            help="Points at a time; by default as many as cores if simulated, else one.",
            min=1,
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Run anew what completed under other settings of the file.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and list the points; run nothing.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Run a study: one experiment with every combination of some values, a run folder each, and compare them.

    Values are read as --set reads them. What is done is not repeated: the same command goes on after Ctrl-C
    or a crash, and more values only add points. The study's folder gets a page, plots and comparison.csv.

    Exit code 1: a point failed; the others went on.

    [dim]Examples:[/dim]
      mdl sweep configs/quickstart.toml --simulate --grid epochs=10,20 --grid seed=1,2,3
      mdl sweep configs/quickstart.toml --grid system.visibility=0.5,0.75 --dry-run
    """
    from mdl.studies import command
    from mdl.studies.grid import parse_axes
    from mdl.studies.modes import Real, Simulated

    if not simulate and (schedule, latency, bandwidth, training_seconds) != (0, 1.0, 0.0, None):
        options = "--schedule, --latency, --bandwidth and --training-seconds"
        raise ConfigError([f"{options} are of simulations: add --simulate"], "mdl sweep")
    folder = out / (study or file.stem)
    refuse_file(folder)
    modelled = Simulated(latency / 1000, bandwidth * 125_000 or None, schedule, training_seconds)
    asked = command.Sweep(
        file=file,
        overrides=overrides or [],
        axes=parse_axes(grid),
        folder=folder,
        mode=modelled if simulate else Real(),
        jobs=jobs,
        data_dir=data_dir(),
    )
    if dry_run:
        command.plan(asked, tell, replace=replace)
        return
    raise typer.Exit(command.perform(asked, tell, replace=replace, quiet=quiet))
