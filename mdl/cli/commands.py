"""All commands, and the way in: `main`."""

import errno
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer

from mdl.cli.audits import audit_app
from mdl.cli.benches import bench_app
from mdl.cli.heedless import print_heedlessly
from mdl.cli.inference import infer
from mdl.cli.parties import keys_app, node
from mdl.cli.reproduction import reproduce
from mdl.cli.results import list_, report
from mdl.cli.runs import check, run, simulate
from mdl.cli.shared import tell
from mdl.cli.studies import compare, sweep
from mdl.errors import ConfigError, MdlError
from mdl.exits import EXIT_CONFIG, EXIT_FAILED

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
for command in (run, check, simulate, infer, sweep, compare, report):
    app.command()(command)
app.command(name="list")(list_)
app.command()(reproduce)
app.command()(node)
app.add_typer(keys_app, name="keys")
app.add_typer(audit_app, name="audit")
app.add_typer(bench_app, name="bench")


def unwrap(text: str) -> str:
    """Join the lines of each paragraph, so that a terminal breaks them where it ends; examples stay."""
    paragraphs = (part if "\n  " in part else part.replace("\n", " ") for part in text.split("\n\n"))
    return "\n\n".join(paragraphs)


def _unwrap_help(commands: typer.Typer) -> None:
    for each in commands.registered_commands:
        each.help = unwrap(inspect.getdoc(each.callback) or "")
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            _unwrap_help(group.typer_instance)


_unwrap_help(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors of ours are told in words, without a traceback."""
    # Parties share the machine's cores: BLAS threads of each would spin against those of the others. Said
    # before NumPy is imported, and handed down to every process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A model of the user's own is imported from where the command is given, as `python -m mdl` does; last,
    # so that nothing there can stand in for a package.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    print_heedlessly()
    try:
        app(args=arguments, prog_name="mdl")
    except ConfigError as error:
        _end(error, EXIT_CONFIG)
    except MdlError as error:
        _end(error, EXIT_FAILED)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        what = f" {error.filename}" if error.filename else ""
        _end(MdlError(f"cannot write{what}: {error.strerror}"), EXIT_FAILED)


def _end(error: MdlError, code: int) -> NoReturn:
    tell(f"{type(error).__name__}: {error}")
    sys.exit(code)
