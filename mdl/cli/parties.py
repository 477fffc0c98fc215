"""`mdl keys`, `mdl node`: parties that are started by hand."""

from pathlib import Path
from typing import Annotated

import typer

from mdl.cli.options import File, Overrides, Seed
from mdl.cli.shared import data_dir, load_experiment, refuse_file

keys_app = typer.Typer(help="Keys for parties that are started by hand.", no_args_is_help=True)


@keys_app.command()
def deal(
    file: File,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", callback=refuse_file, help="Where to write the key files; must not exist."
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
    from mdl.authority import deal_keys
    from mdl.byhand import write_keys

    for path in write_keys(deal_keys(load_experiment(file, overrides, seed)), out):
        typer.echo(path)


def node(
    file: File,
    party: Annotated[
        int,
        typer.Option(help="Which party: 0 is the manager, server or dealer, workers count from 1.", min=0),
    ],
    keys: Annotated[Path, typer.Option(metavar="FILE", help="This party's key file (mdl keys deal).")],
    sockets: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder of the parties' sockets, mode 0700.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", callback=refuse_file, help="This party's folder for records, metrics and its log."
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

    A worker that died comes back with the same command and --rejoin.

    [dim]Example:[/dim]
      mdl keys deal configs/quickstart.toml --out keys
      mkdir -m 700 sockets
      mdl node configs/quickstart.toml --party 0 --keys keys/party-0.key \
      --sockets sockets --out runs/by-hand
      (and so on for --party 1 to 8, each in a terminal of its own)
    """
    from mdl.byhand import start

    experiment = load_experiment(file, overrides, seed)
    raise typer.Exit(
        start(
            experiment,
            party,
            keys=keys,
            sockets=sockets,
            out=out,
            data_dir=data_dir(),
            resume=resume,
            rejoin=rejoin,
        )
    )
