"""How a command ends, as the shell is told."""

from typing import Final

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 2
"""The experiment file, or the command, asks for what cannot be."""
EXIT_INTERRUPTED: Final = 130
"""Ctrl-C: 128 and the number of its signal."""
