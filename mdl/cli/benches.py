"""`mdl bench`: what hiding costs."""

from pathlib import Path
from typing import Annotated

import typer

from mdl.cli.shared import refuse_file, use_one_thread
from mdl.errors import ConfigError
from mdl.exits import EXIT_INTERRUPTED

bench_app = typer.Typer(help="What hiding costs on this machine.", no_args_is_help=True)

Parameters = Annotated[int, typer.Option(metavar="T", help="Parameters of the model.", min=1)]
Workers = Annotated[int, typer.Option(metavar="N", help="Workers.", min=1)]
Threshold = Annotated[int, typer.Option(metavar="M", help="Members of a set, and openers.", min=1)]
Kept = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        callback=refuse_file,
        help="Also write JSON, Markdown and plots here, over earlier ones.",
    ),
]


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
    use_one_thread()
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
            metavar="DIR", callback=refuse_file, help="Also write JSON and Markdown here, over earlier ones."
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
