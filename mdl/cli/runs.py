"""`mdl run`, `mdl check`, `mdl simulate`: one experiment."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from rich.console import Console

from mdl.cli.options import File, Out, Overrides, Quiet, Report, Seed
from mdl.cli.shared import (
    blaming,
    data_dir,
    draw_report,
    experiment_of,
    load_experiment,
    tell,
    warn_if_insecure,
)
from mdl.errors import ConfigError

if TYPE_CHECKING:
    from mdl.config import Experiment

Watch: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Shown every event of a run."""


def run(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="An experiment file (TOML).")] = None,
    overrides: Overrides = None,
    out: Out = Path("runs"),
    seed: Seed = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with the run in this folder, from its last checkpoint."),
    ] = None,
    quiet: Quiet = False,
    report: Report = True,
) -> None:
    """Train: start all parties of an experiment, show progress, sum up.

    Each epoch has a line: accuracy on the test set, the mean of the workers' training losses, and the bytes
    that the parties have reported by then. They report an epoch's when they are through with it, which may
    be a little later; the closing table has all.

    [dim]Examples:[/dim]
      mdl run configs/quickstart.toml
      mdl run configs/quickstart.toml --set epochs=1 --set system.scheme.type=plain
      mdl run --resume runs/20260101-120000-quickstart
    """
    if (file is None) == (resume is None):
        said = "give an experiment file, or --resume with a run's folder"
        both = "not both: a run goes on with its own file, in which --set changes keys"
        raise ConfigError([said if file is None else f"{said}, {both}"], "mdl run")
    source = context.get_parameter_source("out")
    if resume is not None and source is not None and source.name == "COMMANDLINE":
        raise ConfigError(["a run goes on in its own folder: give --resume without --out"], "mdl run --out")
    experiment = load_experiment(file or experiment_of(resume or Path(), "mdl run --resume"), overrides, seed)
    warn_if_insecure(experiment)
    summary, target = _train(experiment, out, resume, quiet=quiet)
    raise typer.Exit(_sum_up(summary, target, report=report))


def check(file: File, overrides: Overrides = None, seed: Seed = None) -> None:
    """Validate an experiment without running it, and say in words what it would do.

    [dim]Example:[/dim]
      mdl check configs/quickstart.toml --set system.visibility=1.0
    """
    from mdl.tables import explanation

    experiment = load_experiment(file, overrides, seed)
    warn_if_insecure(experiment)
    with blaming(file):
        said = explanation(experiment, data_dir())
    Console(highlight=False).print(said)


def simulate(
    file: File,
    overrides: Overrides = None,
    out: Out = Path("runs"),
    seed: Seed = None,
    schedule: Annotated[int, typer.Option(help="Seed of the order in which things happen.")] = 0,
    latency: Annotated[
        float, typer.Option(metavar="MS", help="Latency of every link, in milliseconds.", min=0)
    ] = 1.0,
    bandwidth: Annotated[
        float, typer.Option(metavar="MBIT", help="Bandwidth of every link in Mbit/s; 0: no limit.", min=0)
    ] = 0.0,
    training_seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Let a local epoch take so long and other computing no time: nothing is measured, and the "
            "same command gives the same seconds.",
            min=0,
        ),
    ] = None,
    quiet: Quiet = False,
    report: Report = True,
) -> None:
    """Run an experiment in one thread, on a virtual clock with modelled links; leave a run's folder.

    Computing is measured as it happens and charged to the virtual clock, as though each party had a machine
    of its own.

    [dim]Examples:[/dim]
      mdl simulate configs/quickstart.toml --set epochs=2 --latency 20
      mdl simulate configs/heterogeneous.toml --training-seconds 10
    """
    from mdl.rehearsal import Conditions, cast, rehearse  # brings in torch
    from mdl.simulator import Network

    experiment = load_experiment(file, overrides, seed)
    warn_if_insecure(experiment)
    with blaming(file):
        learners = cast(experiment, data_dir())
    network = Network(latency_seconds=latency / 1000, bandwidth_bytes_per_second=bandwidth * 125_000 or None)
    conditions = Conditions(network, schedule, training_seconds)
    target = _new_folder(experiment, out)
    with _watching(experiment, target, quiet=quiet, simulated=True) as watch:
        summary = rehearse(experiment, learners, target, conditions, watch)
    raise typer.Exit(_sum_up(summary, target, report=report))


def _train(
    experiment: "Experiment", out: Path, resume: Path | None, *, quiet: bool
) -> tuple[Mapping[str, Any], Path]:
    """Make or take up the run's folder, launch, show what happens."""
    from mdl import folder
    from mdl.config import check_resumable, load
    from mdl.launcher import launch
    from mdl.learning.sizes import check_data
    from mdl.progress import sent_before
    from mdl.resumption import resume_epochs

    check_data(experiment.learning, data_dir(), workers=experiment.workers)
    target = resume or _new_folder(experiment, out)
    with folder.locked(target) as held:  # a run that goes on is not touched: neither its file nor its curves
        sent, resuming = 0, resume is not None
        if resuming:
            # Both raise before anything in the folder is touched.
            check_resumable(load(target / folder.EXPERIMENT)[0], experiment)
            sent = sent_before(target, resume_epochs(experiment, target))
            folder.write_atomically(target / folder.EXPERIMENT, experiment.to_toml().encode())
        with _watching(experiment, target, quiet=quiet, sent=sent) as watch:
            summary = launch(experiment, held, data_dir=data_dir(), watch=watch, resuming=resuming)
    return summary, target


def _new_folder(experiment: "Experiment", out: Path) -> Path:
    from mdl import folder

    target = folder.new_folder(out, experiment.name, datetime.now().astimezone())
    folder.write_atomically(target / folder.EXPERIMENT, experiment.to_toml().encode())
    folder.write_json(target / folder.ENVIRONMENT, folder.environment())
    return target


@contextmanager
def _watching(
    experiment: "Experiment", target: Path, *, quiet: bool, simulated: bool = False, sent: int = 0
) -> Iterator[Watch]:
    """Show what happens, and keep its curves in the run's folder."""
    from mdl.board import Board

    display_of = _display(experiment, quiet=quiet, simulated=simulated, sent=sent)
    with Board(target, _warn) as board, display_of as display:

        def watch(event: Mapping[str, Any]) -> None:
            display(event)
            board(event)

        yield watch


def _warn(what: str) -> None:
    tell(f"warning: {what}", style="yellow")


def _display(
    experiment: "Experiment", *, quiet: bool, simulated: bool, sent: int
) -> AbstractContextManager[Watch]:
    from mdl.progress import Lines, LiveTable, State

    console = Console()
    if quiet:
        return nullcontext(lambda _: None)
    state = State(experiment, simulated=simulated, size_bytes=sent)
    return (LiveTable if console.is_terminal else Lines)(console, state)


def _sum_up(summary: Mapping[str, Any], target: Path, *, report: bool) -> int:
    """Print the closing table, say how to go on, write the report if that is wanted; give the exit code."""
    from mdl.tables import closing_table, saturation_warning

    Console().print(closing_table(summary, target))
    if warning := saturation_warning(summary):
        _warn(warning)
    if summary["status"] != "completed":
        tell(f"{summary['status']}: {summary['reason']}")
        if summary["epochs"] and summary["clock"] == "wall":
            tell(f"go on with: mdl run --resume {target}")
    # Last, because it takes seconds, in which the user may press Ctrl-C again.
    if report and summary["epochs"]:
        draw_report([target], target)
    return int(summary["exit_code"])
