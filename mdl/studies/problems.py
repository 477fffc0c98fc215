"""What is wrong with several experiments at once, each problem told once."""

from collections.abc import Mapping, Sequence
from typing import Final

MOST: Final = 12
"""So many problems are told; a wrong file would else be told once a point."""


def told(problems: Mapping[str, Sequence[str]], count: int, where: str) -> Sequence[str]:
    """Say of each problem which of `count` experiments have it; of one that all have it need not be said.

    Args:
        problems: each with what the experiments are called that have it.
        count: how many experiments there are.
        where: the word before such a name.
    """
    lines = []
    for problem, names in problems.items():
        more = f" (and {where} {len(names) - 1} more)" if len(names) > 1 else ""
        lines.append(problem if len(names) == count else f"{where} {names[0]}{more}: {problem}")
    left = len(lines) - MOST
    return [*lines[:MOST], *([f"... and {left} more problems"] if left > 0 else [])]
