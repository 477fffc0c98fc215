"""The command line, a module for each group of commands.

Heavy imports happen inside the commands, so that `--help` and `check` answer at once.
"""

from mdl.cli.commands import app, main

__all__ = ["app", "main"]
