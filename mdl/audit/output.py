"""Where audits print their tables, and what they are doing."""

import os
from typing import Final

from rich.console import Console

WIDTH: Final = 120
"""Columns that the widest table takes."""


def console() -> Console:
    """Make a console for standard output, as wide as its terminal or as COLUMNS says.

    Where neither says anything, as in a pipe, tables have the width that they need.
    """
    made = Console(highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = max(made.width, WIDTH)
    return made


def tell(what: str) -> None:
    """Say on the standard error what is done next."""
    Console(stderr=True).print(f"{what} ...", style="dim", markup=False, highlight=False)
