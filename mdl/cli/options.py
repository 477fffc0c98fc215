"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

from mdl.cli.shared import refuse_file

File = Annotated[Path, typer.Argument(metavar="FILE", help="An experiment file (TOML).")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change a key, e.g. system.visibility=0.75. May be repeated."
    ),
]
Seed = Annotated[int | None, typer.Option(help="Use another seed than the file's.", min=0)]
Out = Annotated[Path, typer.Option(metavar="DIR", callback=refuse_file, help="Where run folders are made.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show the closing table only.")]
Report = Annotated[
    bool,
    typer.Option(
        help="Draw the report at the end. It takes a second or two; `mdl report RUN` draws it later, too."
    ),
]
