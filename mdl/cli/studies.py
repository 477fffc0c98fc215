"""`mdl sweep`, `mdl compare`: many runs, a folder each, and what they come to side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mdl.cli.options import File, Overrides, Quiet, Seed
from mdl.cli.shared import data_dir, refuse_file, tell
from mdl.errors import ConfigError

if TYPE_CHECKING:
    from mdl.studies.modes import Mode
    from mdl.studies.sources import Source


def _a_name(study: str | None) -> str | None:
    """Refuse what would lead out of the folder of studies, or deeper into it."""
    if study is not None and (study in ("", ".", "..") or "/" in study or "\0" in study):
        raise ConfigError([f"{study!r} is no name of a folder: --out says where it is made"], "--study")
    return study


StudyOut = Annotated[
    Path, typer.Option(metavar="DIR", callback=refuse_file, help="Where study folders are made.")
]
Simulate = Annotated[bool, typer.Option("--simulate", help="Simulate each point, as mdl simulate does.")]
Schedule = Annotated[int, typer.Option(help="With --simulate: as in mdl simulate.")]
Latency = Annotated[
    float, typer.Option(metavar="MS", help="With --simulate: of every link, in milliseconds.", min=0)
]
Bandwidth = Annotated[
    float, typer.Option(metavar="MBIT", help="With --simulate: of every link; 0: no limit.", min=0)
]
TrainingSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="With --simulate: let a local epoch take so long; else computing is measured, and points "
        "that run at the same time slow each other down (--jobs 1).",
        min=0,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        help="Points at a time; by default as many as cores if simulated, else one.",
        min=1,
    ),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Run anew what completed under other settings of the file.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and list the points; run nothing.")]


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
    out: StudyOut = Path("studies"),
    study: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", callback=_a_name, help="The study's folder; by default the file's name."
        ),
    ] = None,
    simulate: Simulate = False,
    schedule: Schedule = 0,
    latency: Latency = 1.0,
    bandwidth: Bandwidth = 0.0,
    training_seconds: TrainingSeconds = None,
    jobs: Jobs = None,
    replace: Replace = False,
    dry_run: DryRun = False,
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
    from mdl.studies.grid import Grid, parse_axes

    mode = _mode("mdl sweep", simulate, schedule, latency, bandwidth, training_seconds)
    source = Grid(file, overrides or [], parse_axes(grid))
    _study(source, out / (study or file.stem), mode, jobs, replace=replace, dry_run=dry_run, quiet=quiet)


def compare(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Experiment files (TOML), two or more.")
    ],
    overrides: Overrides = None,
    seed: Seed = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...", help="Run each experiment with each of these seeds; figures are then means."
        ),
    ] = None,
    out: StudyOut = Path("studies"),
    study: Annotated[
        str, typer.Option(metavar="NAME", callback=_a_name, help="The study's folder.")
    ] = "comparison",
    simulate: Simulate = False,
    schedule: Schedule = 0,
    latency: Latency = 1.0,
    bandwidth: Bandwidth = 0.0,
    training_seconds: TrainingSeconds = None,
    jobs: Jobs = None,
    replace: Replace = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Run several experiments on the same data, one after another, and set them side by side.

    The files must agree on the data, its split, the model, the number of workers and the seed; --set changes
    a key in all of them. How they train may differ, and is told. The study's folder gets a page, plots,
    comparison.md (a table for documents) and comparison.csv: accuracy, time, bytes, who learns what, and what
    a lost worker does. What is done is not repeated: the same command goes on after Ctrl-C or a crash.

    Exit code 1: an experiment failed; the others went on.

    [dim]Examples:[/dim]
      mdl compare configs/fedavg.toml configs/ssddl.toml configs/dmhe-ring.toml
      mdl compare configs/fedavg.toml configs/quickstart.toml --seeds 1,2,3 --simulate
    """
    from mdl.studies.several import Several, parse_seeds

    mode = _mode("mdl compare", simulate, schedule, latency, bandwidth, training_seconds)
    if seeds is not None and seed is not None:
        raise ConfigError(["give --seed or --seeds, not both"], "mdl compare")
    own = [f"seed={seed}"] if seed is not None else []
    source = Several(files, [*(overrides or []), *own], parse_seeds(seeds) if seeds is not None else [])
    _study(source, out / study, mode, jobs, replace=replace, dry_run=dry_run, quiet=quiet)


def _mode(
    command: str,
    simulate: bool,
    schedule: int,
    latency_ms: float,
    bandwidth_mbit: float,
    training_seconds: float | None,
) -> "Mode":
    from mdl.studies.modes import Real, Simulated

    if simulate:
        return Simulated(latency_ms / 1000, bandwidth_mbit * 125_000 or None, schedule, training_seconds)
    if (schedule, latency_ms, bandwidth_mbit, training_seconds) != (0, 1.0, 0.0, None):
        options = "--schedule, --latency, --bandwidth and --training-seconds"
        raise ConfigError([f"{options} are of simulations: add --simulate"], command)
    return Real()


def _study(
    source: "Source",
    folder: Path,
    mode: "Mode",
    jobs: int | None,
    *,
    replace: bool,
    dry_run: bool,
    quiet: bool,
) -> None:
    from mdl.studies import command

    refuse_file(folder)
    asked = command.Study(source, folder, mode, jobs, data_dir())
    if dry_run:
        command.plan(asked, tell, replace=replace)
        return
    raise typer.Exit(command.perform(asked, tell, replace=replace, quiet=quiet))
