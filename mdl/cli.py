"""The command line. Heavy imports happen inside the commands, so that `--help` and `check` answer at once."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias

import typer
from rich.console import Console

from mdl.errors import ConfigError, MdlError

if TYPE_CHECKING:
    from mdl.config import Experiment

app = typer.Typer(
    name="mdl",
    help="Private multiparty deep learning: data owners train one network together, "
    "and nobody sees anybody's gradient.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
keys_app = typer.Typer(help="Keys for parties that are started by hand.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
audit_app = typer.Typer(help="Attacks: on protocols, on gradients, on finished models.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")
bench_app = typer.Typer(help="What hiding costs on this machine.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")

EXIT_FAILED, EXIT_CONFIG, EXIT_INTERRUPTED = 1, 2, 130


def _refuse_file(folder: Path | None) -> Path | None:
    """Refuse a folder for results where a file is in the way, before anything is computed."""
    from mdl import folder as files

    if folder is not None and (file := files.file_in_the_way(folder)):
        said = f"{file} is a file, and a folder is needed: name another place, or move the file away"
        raise ConfigError([said if file == folder else f"cannot make {folder}: {said}"], "--out")
    return folder


File = Annotated[Path, typer.Argument(metavar="FILE", help="An experiment file (TOML).")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change a key, e.g. system.visibility=0.75. May be repeated."
    ),
]
Seed = Annotated[int | None, typer.Option(help="Use another seed than the file's.", min=0)]
Out = Annotated[Path, typer.Option(metavar="DIR", callback=_refuse_file, help="Where run folders are made.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show the closing table only.")]

Parameters = Annotated[int, typer.Option(metavar="T", help="Parameters of the model.", min=1)]
Workers = Annotated[int, typer.Option(metavar="N", help="Workers.", min=1)]
Threshold = Annotated[int, typer.Option(metavar="M", help="Members of a set, and openers.", min=1)]
Kept = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        callback=_refuse_file,
        help="Also write JSON, Markdown and plots here, over earlier ones.",
    ),
]

Audited = Annotated[
    Path, typer.Argument(metavar="FILE|RUN", help="An experiment file (TOML), or a run's folder.")
]
AuditOut = Annotated[
    Path,
    typer.Option(
        metavar="DIR", callback=_refuse_file, help="Where the page and its like go, over earlier ones."
    ),
]

Watch: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Shown every event of a run."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors of ours are told in words, without a traceback."""
    # Parties share the machine's cores: BLAS threads of each would spin against those of the others. Said
    # before NumPy is imported, and handed down to every process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A model of the user's own is imported from where the command is given, as `python -m mdl` does; last,
    # so that nothing there can stand in for a package.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        app(args=arguments, prog_name="mdl")
    except ConfigError as error:
        _end(error, EXIT_CONFIG)
    except MdlError as error:
        _end(error, EXIT_FAILED)


def _end(error: MdlError, code: int) -> NoReturn:
    _tell(f"{type(error).__name__}: {error}")
    sys.exit(code)


def _tell(what: str, style: str = "") -> None:
    """Say something that is no result."""
    Console(stderr=True).print(f"mdl: {what}", style=style, markup=False, highlight=False, soft_wrap=True)


@app.command()
def run(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="An experiment file (TOML).")] = None,
    overrides: Overrides = None,
    out: Out = Path("runs"),
    seed: Seed = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with the run in this folder, from its last checkpoint."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train: start all parties of an experiment, show progress, sum up.

    [dim]Examples:[/dim]
      mdl run configs/quickstart.toml
      mdl run configs/quickstart.toml --set epochs=1 --set system.scheme.type=plain
      mdl run --resume runs/20260101-120000-quickstart
    """
    if (file is None) == (resume is None):
        raise ConfigError(["give an experiment file, or --resume with a run's folder"], "mdl run")
    experiment = _load(file or _experiment_of(resume or Path(), "mdl run --resume"), overrides, seed)
    _warn(experiment)
    summary, target = _train(experiment, out, resume, quiet=quiet)
    raise typer.Exit(_sum_up(summary, target))


def _train(
    experiment: "Experiment", out: Path, resume: Path | None, *, quiet: bool
) -> tuple[Mapping[str, Any], Path]:
    """Make or take up the run's folder, launch, show what happens."""
    from mdl import folder
    from mdl.config import check_resumable, load
    from mdl.launcher import launch, resume_epochs
    from mdl.learning.sizes import check_data

    check_data(experiment.learning, _data_dir(), workers=experiment.workers)
    if resume is not None:
        # Both raise before anything in the folder is touched.
        check_resumable(load(resume / folder.EXPERIMENT)[0], experiment)
        resume_epochs(experiment, resume)
        folder.write_atomically(resume / folder.EXPERIMENT, experiment.to_toml().encode())
    target = resume or _new_folder(experiment, out)
    with _watching(experiment, target, quiet=quiet) as watch:
        resuming = resume is not None
        summary = launch(experiment, target, data_dir=_data_dir(), watch=watch, resuming=resuming)
    return summary, target


def _new_folder(experiment: "Experiment", out: Path) -> Path:
    from mdl import folder

    target = folder.new_folder(out, experiment.name, datetime.now().astimezone())
    folder.write_atomically(target / folder.EXPERIMENT, experiment.to_toml().encode())
    folder.write_json(target / "environment.json", folder.environment())
    return target


@contextmanager
def _watching(
    experiment: "Experiment", target: Path, *, quiet: bool, simulated: bool = False
) -> Iterator[Watch]:
    """Show what happens, and keep its curves in the run's folder."""
    from mdl.board import Board

    with Board(target) as board, _display(experiment, quiet=quiet, simulated=simulated) as display:

        def watch(event: Mapping[str, Any]) -> None:
            display(event)
            board(event)

        yield watch


def _display(experiment: "Experiment", *, quiet: bool, simulated: bool) -> AbstractContextManager[Watch]:
    from mdl.progress import Lines, LiveTable, State

    console = Console()
    if quiet:
        return nullcontext(lambda _: None)
    return (LiveTable if console.is_terminal else Lines)(console, State(experiment, simulated=simulated))


def _sum_up(summary: Mapping[str, Any], target: Path) -> int:
    """Print the closing table, write the report, say how to go on; give the exit code."""
    from mdl.tables import closing_table, saturation_warning

    Console().print(closing_table(summary, target))
    if warning := saturation_warning(summary):
        _tell(f"warning: {warning}", style="yellow")
    if summary["epochs"]:
        _write_report([target], target)
    if summary["status"] != "completed":
        _tell(f"{summary['status']}: {summary['reason']}")
        if summary["epochs"] and summary["clock"] == "wall":
            _tell(f"go on with: mdl run --resume {target}")
    return int(summary["exit_code"])


def _write_report(runs: list[Path], out: Path) -> list[Path]:
    from mdl.report import write_report

    try:
        return write_report(runs, out)
    except OSError as error:
        raise MdlError(f"cannot write the report into {out}: {error.strerror}") from None


@app.command()
def check(file: File, overrides: Overrides = None, seed: Seed = None) -> None:
    """Validate an experiment without running it, and say in words what it would do.

    [dim]Example:[/dim]
      mdl check configs/quickstart.toml --set system.visibility=1.0
    """
    from mdl.tables import explanation

    experiment = _load(file, overrides, seed)
    _warn(experiment)
    with _blaming(file):
        said = explanation(experiment, _data_dir())
    Console(highlight=False).print(said)


@app.command()
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

    experiment = _load(file, overrides, seed)
    _warn(experiment)
    with _blaming(file):
        learners = cast(experiment, _data_dir())
    network = Network(latency_seconds=latency / 1000, bandwidth_bytes_per_second=bandwidth * 125_000 or None)
    conditions = Conditions(network, schedule, training_seconds)
    target = _new_folder(experiment, out)
    with _watching(experiment, target, quiet=quiet, simulated=True) as watch:
        summary = rehearse(experiment, learners, target, conditions, watch)
    raise typer.Exit(_sum_up(summary, target))


@app.command()
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
        Path, typer.Option(metavar="DIR", callback=_refuse_file, help="Where study folders are made.")
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
    _refuse_file(folder)
    modelled = Simulated(latency / 1000, bandwidth * 125_000 or None, schedule, training_seconds)
    asked = command.Sweep(
        file=file,
        overrides=overrides or [],
        axes=parse_axes(grid),
        folder=folder,
        mode=modelled if simulate else Real(),
        jobs=jobs,
        data_dir=_data_dir(),
    )
    if dry_run:
        command.plan(asked, _tell, replace=replace)
        return
    raise typer.Exit(command.perform(asked, _tell, replace=replace, quiet=quiet))


@app.command()
def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Folders of runs, or of studies, which stand for their runs."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", callback=_refuse_file, help="Where to write; by default the first run's folder."
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
    for path in _write_report(runs, target):
        typer.echo(path)


@app.command(name="list")
def list_(
    what: Annotated[str, typer.Argument(metavar="systems|schemes|datasets|models", help="What to list.")],
) -> None:
    """List what an experiment file can name.

    [dim]Example:[/dim]
      mdl list schemes
    """
    from mdl.tables import listing

    Console(highlight=False).print(listing(what))


@keys_app.command()
def deal(
    file: File,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", callback=_refuse_file, help="Where to write the key files; must not exist."
        ),
    ],
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Be the trusted authority: write a key file for each party of one run, each readable by its owner alone.

    Hand every party its own file and delete the folder: whoever holds m workers' files can open every
    gradient.

    [dim]Example:[/dim]
      mdl keys deal configs/quickstart.toml --out keys
    """
    from mdl.byhand import write_keys
    from mdl.launcher import deal_keys

    for path in write_keys(deal_keys(_load(file, overrides, seed)), out):
        typer.echo(path)


@audit_app.command()
def collusion(file: File, overrides: Overrides = None, seed: Seed = None) -> None:
    """Play the manager, alone and with colluding workers: what gradients can they open?

    Each attack is mounted twice: against the protocol as printed, and against what the manager holds after a
    run of the experiment's own system (a few parameters, with its n, m, group and encoding). Then every
    coalition of fewer than m workers is judged by linear algebra. Attacks by a manager that deviates from
    the protocol succeed against everything here, and are shown for that reason.

    Exit code 1: a claim of docs/security.md does not hold.

    [dim]Examples:[/dim]
      mdl audit collusion configs/quickstart.toml --set system.scheme.type=elgamal
      mdl audit collusion configs/dynamic.toml --set system.scheme.type=elgamal
    """
    from mdl.audit.audit import attackable, audit
    from mdl.audit.tables import rendered

    experiment = _load(file, overrides, seed)
    _warn(experiment)
    with _blaming(file):
        found = audit(attackable(experiment.system), experiment.workers)
    Console(highlight=False).print(rendered(found))
    raise typer.Exit(EXIT_FAILED if found.broken_claims else 0)


@audit_app.command()
def inversion(
    what: Audited,
    attack: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of analytic, idlg, geiping, rows, joint; else all. Repeatable."),
    ] = None,
    images: Annotated[
        int,
        typer.Option(metavar="K", help="Victims on a plain server's side, one image or batch each.", min=1),
    ] = 8,
    out: AuditOut = Path("audits"),
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Turn gradients back into images: what does each role's view of an epoch show?

    Runs the first epoch of an experiment on virtual links with its real data, and gives published attacks
    exactly what a role holds afterwards: a plain parameter server (the yardstick), the manager, a worker,
    who reads a link, and a coalition. Of a run's folder the final global model is the point of attack.
    Leaves a page with the recovered images beside the originals, PNGs and JSON.

    Exit code 1: what is claimed of sums of eight and more (one step, batch 1) does not hold.

    [dim]Examples:[/dim]
      mdl audit inversion configs/audit-inversion.toml
      mdl audit inversion runs/20260101-120000-quickstart --out audits/quickstart
    """
    from mdl.audit.inversion import command

    experiment, trained = _audited(what, overrides, seed)
    with _blaming(what):
        audit = command.run(
            experiment,
            trained=trained,
            names=attack or [],
            images=images,
            out=out,
            data_dir=_data_dir(),
        )
    raise typer.Exit((EXIT_FAILED if audit.refuted else 0) if audit.complete else EXIT_INTERRUPTED)


@audit_app.command()
def membership(
    what: Audited,
    alone: Annotated[
        int | None,
        typer.Option(metavar="K", help="Train so many workers alone, for comparison; else all.", min=0),
    ] = None,
    examples: Annotated[
        int, typer.Option(metavar="K", help="At most so many members, and as many others.", min=10)
    ] = 10_000,
    out: AuditOut = Path("audits"),
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Tell from the finished model who was trained on: losses of members against those of others.

    Attacks the final global model of a run's folder, or trains the experiment's on virtual links first; and,
    for comparison, models that workers train alone. Members are the workers' examples, the others the test
    set's. Leaves a page with the curves, a PNG and JSON.

    [dim]Examples:[/dim]
      mdl audit membership configs/quickstart.toml
      mdl audit membership runs/20260101-120000-quickstart --alone 1
    """
    from mdl.audit.membership import command

    experiment, trained = _audited(what, overrides, seed)
    with _blaming(what):
        audit = command.run(
            experiment, trained=trained, alone=alone, examples=examples, out=out, data_dir=_data_dir()
        )
    raise typer.Exit(0 if audit.complete else EXIT_INTERRUPTED)


def _audited(what: Path, overrides: list[str] | None, seed: int | None) -> tuple["Experiment", Path | None]:
    """Read the experiment of a file or of a run's folder; give the folder too if it is one."""
    run_folder = what if what.is_dir() else None
    experiment = _load(_experiment_of(what, "mdl audit") if run_folder else what, overrides, seed)
    _warn(experiment)
    return experiment, run_folder


@bench_app.command(name="schemes")
def bench_schemes(
    parameters: Parameters = 140_106,
    workers: Workers = 8,
    threshold: Threshold = 4,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only schemes called or beginning so. May be repeated."),
    ] = None,
    runs: Annotated[int, typer.Option(metavar="K", help="Take the best of so many.", min=1)] = 5,
    scaling: Annotated[
        bool, typer.Option("--scaling", help="Instead: how the cost of rlwe grows with n and with t.")
    ] = False,
    out: Kept = None,
) -> None:
    """Measure every scheme side by side: CPU time and bytes a parameter, step by step, in one process.

    Ratios are to the printed protocol, at the paper's 256 bits and at 3072, and to a sum of float32.

    Ctrl-C ends early and shows what was measured.

    [dim]Examples:[/dim]
      mdl bench schemes --out benchmarks/results
      mdl bench schemes --only rlwe --only prss --workers 10 --threshold 5
      mdl bench schemes --scaling
    """
    _use_one_thread()
    from mdl.bench import command
    from mdl.bench.schemes import Size

    size = Size(parameters, workers, threshold, runs)
    if scaling and only:
        raise ConfigError(["--scaling measures rlwe; it does not go with --only"], "mdl bench schemes")
    complete = command.bench_scaling(size, out) if scaling else command.bench_schemes(only or [], size, out)
    raise typer.Exit(0 if complete else EXIT_INTERRUPTED)


@bench_app.command(name="exchange")
def bench_exchange(
    parameters: Parameters = 140_106,
    workers: Workers = 8,
    threshold: Threshold = 4,
    scheme: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Schemes called or beginning so; else those that take seconds."),
    ] = None,
    runs: Annotated[int, typer.Option(metavar="K", help="Take the median of so many.", min=1)] = 5,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", callback=_refuse_file, help="Also write JSON and Markdown here, over earlier ones."
        ),
    ] = None,
) -> None:
    """Measure epochs of the coordinated system end to end: real processes, a network that trains in no time.

    Each scheme is held against the plain system with the same blocks, and must give the same model.

    Ctrl-C ends early and shows what was measured.

    [dim]Examples:[/dim]
      mdl bench exchange --out benchmarks/results
      mdl bench exchange --scheme rlwe-16k --workers 32 --threshold 16
    """
    from mdl.bench import command
    from mdl.bench.schemes import Size

    size = Size(parameters, workers, threshold, runs)
    raise typer.Exit(0 if command.bench_exchange(scheme or [], size, out) else EXIT_INTERRUPTED)


def _use_one_thread() -> None:
    """Have numerical libraries compute in one thread; they read this once, when they are loaded."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"


@app.command()
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
            callback=_refuse_file,
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
    _use_one_thread()
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
    _refuse_file(place)
    order = command.Order(catalogue.chosen(figures), quick, place, _data_dir(), jobs, networks)
    raise typer.Exit(command.reproduce(order))


@app.command()
def node(
    file: File,
    party: Annotated[int, typer.Option(help="Which party: 0 is the manager, workers count from 1.", min=0)],
    keys: Annotated[Path, typer.Option(metavar="FILE", help="This party's key file (mdl keys deal).")],
    sockets: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder of the parties' sockets, mode 0700.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", callback=_refuse_file, help="This party's folder for records, metrics and its log."
        ),
    ],
    overrides: Overrides = None,
    seed: Seed = None,
    resume: Annotated[
        int,
        typer.Option(
            help="Go on from this epoch's checkpoint; at their own pace, workers from their newest.", min=0
        ),
    ] = 0,
    rejoin: Annotated[
        bool,
        typer.Option(
            "--rejoin", help="Come back to the run that goes on, with what this party left in --out."
        ),
    ] = False,
) -> None:
    r"""Start one party by hand: what the launcher does for each of them.

    [dim]Example:[/dim]
      mdl keys deal configs/quickstart.toml --out keys
      mkdir -m 700 sockets
      mdl node configs/quickstart.toml --party 0 --keys keys/party-0.key \
      --sockets sockets --out runs/by-hand
      (and so on for --party 1 to 8, each in a terminal of its own)
    A worker that died comes back with the same command and --rejoin.
    """
    from mdl.byhand import start

    experiment = _load(file, overrides, seed)
    raise typer.Exit(
        start(
            experiment,
            party,
            keys=keys,
            sockets=sockets,
            out=out,
            data_dir=_data_dir(),
            resume=resume,
            rejoin=rejoin,
        )
    )


def _experiment_of(run_folder: Path, command: str) -> Path:
    """Find a run's experiment file."""
    from mdl import folder

    if not run_folder.exists():
        raise ConfigError([f"there is no such folder: {run_folder}"], command)
    if not (run_folder / folder.EXPERIMENT).is_file():
        raise ConfigError([f"{run_folder} is no run's folder: it has no {folder.EXPERIMENT}"], command)
    return run_folder / folder.EXPERIMENT


def _load(path: Path, overrides: list[str] | None, seed: int | None) -> "Experiment":
    from mdl.config import load

    changes = [*(overrides or []), *([f"seed={seed}"] if seed is not None else [])]
    experiment, notes = load(path, changes)
    for note in notes:
        _tell(f"note: {note}")
    return experiment


@contextmanager
def _blaming(file: Path) -> Iterator[None]:
    """Name the file in an error that is found when its values are put to use."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(error.problems, str(file)) from None


def _warn(experiment: "Experiment") -> None:
    if getattr(experiment.system, "insecure", False):
        _tell(
            "warning: system.insecure = true: this run is for study; it does not protect anybody's data.",
            style="bold red",
        )


def _data_dir() -> Path | None:
    place = os.environ.get("MDL_DATA")
    return Path(place) if place else None
