"""The command line. Heavy imports happen inside the commands, so that `--help` and `check` answer at once."""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from mdl.errors import ConfigError, MdlError

app = typer.Typer(
    name="mdl",
    help="Private multiparty deep learning: data owners train one network together, nobody sees anybody's gradient.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
keys_app = typer.Typer(help="Keys for parties that are started by hand.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")

EXIT_FAILED, EXIT_CONFIG = 1, 2

File = Annotated[Path, typer.Argument(metavar="FILE", help="An experiment file (TOML).")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change a key, e.g. system.visibility=0.75. May be repeated."
    ),
]
Seed = Annotated[int | None, typer.Option(help="Use another seed than the file's.", min=0)]


def main() -> None:
    """Run the command line; errors of ours are told in words, without a traceback."""
    try:
        app()
    except ConfigError as error:
        _end(error, EXIT_CONFIG)
    except MdlError as error:
        _end(error, EXIT_FAILED)


def _end(error: MdlError, code: int) -> NoReturn:
    Console(stderr=True).print(
        f"mdl: {type(error).__name__}: {error}", markup=False, highlight=False, soft_wrap=True
    )
    sys.exit(code)


@app.command()
def run(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="An experiment file (TOML).")] = None,
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where run folders are made.")] = Path("runs"),
    seed: Seed = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with the run in this folder, from its last checkpoint."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show the closing table only.")] = False,
) -> None:
    """Train: start all parties of an experiment, show progress, sum up.

    [dim]Examples:[/dim]
      mdl run configs/quickstart.toml
      mdl run configs/mnist-mlp.toml --set epochs=1 --set system.scheme.type=plain
      mdl run --resume runs/20260101-120000-quickstart
    """
    from mdl import folder
    from mdl.progress import Lines, LiveTable, State
    from mdl.tables import closing_table

    if (file is None) == (resume is None):
        raise ConfigError(["give an experiment file, or --resume with a run's folder"], "mdl run")
    if resume is not None and not (resume / folder.EXPERIMENT).is_file():
        raise ConfigError([f"{resume} is no run's folder: it has no {folder.EXPERIMENT}"], "mdl run --resume")
    path = file if file is not None else (resume or Path()) / folder.EXPERIMENT
    experiment = _load(path, overrides, seed)
    target = resume or folder.new_folder(out, experiment.name, datetime.now().astimezone())
    folder.write_atomically(target / folder.EXPERIMENT, experiment.to_toml().encode())
    if resume is None:
        folder.write_json(target / "environment.json", folder.environment())
    _warn(experiment)

    from mdl.launcher import launch

    console, state = Console(), State(experiment)
    data_dir = _data_dir()
    if quiet:
        summary = launch(
            experiment, target, data_dir=data_dir, watch=lambda _: None, resuming=resume is not None
        )
    elif console.is_terminal:
        with LiveTable(console, state) as live:
            summary = launch(experiment, target, data_dir=data_dir, watch=live, resuming=resume is not None)
    else:
        lines = Lines(console, state)
        summary = launch(experiment, target, data_dir=data_dir, watch=lines, resuming=resume is not None)
    if summary["epochs"]:
        _write_report([target], target)
    console.print(closing_table(summary, target))
    if summary["status"] != "completed":
        _complain(summary, target)
    raise typer.Exit(summary["exit_code"])


def _complain(summary: dict[str, Any] | Any, target: Path) -> None:
    stderr = Console(stderr=True)
    stderr.print(
        f"mdl: {summary['status']}: {summary['reason']}", markup=False, highlight=False, soft_wrap=True
    )
    if summary["epochs"]:
        stderr.print(
            f"mdl: go on with: mdl run --resume {target}", markup=False, highlight=False, soft_wrap=True
        )


def _write_report(runs: list[Path], out: Path) -> list[Path]:
    from mdl.report import write_report

    return write_report(runs, out)


@app.command()
def check(file: File, overrides: Overrides = None, seed: Seed = None) -> None:
    """Validate an experiment without running it, and say in words what it would do.

    [dim]Example:[/dim] mdl check configs/quickstart.toml --set system.visibility=1.0
    """
    from mdl.tables import explanation

    experiment = _load(file, overrides, seed)
    _warn(experiment)
    Console(highlight=False).print(explanation(experiment, _data_dir()))


@app.command()
def simulate(
    file: File,
    overrides: Overrides = None,
    seed: Seed = None,
    schedule: Annotated[int, typer.Option(help="Seed of the order in which things happen.")] = 0,
    latency: Annotated[
        float, typer.Option(metavar="MS", help="Latency of every link, in milliseconds.", min=0)
    ] = 1.0,
    bandwidth: Annotated[
        float, typer.Option(metavar="MBIT", help="Bandwidth of every link in Mbit/s; 0: no limit.", min=0)
    ] = 0.0,
) -> None:
    """Run the same experiment in one thread, on a virtual clock with modelled links; sum up its transcript.

    Computing is measured as it happens and charged to the virtual clock, as though each party had a machine of its own.

    [dim]Example:[/dim] mdl simulate configs/quickstart.toml --set epochs=2 --latency 20 --bandwidth 100
    """
    from mdl.rehearsal import rehearse  # brings in torch

    experiment = _load(file, overrides, seed)
    _warn(experiment)
    result = rehearse(
        experiment, _data_dir(), schedule=schedule, latency_ms=latency, bandwidth_mbit=bandwidth
    )
    Console(highlight=False).print(result)


@app.command()
def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, to be shown side by side.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; by default the first run's folder.")
    ] = None,
) -> None:
    """Draw tables and plots of one or several runs: one self-contained HTML page, and a PNG of each plot.

    [dim]Example:[/dim] mdl report runs/*-quickstart runs/*-mnist-mlp --out comparison
    """
    target = out or runs[0]
    for path in _write_report(runs, target):
        typer.echo(path)


@app.command(name="list")
def list_(
    what: Annotated[str, typer.Argument(metavar="systems|schemes|datasets|models", help="What to list.")],
) -> None:
    """List what an experiment file can name.

    [dim]Example:[/dim] mdl list schemes
    """
    from mdl.tables import listing

    Console(highlight=False).print(listing(what))


@keys_app.command()
def deal(
    file: File,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write the key files; must not exist.")],
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Be the trusted authority: write a key file for each party of one run, each readable by its owner alone.

    Hand every party its own file and delete the folder: whoever holds m workers' files can open every gradient.

    [dim]Example:[/dim] mdl keys deal configs/quickstart.toml --out keys
    """
    from mdl.byhand import write_keys
    from mdl.launcher import deal_keys

    for path in write_keys(deal_keys(_load(file, overrides, seed)), out):
        typer.echo(path)


@app.command()
def node(
    file: File,
    party: Annotated[int, typer.Option(help="Which party: 0 is the manager, workers count from 1.", min=0)],
    keys: Annotated[Path, typer.Option(metavar="FILE", help="This party's key file (mdl keys deal).")],
    sockets: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder of the parties' sockets, mode 0700.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="This party's folder for records, metrics and its log.")
    ],
    overrides: Overrides = None,
    seed: Seed = None,
    resume: Annotated[int, typer.Option(help="Go on from the checkpoint of this epoch.", min=0)] = 0,
) -> None:
    """Start one party by hand: what the launcher does for each of them.

    [dim]Example:[/dim]
      mdl keys deal configs/quickstart.toml --out keys; mkdir -m 700 sockets
      mdl node configs/quickstart.toml --party 0 --keys keys/party-0.key --sockets sockets --out runs/by-hand
      (and so on for --party 1 to 8, each in a terminal of its own)
    """
    from mdl.byhand import start

    experiment = _load(file, overrides, seed)
    raise typer.Exit(
        start(experiment, party, keys=keys, sockets=sockets, out=out, data_dir=_data_dir(), resume=resume)
    )


def _load(path: Path, overrides: list[str] | None, seed: int | None) -> Any:
    from mdl.config import load

    changes = [*(overrides or []), *([f"seed={seed}"] if seed is not None else [])]
    experiment, notes = load(path, changes)
    for note in notes:
        Console(stderr=True).print(f"mdl: note: {note}", markup=False, highlight=False, soft_wrap=True)
    return experiment


def _warn(experiment: Any) -> None:
    if getattr(experiment.system, "insecure", False):
        Console(stderr=True).print(
            "mdl: warning: system.insecure = true: this run is for study; it does not protect anybody's data.",
            style="bold red",
            highlight=False,
        )


def _data_dir() -> Path | None:
    place = os.environ.get("MDL_DATA")
    return Path(place) if place else None
